"""Reading the cells of a row: the time an event occurred, and its data fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from schemas.intake import TimeOf, Value

_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?", re.ASCII)
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_FIRST_YEAR = 2
_PARSE = datetime.strptime  # the offset comes from the format or from the mapping
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_HOURS = ("%H", "%I", "%c", "%X", "%f")

Cells = Mapping[str, str]


def read_time(of: TimeOf, cells: Cells) -> datetime:
    """When the event of this row occurred, with offset; ValueError says why it cannot be told."""
    text = " ".join(cells[column] for column in of.columns)
    bare = not any(code in of.format for code in _HOURS) if of.format else is_date(text)
    try:
        found = _parse(text, of.format) if of.format else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"no time: {text[:60]!r} is not {of.format or 'ISO 8601'}") from None
    if bare and of.at is not None:
        found = datetime.combine(found, of.at, found.tzinfo)
    return _with_offset(found, text, of)


def _parse(text: str, form: str) -> datetime:
    """Read a time strictly: strptime takes day 366 of a common year for the next New Year, we do not."""
    found = _PARSE(text, form)
    if "%j" in form and _ZEROS.sub("", found.strftime(form)) != _ZEROS.sub("", text):
        raise ValueError(text)
    return found


def _with_offset(found: datetime, text: str, of: TimeOf) -> datetime:
    """Give the time its own offset, or the mapping's; ValueError where there is neither."""
    if found.tzinfo is None and of.offset is None:
        raise ValueError(f"no time: {text[:60]!r} carries no offset, and the mapping names none")
    aware = found if found.tzinfo is not None else found.replace(tzinfo=of.offset)
    if not _FIRST_YEAR <= aware.year < 9999:
        raise ValueError(f"no time: {text[:60]!r} is at the edge of the calendar")
    return aware


def is_date(text: str) -> bool:
    """Whether this is an ISO 8601 date without a time of day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_whole(text: str) -> int | None:
    """Whole number of 0 or more in this cell, else None (`12.0` is one, `-1` and `1_000` are not)."""
    found = _integer(text)
    return found if isinstance(found, int) and found >= 0 else None


def read_data(values: tuple[Value, ...], cells: Cells) -> dict[str, Any]:
    """Read the data of the event: empty cells leave their field out, unreadable ones stay text."""
    data: dict[str, Any] = {}
    for value in values:
        if value.constant is not None:
            data[value.field] = value.constant
        elif text := next(filter(None, (cells[column] for column in value.columns)), ""):
            data[value.field] = _READERS[value.kind](text)
    return data


def cell_of(value: Any) -> str:
    """Write a JSON value as the cell a CSV file would have for it."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _integer(text: str) -> int | str:
    return int(text.partition(".")[0]) if len(text) < 20 and _WHOLE.fullmatch(text) else text


def _number(text: str) -> float | str:
    try:
        found = float(text)
    except ValueError:
        return text
    return found if math.isfinite(found) and "_" not in text else text


def _boolean(text: str) -> bool | str:
    return _TRUTH.get(text.lower(), text)


_READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
