"""The region tree: one province, its 11 cities and their 90 counties, by GB/T 2260 code.

`regions.csv` holds codes and names as of 2023-06-30 (special zones that are no counties are not in it), the
26 mountain counties of the provincial policy, and the population of the Seventh National Census (reference
day 2020-11-01) within today's boundaries; counties sum to their city and cities to the province. Sources:
communiqués of the census by Zhejiang and by Hangzhou (whose districts were drawn anew in April 2021; the West
Lake scenic area counts to Xihu), and for the other cities the Tabulation on the 2020 China Population Census
by County (China Statistics Press, 2022), which lists Wenzhou's development zone apart from Longwan: here it
is part of it, as in the bureau's own tables.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import Misdeclared

REGIONS = Path(__file__).parent / "regions.csv"
PROVINCE = "330000"
REGION_LEVELS = ("city", "county")
"""What data come from; the province is the sum of them."""
COLUMNS = ("code", "name", "name_en", "level", "parent", "mountain", "population_2020")


@dataclass(frozen=True)
class Region:
    """One region; `population` is the census figure of 2020, None where there is none."""

    code: str
    name: str
    name_en: str
    level: str
    parent: str
    mountain: bool
    population: int | None


class Regions:
    """The tree of regions, read-only."""

    def __init__(self, regions: Collection[Region]) -> None:
        self._by_code = {region.code: region for region in regions}

    def get(self, code: str) -> Region | None:
        """The region of this code, or None."""
        return self._by_code.get(code)

    @property
    def all(self) -> tuple[Region, ...]:
        """Every region, by code."""
        return tuple(self._by_code.values())

    @property
    def province(self) -> Region:
        """The one province."""
        return self._of("province")[0]

    @property
    def cities(self) -> tuple[Region, ...]:
        """The cities, by code."""
        return self._of("city")

    @property
    def counties(self) -> tuple[Region, ...]:
        """The counties, districts and county-level cities, by code."""
        return self._of("county")

    def counties_of(self, city: str) -> tuple[Region, ...]:
        """The counties of a city, by code."""
        return tuple(region for region in self.counties if region.parent == city)

    def city_of(self, code: str) -> Region | None:
        """The city a county lies in (a city is its own); None for the province and unknown codes."""
        region = self._by_code.get(code)
        if region is None or region.level == "province":
            return None
        return region if region.level == "city" else self._by_code[region.parent]

    def codes(self, levels: Collection[str]) -> frozenset[str]:
        """The codes of all regions of these levels."""
        return frozenset(region.code for region in self._by_code.values() if region.level in levels)

    def _of(self, level: str) -> tuple[Region, ...]:
        return tuple(region for region in self._by_code.values() if region.level == level)


def load_regions(path: Path = REGIONS) -> Regions:
    """The tree in a CSV file; a wrong row is Misdeclared."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise Misdeclared(str(path), "header", f"must be {','.join(COLUMNS)}")
        regions: dict[str, Region] = {}
        for row in sorted(rows, key=lambda row: str(row["code"])):
            region = _region(row, str(path))
            _check(region, regions, str(path))
            regions[region.code] = region
    return Regions(regions.values())


def _region(row: dict[str, str], where: str) -> Region:
    if len(row) != len(COLUMNS) or None in row.values():
        raise Misdeclared(where, row["code"], f"must have {len(COLUMNS)} cells")
    people = row["population_2020"]
    if row["mountain"] not in ("0", "1") or (people and not people.isdecimal()):
        raise Misdeclared(
            where, row["code"], "mountain must be 0 or 1, population_2020 a whole number or empty"
        )
    return Region(
        code=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        level=row["level"],
        parent=row["parent"],
        mountain=row["mountain"] == "1",
        population=int(people) if people else None,
    )


def _check(region: Region, known: dict[str, Region], where: str) -> None:
    above = {"province": "", "city": "province", "county": "city"}
    if region.level not in above:
        raise Misdeclared(
            where, region.code, f"level must be one of {', '.join(above)}, not {region.level!r}"
        )
    parent = known[region.parent].level if region.parent in known else region.parent
    if parent != above[region.level]:
        raise Misdeclared(
            where, region.code, f"parent must be the code of its {above[region.level] or 'nothing'}"
        )
    if region.code in known or not (region.code.isdecimal() and len(region.code) == 6):
        raise Misdeclared(where, region.code, "code must be six digits and stand there once")
