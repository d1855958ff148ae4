"""Checks that GX cannot say, as pure functions: what they compare comes in, findings come out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

from quality.suites import Expectation
from schemas.fields import midnight
from schemas.findings import Finding, Found
from schemas.gate import Gate
from schemas.regions import Regions

QUARANTINE, DRIFT_DAY, DRIFT_WEEK = "quarantine_share", "drift_day", "drift_week"
COMPLETE, FRESHNESS, RANKING = "regions_complete", "freshness", "ranking_observed"


def expectations(gate: Gate, by: str = "") -> tuple[Expectation, ...]:
    """What a gate asks beyond GX, as parts of its suite; `by` is the column of regions."""
    found = [Expectation(QUARANTINE, {"max_value": gate.quarantine})]
    if gate.drift_day is not None:
        found.append(Expectation(DRIFT_DAY, {"max_value": gate.drift_day, "by": by}))
    if gate.drift_week is not None:
        found.append(Expectation(DRIFT_WEEK, {"max_value": gate.drift_week, "by": by}))
    if gate.complete:
        found.append(Expectation(COMPLETE, {"levels": list(gate.complete), "by": by}))
    if gate.freshness is not None:
        found.append(Expectation(FRESHNESS, {"max_seconds": gate.freshness.total_seconds()}))
    return tuple(found)


def quarantine_share(gate: Gate, rows: int, quarantined: int) -> list[Finding]:
    """Whether too large a share of a day's rows is in quarantine."""
    every = rows + quarantined
    if quarantined <= gate.quarantine * max(1, every):
        return []
    return [_found(QUARANTINE, Found.QUARANTINED, rows=every, quarantined=quarantined)]


def drift(gate: Gate, amounts: Mapping[date, float], day: date, what: str) -> list[Finding]:
    """Whether a day's amount is too far from that of the day or the week before; unknown days say nothing."""
    found = []
    for name, back, most in ((DRIFT_DAY, 1, gate.drift_day), (DRIFT_WEEK, 7, gate.drift_week)):
        other = day - timedelta(days=back)
        before, now = amounts.get(other), amounts.get(day)
        if most is None or before is None or now is None or before == now:
            continue
        sides = {"now": now, "unit": what, "before": before, "day": other.isoformat()}
        share = abs(now - before) / abs(before) if before else float("inf")
        if share > most and not before:
            found.append(_found(name, Found.DRIFTED_FROM_NOTHING, **sides))
        elif share > most:
            found.append(_found(name, Found.DRIFTED, **sides, share=share))
    return found


def regions_complete(gate: Gate, there: Collection[str], regions: Regions) -> list[Finding]:
    """Whether every region of the declared levels is there; a city is where it or one of its counties is."""
    found = []
    for level in gate.complete:
        wanted = regions.cities if level == "city" else regions.counties
        known = set(there)
        if level == "city":
            known |= {city.code for code in there if (city := regions.city_of(code)) is not None}
        missing = [region.code for region in wanted if region.code not in known]
        if missing:
            counts = {"there": len(wanted) - len(missing), "wanted": len(wanted)}
            found.append(_found(COMPLETE, Found.REGIONS_MISSING, **counts, level=level, missing=missing))
    return found


def freshness(
    gate: Gate, day: date, partitions: Iterable[tuple[int, datetime]], now: datetime
) -> list[Finding]:
    """Whether every partition had something at most `freshness` before the day's end (or now, if earlier)."""
    if gate.freshness is None:
        return []
    ended = midnight(day) + timedelta(days=1)
    due = min(ended, now) - gate.freshness
    return [
        _found(FRESHNESS, Found.FELL_SILENT, partition=partition, arrived=arrived.isoformat())
        for partition, arrived in partitions
        if arrived < due
    ]


def ranking_observed(
    rows: Iterable[tuple[str, float | None, int | None, int, bool]], sign: int
) -> list[Finding]:
    """Whether ranks are those of observed regions alone: (region, shown value, rank, ranked, missing or imputed).

    Rows are of one level of one day. A missing or imputed region has no rank and moves nobody else's.
    """
    rows = list(rows)
    observed = sorted(
        (-sign * value, rank, ranked) for _, value, rank, ranked, odd in rows if not odd and value is not None
    )
    odd_ranked = [region for region, _, rank, _, odd in rows if odd and rank is not None]
    if odd_ranked:
        return [_found(RANKING, Found.RANKED_ALTHOUGH_MISSING, regions=odd_ranked)]
    values = sorted(value for value, _, _ in observed)
    wrong = [
        value for value, rank, ranked in observed if rank != values.index(value) + 1 or ranked != len(values)
    ]
    return [_found(RANKING, Found.RANKS_WRONG, count=len(wrong))] if wrong else []


def _found(check: str, what: Found, /, **given: object) -> Finding:
    return Expectation(check, {}).found(what, **given)
