"""The region tree: counts, sums of the census, and errors of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import Misdeclared
from schemas.regions import COLUMNS, load_regions

REGIONS = load_regions()


def test_one_province_eleven_cities_ninety_counties() -> None:
    assert (len(REGIONS.cities), len(REGIONS.counties), len(REGIONS.all)) == (11, 90, 102)
    assert (REGIONS.province.code, REGIONS.province.name) == ("330000", "浙江省")


def test_names_and_codes_are_unique() -> None:
    assert len({region.code for region in REGIONS.all}) == len({region.name for region in REGIONS.all}) == 102
    assert all(region.name_en for region in REGIONS.all)


def test_the_code_of_a_county_begins_with_its_city_s() -> None:
    assert all(county.code[:4] == county.parent[:4] for county in REGIONS.counties)
    assert all(city.parent == "330000" and city.code.endswith("00") for city in REGIONS.cities)


def test_twenty_six_mountain_counties() -> None:
    mountain = {region.name_en for region in REGIONS.all if region.mountain}
    assert len(mountain) == 26
    assert {"Chun'an", "Jingning", "Kecheng", "Tiantai", "Cangnan"} <= mountain
    assert all(region.level == "county" for region in REGIONS.all if region.mountain)
    assert all(county.mountain for county in REGIONS.counties_of("331100"))


def test_populations_sum_to_the_census() -> None:
    assert REGIONS.province.population == 64_567_588
    assert sum(city.population or 0 for city in REGIONS.cities) == 64_567_588


@pytest.mark.parametrize("city", REGIONS.cities, ids=lambda city: city.name_en)
def test_the_counties_of_a_city_sum_to_it(city: object) -> None:
    counties = REGIONS.counties_of(getattr(city, "code", ""))
    assert sum(county.population or 0 for county in counties) == getattr(city, "population", None)


def test_looking_up() -> None:
    yuhang = REGIONS.get("330110")
    assert yuhang is not None
    assert (yuhang.name, yuhang.level) == ("余杭区", "county")
    assert REGIONS.get("310101") is None
    hangzhou = REGIONS.city_of("330110")
    assert hangzhou is not None
    assert hangzhou == REGIONS.city_of("330100") == REGIONS.get("330100")
    assert REGIONS.city_of("330000") is None
    assert REGIONS.city_of("3300y1") is None


def test_codes_by_level() -> None:
    assert len(REGIONS.codes(["city"])) == 11
    assert len(REGIONS.codes(["city", "county"])) == 101
    assert REGIONS.codes([]) == frozenset()


GOOD = "330000,浙江省,Zhejiang,province,,0,1\n330100,杭州市,Hangzhou,city,330000,0,\n"


def load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "regions.csv"
    path.write_text(text, encoding="utf-8")
    return load_regions(path)


def test_a_population_without_source_is_none(tmp_path: Path) -> None:
    regions = load(tmp_path, ",".join(COLUMNS) + "\n" + GOOD)
    assert [region.population for region in regions.all] == [1, None]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("330102,上城区,Shangcheng,county,330200,0,1", "330102: parent must be the code of its city"),
        ("330102,上城区,Shangcheng,county,330000,0,1", "330102: parent must be the code of its city"),
        ("330102,上城区,Shangcheng,town,330100,0,1", "330102: level must be one of province, city, county"),
        ("330102,上城区,Shangcheng,county,330100,2,1", "330102: mountain must be 0 or 1"),
        ("330102,上城区,Shangcheng,county,330100,0,1e6", "330102: mountain must be 0 or 1, population_2020"),
        ("330100,杭州市,Hangzhou,city,330000,0,1", "330100: code must be six digits and stand there once"),
        ("3301x2,上城区,Shangcheng,county,330100,0,1", "3301x2: code must be six digits"),
        ("330102,上城区", "330102: must have 7 cells"),
    ],
)
def test_a_wrong_row_is_misdeclared(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(Misdeclared) as caught:
        load(tmp_path, ",".join(COLUMNS) + "\n" + GOOD + row + "\n")
    assert problem in str(caught.value)


def test_a_wrong_header_is_misdeclared(tmp_path: Path) -> None:
    with pytest.raises(Misdeclared, match="header: must be code,name"):
        load(tmp_path, "code,name\n")
