"""Texts of events and people where only one line, or only ASCII, may stand: logs, subjects, headers. Pure."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from schemas.text import HALVES, NOT_IN_LINE

CODED, DIGEST = "UTF-8''", "sha256="
"""How a header's value begins that is percent-encoded (RFC 8187), or too long and therefore a digest."""
LONGEST = 512
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ATTRIBUTE = "!#$&+-.^_`|~"
"""What RFC 8187 leaves as it is beside letters and digits."""
_ATOM = "!#$&'*+-/=?^_`{|}~."
_BREAKS = re.compile(f"[{NOT_IN_LINE}]+")
"""Control characters, breaks of lines, and what turns the direction in which a line is read."""
_SURROGATES = re.compile(f"[{HALVES}]")


def one_line(text: object) -> str:
    """As one line that shows what it says: no control character, no turned direction, no half character."""
    said = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", str(text)))
    return " ".join(said.split())


def header_value(text: str) -> str:
    """A text as the value of an HTTP header, different for different texts.

    Printable ASCII stays as it is; anything else is `UTF-8''` and percent-encoded UTF-8 (RFC 8187); what is longer
    than 512 characters then is `sha256=` and the hex SHA-256 of its UTF-8: servers refuse long headers.
    """
    raw = text.encode("utf-8", "surrogatepass")
    plain = _PLAIN.fullmatch(text) and not text.startswith((CODED, DIGEST))
    said = text if plain else CODED + quote(raw, safe=_ATTRIBUTE)
    return said if len(said) <= LONGEST else DIGEST + sha256(raw).hexdigest()


def header_text(value: str) -> str:
    """The text of a header's value; a digest, and what cannot be read, stay as they are."""
    if not value.startswith(CODED):
        return value
    try:
        return unquote_to_bytes(value.removeprefix(CODED)).decode()
    except UnicodeDecodeError:
        return value


def message_atom(text: str) -> str:
    """A text as the left part of a Message-ID (RFC 5322), different for different texts."""
    said = quote(text.encode("utf-8", "surrogatepass"), safe=_ATOM)
    if ".." in said or said.startswith(".") or said.endswith("."):
        said = said.replace(".", "%2E")
    return (
        said
        if len(said) <= LONGEST
        else f"sha256-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    )
