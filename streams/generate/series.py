"""Who has events: one series for each subject, and for each value of what it is split by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from schemas.contract_model import Contract
from schemas.regions import Region
from schemas.simulate.model import Made, Simulate, Weights
from streams.generate.model import Places


@dataclass(frozen=True)
class Series:
    """One series: the names a text may use, the data all its events share, how its fields are made."""

    name: str
    source: str
    city: str
    weight: float
    names: Mapping[str, str]
    fixed: Mapping[str, Any]
    own: tuple[Made, ...]


def all_series(contract: Contract, simulate: Simulate, places: Places) -> tuple[Series, ...]:
    """Every series of a feed, in the order in which those of one time stand in it."""
    return tuple(
        series
        for region, names in _subjects(simulate, places)
        for series in _split(contract, simulate, region, names)
    )


def _subjects(simulate: Simulate, places: Places) -> Iterator[tuple[Region, dict[str, str]]]:
    """Each subject's region and names."""
    subjects = simulate.subjects
    regions = {region.code: region for region in (*places.counties, *places.cities, places.province)}
    if subjects.named:
        for n, (id, code) in enumerate(subjects.named.items(), 1):
            if code in regions:
                yield regions[code], {**_of(regions[code]), "n": str(n), "subject": id}
        return
    level = {"county": places.counties, "city": places.cities, "province": (places.province,)}
    for region in level[subjects.level]:
        for n in range(1, subjects.count + 1):
            names = {**_of(region), "n": str(n)}
            if subjects.count <= len(ascii_uppercase):
                names["letter"] = ascii_uppercase[n - 1]
            id = subjects.id.render(names) if subjects.id else region.code
            yield region, {**names, "subject": id}


def _of(region: Region) -> dict[str, str]:
    return {"region": region.code, "city": region.parent if region.level == "county" else region.code}


def _split(contract: Contract, simulate: Simulate, region: Region, names: dict[str, str]) -> Iterator[Series]:
    names = {"letter": "", **names, "feed": contract.family}
    fixed: dict[str, Any] = {}
    if simulate.subjects.field:
        fixed[simulate.subjects.field] = names["subject"]
    if contract.region_field:
        fixed.setdefault(contract.region_field, region.code)
    values = simulate.split.of if simulate.split else {"": ()}
    for value, own in values.items():
        more = {simulate.split.field: value} if simulate.split else {}
        yield Series(
            name=".".join([names["subject"], *more.values()]),
            source=simulate.source.render(names),
            city=names["city"],
            weight=weight_of(simulate.weights, region),
            names=names,
            fixed={**fixed, **more},
            own=own,
        )


def weight_of(weights: Weights, region: Region) -> float:
    """What the means and rates of a region are multiplied by."""
    people = (region.population or 0) / 1e6 if weights.population else 1.0
    return people * (weights.mountain if region.mountain else 1.0) * weights.named.get(region.code, 1.0)
