"""Which files a case takes: a few kinds, each by media type, ending and content alike; all else is refused. Pure.

A file is opened by whoever deals with the case, by a double click. So its name must not lead to another program
than its content is for: a page or a script that calls itself a text is none of these kinds.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from streams.duty.refusals import WrongType

NAME_LENGTH = 200
_FORBIDDEN = frozenset('<>:"|?*')
"""Characters that mean something else than themselves in names on some systems."""
_MARKUP = re.compile(r"\ufeff?\s*<[a-z!?/%]", re.IGNORECASE)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_MOST_MEMBERS = 10_000


@dataclass(frozen=True)
class Kind:
    """A kind of file: the endings of its names, and what its content must be."""

    endings: tuple[str, ...]
    holds: Callable[[bytes], bool]


def check(name: str, media_type: str, content: bytes) -> str:
    """The media type of a file that is taken; WrongType says what it is not."""
    media_type = media_type.partition(";")[0].strip().lower()
    kind = KINDS.get(media_type)
    if kind is None:
        raise WrongType(f"{media_type!r} is not taken; these are: {', '.join(KINDS)}", "media_type")
    if PurePosixPath(name).suffix.lower() not in kind.endings:
        raise WrongType(f"a file of {media_type} must end with {' or '.join(kind.endings)}", "name")
    if not content:
        raise WrongType("the file is empty", "content")
    if not kind.holds(content):
        raise WrongType(f"the content is not {media_type}", "content")
    return media_type


def plain_name(name: str) -> str:
    """The file's name without folders and control characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip().rstrip(".")
    if not plain or len(plain) > NAME_LENGTH:
        raise WrongType(f"must be a file name of at most {NAME_LENGTH} characters", "name")
    if _FORBIDDEN & set(plain):
        raise WrongType(f"must hold none of {' '.join(sorted(_FORBIDDEN))}", "name")
    return plain


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(beginnings)


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def _is_text(content: bytes) -> bool:
    """UTF-8 without control characters, and no markup: a page stays one whatever its name says."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return not _MARKUP.match(text) and not any((c < " " and c not in "\t\n\r\f") or c == "\x7f" for c in text)


def _office(folder: str) -> Callable[[bytes], bool]:
    """An Office document: a ZIP with its own folder, and without macros."""

    def holds(content: bytes) -> bool:
        if not content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(BytesIO(content)) as file:
                names = file.namelist()
        except (zipfile.BadZipFile, UnicodeError, NotImplementedError, ValueError, OSError):
            return False
        own = any(name.startswith(folder) for name in names) and "[Content_Types].xml" in names
        macros = any(name.lower().endswith(("vbaproject.bin", ".exe", ".dll")) for name in names)
        return own and not macros and len(names) <= _MOST_MEMBERS

    return holds


KINDS = {
    "image/jpeg": Kind((".jpg", ".jpeg"), _begins(b"\xff\xd8\xff")),
    "image/png": Kind((".png",), _begins(b"\x89PNG\r\n\x1a\n")),
    "image/webp": Kind((".webp",), _is_webp),
    "application/pdf": Kind((".pdf",), _begins(b"%PDF-")),
    f"{_OFFICE}.wordprocessingml.document": Kind((".docx",), _office("word/")),
    f"{_OFFICE}.spreadsheetml.sheet": Kind((".xlsx",), _office("xl/")),
    "text/plain": Kind((".txt", ".log"), _is_text),
    "text/csv": Kind((".csv",), _is_text),
}
"""By media type."""
