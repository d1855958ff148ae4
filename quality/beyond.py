"""Checks that GX cannot say, as pure functions: what they compare comes in, what failed comes out in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

from quality.suites import Expectation
from schemas.fields import midnight
from schemas.gate import Gate
from schemas.regions import Regions

NAMED = 5


def expectations(gate: Gate, by: str = "") -> tuple[Expectation, ...]:
    """What a gate asks beyond GX, as parts of its suite; `by` is the column of regions."""
    found = [Expectation("quarantine_share", {"max_value": gate.quarantine})]
    if gate.drift_day is not None:
        found.append(Expectation("drift_day", {"max_value": gate.drift_day, "by": by}))
    if gate.drift_week is not None:
        found.append(Expectation("drift_week", {"max_value": gate.drift_week, "by": by}))
    if gate.complete:
        found.append(Expectation("regions_complete", {"levels": list(gate.complete), "by": by}))
    if gate.freshness is not None:
        found.append(Expectation("freshness", {"max_seconds": gate.freshness.total_seconds()}))
    return tuple(found)


def quarantine_share(gate: Gate, rows: int, quarantined: int) -> list[str]:
    """Whether too large a share of a day's rows is in quarantine."""
    every = rows + quarantined
    if quarantined <= gate.quarantine * max(1, every):
        return []
    return [f"quarantine_share: {quarantined} of {every} rows are in quarantine"]


def drift(gate: Gate, amounts: Mapping[date, float], day: date, what: str) -> list[str]:
    """Whether a day's amount is too far from that of the day or the week before; unknown days say nothing."""
    found = []
    for name, back, most in (("drift_day", 1, gate.drift_day), ("drift_week", 7, gate.drift_week)):
        before, now = amounts.get(day - timedelta(days=back)), amounts.get(day)
        if most is None or before is None or now is None or before == now:
            continue
        share = abs(now - before) / abs(before) if before else float("inf")
        if share > most:
            found.append(
                f"{name}: {now:g} {what}, {before:g} on {day - timedelta(days=back)}: {share:.0%} apart"
            )
    return found


def regions_complete(gate: Gate, there: Collection[str], regions: Regions) -> list[str]:
    """Whether every region of the declared levels is there; a city is where it or one of its counties is."""
    found = []
    for level in gate.complete:
        wanted = regions.cities if level == "city" else regions.counties
        known = set(there)
        if level == "city":
            known |= {city.code for code in there if (city := regions.city_of(code)) is not None}
        missing = [f"{region.code} {region.name}" for region in wanted if region.code not in known]
        if missing:
            more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
            names = ", ".join(missing[:NAMED]) + more
            found.append(
                f"regions_complete: {len(wanted) - len(missing)} of {len(wanted)} {level} regions;"
                f" missing {names}"
            )
    return found


def freshness(gate: Gate, day: date, partitions: Iterable[tuple[int, datetime]], now: datetime) -> list[str]:
    """Whether every partition had something at most `freshness` before the day's end (or now, if earlier)."""
    if gate.freshness is None:
        return []
    ended = midnight(day) + timedelta(days=1)
    due = min(ended, now) - gate.freshness
    return [
        f"freshness: partition {partition} last had something at {arrived:%Y-%m-%d %H:%M:%S %z}"
        for partition, arrived in partitions
        if arrived < due
    ]


def ranking_observed(rows: Iterable[tuple[str, float | None, int | None, int, bool]], sign: int) -> list[str]:
    """Whether ranks are those of observed regions alone: (region, shown value, rank, ranked, missing or imputed).

    Rows are of one level of one day. A missing or imputed region has no rank and moves nobody else's.
    """
    rows = list(rows)
    observed = sorted(
        (-sign * value, rank, ranked) for _, value, rank, ranked, odd in rows if not odd and value is not None
    )
    odd_ranked = [region for region, _, rank, _, odd in rows if odd and rank is not None]
    if odd_ranked:
        return [f"ranking_observed: {', '.join(odd_ranked[:NAMED])} ranked although missing or imputed"]
    values = sorted(value for value, _, _ in observed)
    wrong = [
        value for value, rank, ranked in observed if rank != values.index(value) + 1 or ranked != len(values)
    ]
    return [f"ranking_observed: {len(wrong)} ranks are not those of observed regions alone"] if wrong else []
