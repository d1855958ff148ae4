"""What people write for others to read: notes, reasons, names. Refused where it would not show what it says.

Control characters, marks that turn the direction of writing, and what has no visible character at all are refused
by name; an e-mail's header, a log line and a terminal take some of these for a command.
"""

from __future__ import annotations

import re

from schemas.text import NOT_IN_LINE, NOT_IN_LINES, control
from streams.duty.refusals import Invalid

TEXT_LENGTH, REASON_LENGTH, NAME_LENGTH = 10_000, 500, 100
_IN_LINE, _IN_LINES = f"[^{NOT_IN_LINE}]", f"[^{NOT_IN_LINES}]"
_UNSEEN = r"\u00ad\u034f\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0"
_SEEN = rf"[^\s{NOT_IN_LINE}{_UNSEEN}]"
LINES, LINE = rf"^{_IN_LINES}*$", rf"^{_IN_LINE}*$"
"""The same as patterns of JSON Schema: a text of lines, one line."""
SAID, SAID_IN_LINE = rf"^{_IN_LINES}*{_SEEN}{_IN_LINES}*$", rf"^{_IN_LINE}*{_SEEN}{_IN_LINE}*$"
"""The same that must say something."""
PHONE, EMAIL = r"^[-+0-9 ]*$", r"^([!-?A-~]+@[!-?A-~]+)?$"
_seen = re.compile(_SEEN)


def wording(
    text: str, key: str, *, most: int = TEXT_LENGTH, lines: bool = True, optional: bool = False
) -> str:
    """The text without spaces around it; Invalid says what is wrong with it."""
    said = text.strip()
    if wrong := control(said, lines):
        raise Invalid(f"holds the character {wrong}, which no text may hold", key)
    if len(said) > most:
        raise Invalid(f"has {len(said):,} characters; {most:,} are the most", key)
    if not _seen.search(said):
        if said or not optional:
            raise Invalid("must say something", key)
        return ""
    return said


def address(text: str, key: str, pattern: str, most: int, such_as: str) -> str:
    """A phone number or an e-mail address, or nothing; Invalid where it is none."""
    if len(text) > most or not re.fullmatch(pattern[1:-1], text):
        raise Invalid(f"must be {such_as}, of at most {most} characters, or nothing", key)
    return text
