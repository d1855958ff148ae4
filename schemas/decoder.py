"""The decoder of a feed: bytes in, a typed event or the reason of rejection out; never anything else.

The fast way is one msgspec call and the few checks it cannot make (regions, ranges of time, missing
markers). Only when that fails are the bytes read again, field by field, to find the exact reason
(`schemas/reasons.py`). Fields the contract does not know are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Literal, cast

import msgspec

from schemas.contract_model import Contract, Field
from schemas.event import LIVE, SPECVERSION
from schemas.fields import DATES, TIMES, TIMESTAMPS, Aware, data_struct
from schemas.reasons import Reasons
from schemas.regions import Regions, load_regions

NAME_LENGTH = 512
TIMELINE_LENGTH = 128

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
Reference = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH)]
Timeline = Annotated[str, msgspec.Meta(max_length=TIMELINE_LENGTH)]


class Event(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One accepted event. `time` is aware; `data` is a struct with the contract's fields as attributes."""

    id: Name
    source: Name
    time: Aware
    corrects: Reference = ""
    timeline: Timeline = LIVE
    data: Any


class Decoder:
    """Decodes the events of one contract; made once, since it compiles the contract."""

    __slots__ = ("_broken", "_decode", "_reasons", "struct")

    def __init__(self, contract: Contract, regions: Regions | None = None) -> None:
        data = data_struct(contract)
        self.struct = _event_struct(contract, data)
        codes = (regions or load_regions()).codes(contract.region_levels)
        self._decode: Callable[[bytes], Event] = msgspec.json.Decoder(self.struct).decode
        self._broken = _broken(contract, codes)
        self._reasons = Reasons(contract, codes, Event)

    def decode(self, raw: bytes) -> Event:
        """The event in these bytes; raises Rejected(field, rule, value) where they break the contract."""
        try:
            event = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise self._reasons.find(raw) from None
        if self._broken(event):
            raise self._reasons.find(raw)
        return event


def _event_struct(contract: Contract, data: type[msgspec.Struct]) -> type[Event]:
    members = [("specversion", Literal[SPECVERSION]), ("type", Literal[contract.event_type]), ("data", data)]
    name = data.__name__.removesuffix("Data") + "Event"
    struct = msgspec.defstruct(name, members, bases=(Event,), kw_only=True, frozen=True, gc=False)
    return cast(type[Event], struct)


def _broken(contract: Contract, codes: frozenset[str]) -> Callable[[Event], bool]:
    """What msgspec cannot check, as one function: whether an event breaks the contract all the same."""
    wrong = [check for field in contract.fields for check in _checks(field)]
    region = attrgetter(contract.region_field) if contract.region_field else None
    allowed = codes | {None}
    outside, (first, last) = _outside(TIMES), (TIMES[0].year, TIMES[1].year)

    def broken(event: Event) -> bool:
        time, data = event.time, event.data
        if not first < time.year < last and outside(time):
            return True
        if region is not None and region(data) not in allowed:
            return True
        # `any` would make a generator for each event, which costs more than the checks.
        for get, is_wrong in wrong:  # noqa: SIM110
            if is_wrong(get(data)):
                return True
        return False

    return broken


def _checks(field: Field) -> list[tuple[Callable[[Any], Any], Callable[[Any], bool]]]:
    get = attrgetter(field.name)
    checks: list[tuple[Callable[[Any], Any], Callable[[Any], bool]]] = []
    if field.missing:
        checks.append((get, frozenset(field.missing).__contains__))
    if field.kind == "timestamp":
        checks.append((get, _outside(TIMESTAMPS)))
    if field.kind == "date":
        checks.append((get, _outside(DATES)))
    return checks


def _outside(bounds: tuple[Any, Any]) -> Callable[[Any], bool]:
    """Whether a moment is outside; the year alone decides, but for moments a day from the bounds' years."""
    low, high = bounds
    first, last = low.year, high.year
    return lambda value: value is not None and not (first < value.year < last) and not low <= value <= high
