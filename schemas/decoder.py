"""The decoder of a feed: bytes in, a typed event or the reason of rejection out; never anything else.

The fast way is one msgspec call and the few checks it cannot make (regions, ranges of time, missing markers,
control characters) or makes slowly (patterns). Only when that fails are the bytes read again, field by field, to
find the exact reason (`schemas/reasons.py`). Fields the contract does not know are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Literal, cast

import msgspec

from schemas.blanking import blanked
from schemas.contract_model import Contract, Field
from schemas.event import LIVE, NAME_LENGTH, SPECVERSION, Timeline
from schemas.fields import DATES, TIMES, TIMESTAMPS, Aware, anchored, checked_type, data_struct
from schemas.reasons import Reasons
from schemas.regions import Regions, load_regions
from schemas.text import BACKSLASH, DELETE, control, suspect

KNOWN = 1 << 16
KNOWN_LENGTH = 128
"""Texts of one field known to match its pattern: how many are kept, and how long they are, at most."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
Reference = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH)]


class Event(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One accepted event. `time` is aware; `data` is a struct with the contract's fields as attributes."""

    id: Name
    source: Name
    time: Aware
    corrects: Reference = ""
    timeline: Timeline = LIVE
    data: Any


class Decoder:
    """Decodes the events of one contract; made once, since it compiles the contract.

    `decode(raw)` gives the event in these bytes; raises Rejected(field, rule, value) where they break it.
    """

    __slots__ = ("decode", "struct")

    def __init__(self, contract: Contract, regions: Regions | None = None) -> None:
        self.struct = _event_struct(contract, data_struct(contract))
        codes = (regions or load_regions()).codes(contract.region_levels)
        self.decode = _decode(contract, codes, self.struct)


def _event_struct(contract: Contract, data: type[msgspec.Struct]) -> type[Event]:
    members = [("specversion", Literal[SPECVERSION]), ("type", Literal[contract.event_type]), ("data", data)]
    name = data.__name__.removesuffix("Data") + "Event"
    struct = msgspec.defstruct(name, members, bases=(Event,), kw_only=True, frozen=True, gc=False)
    return cast(type[Event], struct)


def _decode(contract: Contract, codes: frozenset[str], struct: type[Event]) -> Callable[[bytes], Event]:
    """What decodes and checks one event, as one function: calls would cost more than the checks they make."""
    read = msgspec.json.Decoder(struct).decode
    find = blanked(contract, Reasons(contract, codes, Event).find)
    wrong = [check for field in contract.fields for check in _checks(field, contract.region_field)]
    known = [_known(field) for field in contract.fields if field.pattern and not field.enum]
    region = attrgetter(contract.region_field) if contract.region_field else lambda data: None
    allowed = codes | {None}
    unfit = _unfit(contract)
    outside, (first, last) = _outside(TIMES), (TIMES[0].year, TIMES[1].year)

    def decode(raw: bytes) -> Event:
        try:
            event = read(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise find(raw) from None
        time, data = event.time, event.data
        if (not first < time.year < last and outside(time)) or region(data) not in allowed:
            raise find(raw)
        if (BACKSLASH in raw or DELETE in raw or not raw.isascii()) and suspect(raw) and unfit(event):
            raise find(raw)
        for get, is_wrong in wrong:
            if is_wrong(get(data)):
                raise find(raw)
        for get, good, fits in known:
            value = get(data)
            if value not in good:
                if not fits(value):
                    raise find(raw)
                if len(good) > KNOWN:
                    good.intersection_update((None,))
                if len(value) <= KNOWN_LENGTH:
                    good.add(value)
        return event

    return decode


def _known(field: Field) -> tuple[Callable[[Any], Any], set[str | None], Callable[[str], bool]]:
    """How to read a text with a pattern, texts known to match it, and what says whether another does.

    Codes of stations, hospitals and the like come again and again, and a search costs ten times a look-up. Blanks
    are no value of a required field, even where the pattern lets them through.
    """
    search = re.compile(anchored(field.pattern)).search

    def fits(value: str) -> bool:
        return search(value) is not None and not (field.required and value.isspace())

    return attrgetter(field.name), {None}, fits


def _unfit(contract: Contract) -> Callable[[Event], bool]:
    """Whether a text of an event has a character it must not have."""
    texts = [field for field in contract.fields if field.kind == "string" and not field.enum]
    fields = [(attrgetter(field.name), field.multiline) for field in texts]

    def unfit(event: Event) -> bool:
        if any(map(control, (event.id, event.source, event.corrects, event.timeline))):
            return True
        return any(control(get(event.data) or "", multiline) for get, multiline in fields)

    return unfit


def _checks(field: Field, region: str) -> list[tuple[Callable[[Any], Any], Callable[[Any], bool]]]:
    get = attrgetter(field.name)
    checks: list[tuple[Callable[[Any], Any], Callable[[Any], bool]]] = []
    if any(_possible(field, value) for value in field.missing):
        checks.append((get, frozenset(field.missing).__contains__))
    if (
        field.kind == "string"
        and field.required
        and not (field.enum or field.pattern or field.name == region)
    ):
        checks.append((get, str.isspace))
    if field.kind == "timestamp":
        checks.append((get, _outside(TIMESTAMPS)))
    if field.kind == "date":
        checks.append((get, _outside(DATES)))
    return checks


def _possible(field: Field, value: Any) -> bool:
    """Whether msgspec lets a value through that the field's bounds may exclude already."""
    try:
        msgspec.convert(value, checked_type(field))
    except msgspec.ValidationError:
        return False
    return True


def _outside(bounds: tuple[Any, Any]) -> Callable[[Any], bool]:
    """Whether a moment is outside; the year alone decides, but for moments a day from the bounds' years."""
    low, high = bounds
    first, last = low.year, high.year
    return lambda value: value is not None and not (first < value.year < last) and not low <= value <= high
