"""Files: what kind they are, which mapping knows them, and rows that are none."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import Misdeclared
from streams.intake.files import inspect, mapped, read_table
from streams.intake.mapping import Outgoing, Skipped, Unreadable
from tests.streams.intake.feeds import AIR, CNEMC, air, document

HEADER = "city_code,city,year,day_index,pm25\n"
ROW = "330100,杭州,2014,1,83.8\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def events(path: Path) -> list[object]:
    return list(mapped(AIR, inspect(AIR, path), Counter()))


def test_a_csv_file_is_known_by_its_header(tmp_path: Path) -> None:
    source = inspect(AIR, write(tmp_path / "a.csv", HEADER + ROW))
    assert (source.mapping, source.timeline) == (CNEMC, "cnemc-daily")
    rows = Counter[str]()
    (event,) = mapped(AIR, source, rows)
    assert document(event)["data"]["pm25"] == 83.8
    assert rows == {"a.csv": 1}


@pytest.mark.parametrize(
    "content",
    [
        ("\ufeff" + HEADER + ROW).encode(),
        (HEADER + ROW).encode("gb18030"),
        (HEADER + ROW).replace(",", ";").encode(),
        (HEADER + ROW).replace(",", "\t").encode(),
        (HEADER + ROW).replace("\n", "\r\n").replace(",", " , ").encode(),
        ("more," + HEADER + '"a, b",' + ROW).encode(),
    ],
    ids=["mark", "gb18030", "semicolon", "tab", "spaces", "quoted"],
)
def test_the_ways_departments_write_csv(tmp_path: Path, content: bytes) -> None:
    (event,) = events(write(tmp_path / "a.csv", content))
    assert document(event)["id"] == "330100-2014-1"  # type: ignore[arg-type]


@pytest.fixture
def usual_limit() -> Iterator[None]:
    """Python's own limit of a cell, whatever a library has made of it."""
    before = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("usual_limit")
def test_rows_that_are_none_are_told_with_their_line(tmp_path: Path) -> None:
    content = HEADER + "330100,x\n\n" + ROW + f'330100,"{"y" * 200_000}",2014,2,1\n'
    short, blank, good, long = events(write(tmp_path / "a.csv", content))
    assert short == Unreadable(2, "2 cells where the header has 5")
    assert blank == Skipped(3, "blank line")
    assert isinstance(good, Outgoing)
    assert long == Unreadable(5, "no row: field larger than field limit (131072)")


def test_json_lines_are_known_by_suffix_or_first_line(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.ndjson", "a.txt"):
        source = inspect(AIR, write(tmp_path / name, b"\xef\xbb\xbf" + air("1") + b"\n"))
        assert (source.mapping, source.timeline) == (None, "a")
        (event,) = mapped(AIR, source, Counter())
        assert document(event)["timeline"] == "a"


def test_the_identity_is_feed_mapping_timeline_and_content(tmp_path: Path) -> None:
    one = inspect(AIR, write(tmp_path / "a.csv", HEADER + ROW))
    same = inspect(AIR, write(tmp_path / "b.csv", HEADER + ROW))
    other = inspect(AIR, write(tmp_path / "c.csv", HEADER + ROW + ROW))
    assert one.identity(AIR.feed) == same.identity(AIR.feed)
    others = [other.identity(AIR.feed), one.identity("x.y"), replace(one, timeline="t").identity(AIR.feed)]
    assert len({one.identity(AIR.feed), *others}) == 4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2\n", "cnemc-daily misses the columns city_code, city, year, day_index, pm25"),
        (b"city_code,city,year,day_index,pm25,pm25\n", "the column pm25 stands there twice"),
        (b"\xff\xff\xff", "neither UTF-8 nor GB 18030"),
    ],
)
def test_a_file_no_mapping_knows_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(Misdeclared, match=problem):
        inspect(AIR, write(tmp_path / "a.csv", content))


def test_a_file_that_is_not_there_a_feed_without_mappings_and_a_long_timeline(tmp_path: Path) -> None:
    with pytest.raises(Misdeclared, match="cannot be read: No such file"):
        inspect(AIR, tmp_path / "a.csv")
    with pytest.raises(Misdeclared, match="cannot be read: Is a directory"):
        inspect(AIR, tmp_path)
    with pytest.raises(Misdeclared, match="send JSON lines"):
        inspect(replace(AIR, intake=()), write(tmp_path / "a.csv", HEADER))
    with pytest.raises(Misdeclared, match="at most 128 characters"):
        inspect(AIR, tmp_path / "a.csv", "t" * 129)


def test_the_table_counts_lines_not_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'a,b\n"1\n2",3\n4,5\n')
    assert list(read_table(path)) == [(1, ["a", "b"]), (3, ["1\n2", "3"]), (4, ["4", "5"])]
