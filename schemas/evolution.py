"""How a contract may change: what breaks those who send a feed or read it, against the last released contract.

A change is breaking where an event that was accepted may now be rejected, or where what is read has another
meaning, type or place. Then the feed needs a new major version and a new topic, as events of both stand in the
log. Everything else is compatible and needs a higher version before it is released. Each major version is compared
with the same one as released; a new one with that which was the newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.contract_model import CLASSIFICATIONS, Contract, Field
from schemas.succession_yaml import ENDS, SINCE

RETIRED, UPGRADE = "retired", "upgrade"
NUMBER = tuple[int, int, int]


@dataclass(frozen=True)
class Change:
    """One difference of a contract from its last release: `where` a field or key, `what` in words."""

    where: str
    what: str
    breaking: bool


@dataclass(frozen=True)
class Evolution:
    """One feed: the versions released and at hand (empty where there is none), and what differs.

    `problems` say why it may not stand so; `needs` is what to do before it can be released.
    """

    feed: str
    released: str
    version: str
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    needs: str = ""


def evolve(
    released: Mapping[str, Contract], contracts: Mapping[str, Contract], now: datetime
) -> list[Evolution]:
    """Every feed of either side, and each of its major versions, by name."""
    before = {contract.event_type: contract for contract in released.values()}
    here = {contract.event_type for contract in contracts.values()}
    found, compared = [], set[str]()
    for feed, after in contracts.items():
        old = before.get(after.event_type) or (None if after.older else released.get(feed))
        found.append(_compared(old, after) if old else Evolution(feed, "", after.version))
        compared |= {old.event_type} if old else set()
    for feed, gone in released.items():
        if gone.event_type not in here | compared:
            removed = _removed(gone, now)
            found.append(replace(removed, feed=gone.event_type) if feed in contracts else removed)
    return sorted(found, key=lambda item: item.feed)


def changes(before: Contract, after: Contract) -> list[Change]:
    """What differs in what the contract promises; texts, examples and file mappings promise nothing."""
    known = {field.name: field for field in before.fields}
    found = [*_keys(before, after)]
    for name, field in known.items():
        if name not in {other.name for other in after.fields}:
            found.append(Change(name, "the field was removed", breaking=True))
        else:
            found.extend(_field(field, after.field(name)))
    for field in after.fields:
        if field.name not in known:
            word = "a required field was added" if field.required else "an optional field was added"
            found.append(Change(field.name, word, breaking=field.required))
    return found


def _compared(before: Contract, after: Contract) -> Evolution:
    found = changes(before, after)
    broken = [change for change in found if change.breaking and change.where not in (ENDS, UPGRADE)]
    old, new = number(before.version), number(after.version)
    major = new[0] > old[0]
    problems, needs = [], ""
    if new < old:
        problems.append(f"version {after.version} is lower than the released {before.version}")
    if before.sunset and after.sunset and after.sunset.ends < before.sunset.ends:
        day = before.sunset.last_day
        problems.append(f"is promised until {day}: an end may be put off, not brought forward")
    if before.sunset and before.upgrade and after.sunset and not after.upgrade:
        day = before.sunset.last_day
        problems.append(f"upgrade: is promised until {day}: it may be changed, not taken away")
    if major and after.topic == before.topic:
        problems.append(f"a new major version needs a new topic, not {after.topic}")
    if not major and after.topic != before.topic:
        problems.append(f"another topic ({before.topic} before) needs a new major version, {old[0] + 1}.0.0")
    elif broken and not major:
        problems.append(f"breaking: needs a new major version, {old[0] + 1}.0.0, and a new topic")
    elif found and new == old:
        needs = f"a higher version, such as {old[0]}.{old[1] + 1}.0"
    return Evolution(after.feed, before.version, after.version, tuple(found), tuple(problems), needs)


def _removed(before: Contract, now: datetime) -> Evolution:
    if before.sunset is not None:
        day = before.sunset.last_day
        early = f"breaking: {before.event_type} is promised until {day}; remove it after that day"
        problems = () if before.sunset.over(now) else (early,)
        return Evolution(before.feed, before.version, "", problems=problems)
    if before.status == RETIRED:
        return Evolution(before.feed, before.version, "")
    problem = f"a released feed was removed: release it with status {RETIRED} first"
    return Evolution(before.feed, before.version, "", problems=(problem,))


def number(version: str) -> NUMBER:
    """The version as numbers."""
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def _keys(before: Contract, after: Contract) -> Iterator[Change]:
    if before.subject != after.subject:
        yield _other("subject", "|".join(before.subject), "|".join(after.subject), breaking=True)
    if before.region_field != after.region_field:
        yield _other("region.field", before.region_field, after.region_field, breaking=True)
    elif before.region_levels != after.region_levels:
        fewer = bool(set(before.region_levels) - set(after.region_levels))
        old, new = ", ".join(before.region_levels), ", ".join(after.region_levels)
        yield _other("region.levels", old, new, breaking=fewer)
    if before.skew != after.skew:
        yield _other("skew", before.skew, after.skew, breaking=after.skew < before.skew)
    for name in ("topic", "department", "lateness", "retention", "horizon", "licence", "status"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield _other(name, old, new, breaking=False)
    if after.older:
        yield from _succession(before, after)


def _succession(before: Contract, after: Contract) -> Iterator[Change]:
    """What an older major version says of its end, and of its events' way into the next one."""
    for name, day in ((SINCE, "first_day"), (ENDS, "last_day")):
        old, new = (getattr(each.sunset, day) if each.sunset else None for each in (before, after))
        if old != new:
            yield _other(name, old, new, breaking=name == ENDS and bool(old and new and new < old))
    if before.upgrade and not after.upgrade:
        yield Change(UPGRADE, "was removed: the newer version has its events no more", breaking=True)
    elif after.upgrade and not before.upgrade:
        yield Change(UPGRADE, "was added: the newer version has its events from then on", breaking=False)
    olds, news = (each.upgrade.origins if each.upgrade else {} for each in (before, after))
    for name in sorted(olds.keys() | news.keys() if olds and news else ()):
        old, new = (str(found[name]) if name in found else None for found in (olds, news))
        if old != new:
            yield _other(f"{UPGRADE}.{name}", old or "as it was", new or "as it was", breaking=False)


def _field(before: Field, after: Field) -> Iterator[Change]:
    name = before.name
    for key in ("kind", "unit", "pseudonymised"):
        old, new = getattr(before, key), getattr(after, key)
        if old != new:
            yield _other(name, f"{key} {old or 'none'}", new, breaking=True)
    if before.required != after.required:
        word = "is required now" if after.required else "is optional now: readers meet nulls"
        yield Change(name, word, breaking=True)
    if before.classification != after.classification:
        hidden = CLASSIFICATIONS.index(after.classification) > CLASSIFICATIONS.index(before.classification)
        yield _other(name, f"classification {before.classification}", after.classification, breaking=hidden)
    yield from _form(before, after)
    yield from _lines(before, after)
    yield from _values(before, after)
    if before.kind == after.kind:
        yield from _bounds(before, after)


def _form(before: Field, after: Field) -> Iterator[Change]:
    if before.pattern != after.pattern:
        yield _other(
            before.name, f"pattern {before.pattern or 'any'}", after.pattern or "any", bool(after.pattern)
        )
    if before.max_length != after.max_length:
        shorter = after.max_length is not None and (
            before.max_length is None or after.max_length < before.max_length
        )
        yield _other(before.name, f"maxLength {before.max_length}", after.max_length, breaking=shorter)


def _lines(before: Field, after: Field) -> Iterator[Change]:
    if before.multiline != after.multiline:
        word = "may have several lines now" if after.multiline else "must have one line now"
        yield Change(before.name, word, breaking=not after.multiline)


def _values(before: Field, after: Field) -> Iterator[Change]:
    gone = [value for value in before.enum if value not in after.enum] if after.enum else []
    more = [value for value in after.enum if value not in before.enum] if before.enum else []
    if gone:
        yield Change(before.name, f"values were removed: {', '.join(gone)}", breaking=True)
    if more:
        yield Change(before.name, f"values were added: {', '.join(more)}", breaking=False)
    if bool(before.enum) != bool(after.enum):
        word = "only some values are allowed now" if after.enum else "any value is allowed now"
        yield Change(before.name, word, breaking=bool(after.enum))
    if before.missing != after.missing:
        marks = [value for value in after.missing if value not in before.missing]
        yield _other(before.name, f"missing {list(before.missing)}", list(after.missing), bool(marks))


def _bounds(before: Field, after: Field) -> Iterator[Change]:
    if _low(before) != _low(after):
        yield _other(before.name, _said(before), _said(after), breaking=_low(after) > _low(before))
    if before.maximum != after.maximum:
        top = float("inf")
        narrower = (top if after.maximum is None else after.maximum) < (
            top if before.maximum is None else before.maximum
        )
        yield _other(before.name, f"maximum {before.maximum}", after.maximum, breaking=narrower)


def _low(field: Field) -> tuple[float, bool]:
    """The lower bound, in the order of strictness: a bound that is itself excluded is the stricter one."""
    if field.exclusive_minimum is not None:
        return field.exclusive_minimum, True
    return (float("-inf") if field.minimum is None else field.minimum), False


def _said(field: Field) -> str:
    if field.exclusive_minimum is not None:
        return f"exclusiveMinimum {field.exclusive_minimum}"
    return f"minimum {field.minimum}"


def _other(where: str, before: Any, after: Any, breaking: bool) -> Change:
    old, new = ("none" if value in (None, "", (), []) else value for value in (before, after))
    return Change(where, f"{old} became {new}", breaking)
