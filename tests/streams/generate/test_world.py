"""What a generated world promises: same arguments, same bytes; the stated size; dirt that is what it says."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from streams.generate.model import Span, Tally
from streams.generate.report import planted
from streams.generate.world import make_world
from tests.streams.generate.world_of import UNTIL, Made, contracts, few_places, made, places, verdict

FEEDS = ("ecology.air-quality", "health.infectious-disease", "governance.citizen-request")
EVERYWHERE = {"duplicate", "late", "broken-json", "out-of-range", "unknown-region", "wrong-type"}


@pytest.fixture(scope="module")
def month() -> Made:
    return made(days=30, seed=11)


@dataclass(frozen=True)
class Name:
    source: str
    id: str


def _name(raw: bytes) -> Name:
    event = json.loads(raw)
    return Name(event["source"], event["id"])


def test_the_same_arguments_make_the_same_bytes_and_another_seed_others() -> None:
    where = few_places(1)
    first, again, other = made(8, 3, where), made(8, 3, where), made(8, 4, where)
    assert first == again
    for feed in FEEDS:
        assert [line.raw for line in first.lines[feed]] != [line.raw for line in other.lines[feed]]


def test_two_runs_on_one_platform_have_no_id_in_common() -> None:
    where = few_places(1)
    worlds = [made(5, 3, where), made(5, 4, where), made(6, 3, where)]
    ids = [
        {_name(line.raw) for line in world.lines["health.infectious-disease"] if verdict_known(line.raw)}
        for world in worlds
    ]
    assert not ids[0] & ids[1] and not ids[0] & ids[2]


def test_a_feed_is_made_up_the_same_whatever_major_version_it_is_of() -> None:
    """What was made as the newest version is made again with the same ids, when that is an older one."""
    where, feed = few_places(1), "ecology.air-quality"
    first = contracts()[feed]
    later = {"1.0.0": feed, "2.0.0": feed, "2.1.0": f"{feed}.v2"}
    worlds = [
        made(5, 3, where, feeds={name: replace(first, version=version, feed=name)}).lines[name]
        for version, name in later.items()
    ]
    found = [[_name(line.raw) for line in lines if not line.dirt] for lines in worlds]
    assert found[0] == found[1] == found[2] and len(found[0]) > 100


def verdict_known(raw: bytes) -> bool:
    return verdict("health.infectious-disease", raw) is None


def test_thirty_days_of_all_counties_are_some_three_hundred_thousand_events(month: Made) -> None:
    sizes = {feed: len(lines) for feed, lines in month.lines.items()}
    assert 300_000 <= sum(sizes.values()) <= 340_000, sizes
    assert {json.loads(line.raw)["data"]["region"] for line in month.lines[FEEDS[2]] if not line.dirt} == {
        county.code for county in places().counties
    }


def test_every_line_is_accepted_or_rejected_as_planted(month: Made) -> None:
    for feed, lines in month.lines.items():
        for line in lines:
            expected = (
                (line.dirt.field, line.dirt.rule) if line.dirt and line.dirt.outcome == "rejected" else None
            )
            assert verdict(feed, line.raw) == expected, line


def test_every_kind_of_dirt_is_there_in_every_feed(month: Made) -> None:
    for feed, lines in month.lines.items():
        kinds = Counter(line.dirt.kind for line in lines if line.dirt)
        assert set(kinds) >= EVERYWHERE, (feed, kinds)


def test_ids_are_unique_but_for_the_planted_duplicates(month: Made) -> None:
    for feed, lines in month.lines.items():
        seen: dict[Name, bytes] = {}
        for line in lines:
            if verdict(feed, line.raw) is not None:
                continue
            name = _name(line.raw)
            is_duplicate = line.dirt is not None and line.dirt.outcome == "duplicate"
            assert (name in seen) == is_duplicate, name
            assert seen.setdefault(name, line.raw) == line.raw


def test_ordinary_events_and_duplicates_are_never_late_and_late_ones_clearly_are(month: Made) -> None:
    for feed, lines in month.lines.items():
        lateness, clock = contracts()[feed].lateness, month.span.start
        for line in lines:
            if verdict(feed, line.raw) is not None:
                continue
            time = datetime.fromisoformat(json.loads(line.raw)["time"])
            outcome = line.dirt.outcome if line.dirt else ""
            if outcome == "late":
                assert clock - time > 1.5 * lateness, line
            elif outcome == "duplicate":
                assert clock - time <= lateness, line
            else:
                assert time >= clock, line
            clock = max(clock, time)


def test_late_lines_are_late_for_their_partition_too_even_with_one_a_city(month: Made) -> None:
    """A partition's watermark moves with its own events: look at each city as if it had its own."""
    for feed, lines in month.lines.items():
        clocks: dict[str, datetime] = {}
        for line in lines:
            if verdict(feed, line.raw) is not None:
                continue
            event = json.loads(line.raw)
            city, time = event["data"]["region"][:4], datetime.fromisoformat(event["time"])
            if line.dirt and line.dirt.outcome == "late":
                assert clocks[city] - time > contracts()[feed].lateness, line
            clocks[city] = max(clocks.get(city, time), time)


def test_planted_json_counts_and_points_at_its_lines(month: Made) -> None:
    tallies = {feed: Tally() for feed in month.lines}
    for feed, lines in month.lines.items():
        for line in lines:
            tallies[feed].count(line)
    report = json.loads(json.dumps(planted(month.span, month.anomalies, tallies)))
    for feed, counts in report["counts"].items():
        lines = month.lines[feed]
        assert counts["lines"] == len(lines)
        assert counts["lines"] == counts["valid_unique"] + counts["duplicates"] + counts["rejected"]
        accepted = [line.raw for line in lines if verdict(feed, line.raw) is None]
        assert counts["valid_unique"] == len({_name(raw) for raw in accepted})
        assert counts["duplicates"] == len(accepted) - counts["valid_unique"]
        assert counts["late"] == sum(
            d["expected"] == {"late": True} for d in report["dirt"] if d["feed"] == feed
        )
    for dirt in report["dirt"]:
        line = month.lines[dirt["feed"]][dirt["line"] - 1]
        assert line.dirt is not None and line.dirt.kind == dirt["kind"]
        assert dirt["id"] is None or dirt["id"].encode() in line.raw


def test_a_span_without_room_plants_nothing_and_one_day_is_enough_to_generate() -> None:
    for days in (1, 2, 4):
        world = made(days, 5, few_places(1))
        assert world.anomalies == ()
        assert all(world.lines.values())


def test_a_span_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="days"):
        Span(0, UNTIL, 1)


def test_feeds_may_be_read_in_any_order() -> None:
    where, span = few_places(1), Span(6, UNTIL, 9)
    forward = {feed.name: list(feed.lines) for feed in make_world(contracts().values(), where, span).feeds}
    backward = {
        feed.name: list(feed.lines) for feed in reversed(make_world(contracts().values(), where, span).feeds)
    }
    assert forward == backward
