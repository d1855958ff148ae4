"""Intake mappings: how the rows of a department's CSV file become events of a feed. Declared in the contract.

A mapping knows its file by the columns of `header` (a file may have more). Cells are text; an empty cell of
`data` leaves its field out, and a cell that cannot be read `as` its kind stays text, so that the contract
rejects it with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from itertools import pairwise

from schemas.declaration import Entry
from schemas.increase import Increase, read_increase
from schemas.template import Template, read_template

_PARSE = datetime.strptime  # only whether it can be read; the offset may be the mapping's
_TRIED = datetime(2024, 12, 31, 23, 59, 58, tzinfo=UTC)
KINDS = ("string", "integer", "number", "boolean")


@dataclass(frozen=True)
class TimeOf:
    """Where an event's time stands in a row.

    `columns` are joined by one space and read with `format` (strptime); an empty format means ISO 8601.
    `offset` holds where the text names none (required with a format); `at` is the time of day of a bare date.
    """

    columns: tuple[str, ...]
    format: str = ""
    offset: timezone | None = None
    at: time | None = None


@dataclass(frozen=True)
class Skip:
    """Rows whose `column` equals this text are not of this feed; they are counted and shown."""

    column: str
    equals: str


@dataclass(frozen=True)
class Value:
    """One data field: a constant, or the first of `columns` that is not empty, read as `kind`."""

    field: str
    columns: tuple[str, ...] = ()
    constant: str | int | float | bool | None = None
    kind: str = "string"


@dataclass(frozen=True)
class IntakeMapping:
    """One kind of CSV file of a feed. `name` is also the default timeline, `id` a template over columns."""

    name: str
    header: tuple[str, ...]
    source: str
    id: Template
    time: TimeOf
    data: tuple[Value, ...]
    skip: tuple[Skip, ...] = ()
    derive: tuple[Increase, ...] = ()

    def recognises(self, columns: Collection[str]) -> bool:
        """Whether a file with these columns is of this kind."""
        return set(self.header) <= set(columns)


def read_intake(entry: Entry, fields: Collection[str]) -> tuple[IntakeMapping, ...]:
    """The mappings under `intake` of a contract with these data fields; names are unique."""
    mappings = tuple(_mapping(item, fields) for item in entry.items())
    if len({mapping.name for mapping in mappings}) < len(mappings):
        raise entry.wrong("two mappings have one name; give each its own")
    return mappings


def _mapping(entry: Entry, fields: Collection[str]) -> IntakeMapping:
    parts = entry.mapping(["name", "header", "source", "id", "time", "data"], ["skip", "derive"])
    header = parts["header"].texts()
    increases = parts["derive"].mapping() if "derive" in parts else {}
    derive = tuple(read_increase(name, item, header) for name, item in increases.items())
    columns = (*header, *(item.name for item in derive))
    return IntakeMapping(
        name=parts["name"].text(),
        header=header,
        source=parts["source"].text(),
        id=_template(parts["id"], header),
        time=_time(parts["time"], header),
        data=tuple(_value(name, item, fields, columns) for name, item in parts["data"].mapping().items()),
        skip=tuple(_skip(item, header) for item in (parts["skip"].items() if "skip" in parts else ())),
        derive=derive,
    )


def _template(entry: Entry, header: Collection[str]) -> Template:
    found = read_template(entry, header, "column")
    if not found.names:
        raise entry.wrong("must name at least one column in braces, or every row would have one id")
    for (_, name), (between, following) in pairwise(found.pieces):
        if not between:
            raise entry.wrong(
                f"nothing stands between {{{name}}} and {{{following}}}, so two rows could have one id (1 and 23, "
                f"12 and 3); write {{{name}}}-{{{following}}}"
            )
    return found


def _time(entry: Entry, header: Collection[str]) -> TimeOf:
    if isinstance(entry.value, dict) and "column" in entry.value:
        parts = entry.mapping(["column"], ["offset", "at"])
        columns: tuple[str, ...] = (_column(parts["column"], header),)
        form = ""
    else:
        parts = entry.mapping(["format", "columns", "offset"], ["at"])
        columns = tuple(_known(parts["columns"], name, header) for name in parts["columns"].texts())
        form = _format(parts["format"])
    offset = _offset(parts["offset"]) if "offset" in parts else None
    at = _clock(parts["at"]) if "at" in parts else None
    return TimeOf(columns, form, offset, at)


def _format(entry: Entry) -> str:
    """A format of strptime, tried on a moment: what it cannot read would be found at the first row of a file."""
    form = entry.text()
    try:
        _PARSE(_TRIED.strftime(form), form)
    except (ValueError, LookupError, re.error) as error:
        raise entry.wrong(
            f"{form!r:.60} is no format of a time: {error}; write one such as %Y-%m-%d %H:%M"
        ) from None
    return form


def _offset(entry: Entry) -> timezone:
    try:
        found = datetime.strptime(entry.text(), "%z").utcoffset()
    except ValueError:
        found = None
    if found is None:
        raise entry.wrong(f'{entry.value!r} must be an offset such as "+08:00"')
    return timezone(timedelta(seconds=found.total_seconds()))


def _clock(entry: Entry) -> time:
    try:
        found = time.fromisoformat(entry.text())
    except ValueError:
        raise entry.wrong(f'{entry.value!r} must be a time of day such as "23:59:59"') from None
    if found.tzinfo is not None:
        raise entry.wrong("must carry no offset; `offset` names it")
    return found


def _skip(entry: Entry, header: Collection[str]) -> Skip:
    parts = entry.mapping(["column", "equals"], [])
    if not isinstance(parts["equals"].value, str):
        raise parts["equals"].wrong('must be text in quotes (cells are text); "" is an empty cell')
    return Skip(_column(parts["column"], header), parts["equals"].value)


def _value(field: str, entry: Entry, fields: Collection[str], columns: Collection[str]) -> Value:
    if field not in fields:
        raise entry.wrong(f"the contract has no such field; there are {', '.join(fields)}")
    parts = entry.mapping([], ["column", "first", "constant", "as"])
    if len(parts.keys() & {"column", "first", "constant"}) != 1:
        raise entry.wrong("must have exactly one of column, first, constant")
    if "constant" in parts:
        if "as" in parts or not isinstance(parts["constant"].value, str | int | float | bool):
            raise entry.wrong("a constant is a text, number or truth value, and has no `as`")
        return Value(field, constant=parts["constant"].value)
    kind = parts["as"].text(KINDS) if "as" in parts else "string"
    if "column" in parts:
        return Value(field, (_column(parts["column"], columns),), kind=kind)
    first = tuple(_known(parts["first"], name, columns) for name in parts["first"].texts())
    return Value(field, first, kind=kind)


def _column(entry: Entry, columns: Collection[str]) -> str:
    return _known(entry, entry.text(), columns)


def _known(entry: Entry, name: str, columns: Collection[str]) -> str:
    if name not in columns:
        raise entry.wrong(f"no column {name!r}; there are {', '.join(columns)}")
    return name
