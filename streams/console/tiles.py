"""The tile grid of the one screen: every city and county at a place of its own, laid out by hand.

`tiles.csv` places each on a grid, neighbours beside neighbours as far as a grid allows; a city's own tile
stands among its counties.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import Misdeclared
from schemas.regions import Region, Regions

TILES = Path(__file__).parent / "tiles.csv"
COLUMNS = ("code", "column", "row")


@dataclass(frozen=True)
class Tile:
    """A region's place on the grid, counted from 0 at the top left."""

    region: Region
    column: int
    row: int


def load_tiles(regions: Regions, path: Path = TILES) -> tuple[Tile, ...]:
    """A tile for each city and county, by code; one that is missing, twice or off the tree is Misdeclared."""
    where = path.name
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise Misdeclared(where, "header", f"must be {','.join(COLUMNS)}")
        tiles = [_tile(row, regions, where) for row in rows]
    places: dict[tuple[int, int], str] = {}
    for tile in tiles:
        taken = places.setdefault((tile.column, tile.row), tile.region.code)
        if taken != tile.region.code:
            raise Misdeclared(where, tile.region.code, f"stands where {taken} stands")
    wanted = {region.code for region in (*regions.cities, *regions.counties)}
    if len(tiles) != len(wanted) or {tile.region.code for tile in tiles} != wanted:
        missing = sorted(wanted - {tile.region.code for tile in tiles})
        raise Misdeclared(where, ", ".join(missing) or "code", "each city and county must stand there once")
    return tuple(sorted(tiles, key=lambda tile: tile.region.code))


def _tile(row: dict[str, str], regions: Regions, where: str) -> Tile:
    region = regions.get(row["code"])
    if region is None or region.level == "province":
        raise Misdeclared(where, row["code"], "is no city or county")
    if not (row["column"].isdecimal() and row["row"].isdecimal()):
        raise Misdeclared(where, row["code"], "column and row must be whole numbers from 0")
    return Tile(region, int(row["column"]), int(row["row"]))
