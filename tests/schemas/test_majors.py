"""Two major versions of one feed side by side: what they are called, what must hold, and how they may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import load_contracts
from schemas.contract_files import ContractFiles
from schemas.department_use import senders
from schemas.errors import Misdeclared
from schemas.evolution import evolve
from schemas.fields import SHANGHAI
from schemas.in_use import FILES, departments_of
from schemas.majors import majors, named, newer
from tests.majors import FEED, NEW, OLD, UPGRADE, Document, declare, newest, older, write

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def test_each_has_a_name_a_type_a_topic_and_a_table_of_its_own(tmp_path: Path) -> None:
    contracts = declare(tmp_path / "feeds")
    old, new = contracts[OLD], contracts[FEED]
    assert [each.event_type for each in majors(contracts.values(), FEED)] == [NEW, OLD]
    assert (old.event_type, old.topic, old.table) == (OLD, f"feed.{FEED}", "ecology_air_quality")
    assert (new.event_type, new.topic, new.table) == (NEW, f"feed.{FEED}.v2", "ecology_air_quality_v2")
    assert (old.older, new.older, old.family, new.family) == (True, False, FEED, FEED)
    assert newer(contracts.values(), old) is new and newer(contracts.values(), new) is None


def test_a_name_is_the_newest_and_an_event_type_one_of_them(tmp_path: Path) -> None:
    contracts = declare(tmp_path / "feeds")
    for known in (contracts, ContractFiles(tmp_path / "feeds")):
        found = [
            contract and contract.version for contract in (named(known, name) for name in (FEED, OLD, NEW))
        ]
        assert found == ["2.0.0", "1.1.0", "2.0.0"]
        assert named(known, f"{FEED}.v3") is named(known, "ecology.air") is named(known, "x.v2") is None


def test_its_last_day_is_a_whole_day_of_the_platform(tmp_path: Path) -> None:
    sunset = declare(tmp_path / "feeds")[OLD].sunset
    assert sunset is not None and sunset.last_day == date(2027, 6, 30)
    end = datetime(2027, 7, 1, tzinfo=SHANGHAI)
    assert (sunset.over(end - timedelta(milliseconds=1)), sunset.over(end)) == (False, True)
    assert sunset.headers == {"Deprecation": "@1767196800", "Sunset": "Wed, 30 Jun 2027 16:00:00 GMT"}


def test_departments_that_send_either_have_a_token(tmp_path: Path) -> None:
    contracts = declare(tmp_path / "feeds")
    assert "ecology" in senders([contracts[OLD]], departments_of(FILES))


def levels(found: Document, **dates: str) -> Document:
    return found | {"slaProperties": [{"property": name, "value": day} for name, day in dates.items()]}


WRONG: list[tuple[str, Callable[[Document], Any], str]] = [
    (
        "no end",
        lambda it: it | {"slaProperties": []},
        "slaProperties: an older major version must say since when",
    ),
    ("no levels", lambda it: {k: v for k, v in it.items() if k != "slaProperties"}, "property: endOfSupport"),
    (
        "no last day",
        lambda it: levels(it, endOfSupport="2026-01-01"),
        "must say its last day: - {property: endOf",
    ),
    (
        "an end before its beginning",
        lambda it: levels(it, endOfSupport="2026-01-01", endOfLife="2025-12-31"),
        "slaProperties[1].value: must not be before endOfSupport, 2026-01-01",
    ),
    (
        "a month for a day",
        lambda it: levels(it, endOfSupport="2026-01-01", endOfLife="2027-06"),
        "'2027-06' must be a day such as 2027-06-30",
    ),
    (
        "a day there is not",
        lambda it: levels(it, endOfSupport="2026-01-01", endOfLife="2027-06-31"),
        "'2027-06-31' must be a day",
    ),
    (
        "an end said twice",
        lambda it: (
            levels(it, endOfSupport="2026-01-01", endOfLife="2027-06-30")
            | {"slaProperties": [*levels(it, endOfLife="2027-06-30")["slaProperties"]] * 2}
        ),
        "slaProperties[1]: endOfLife is said twice",
    ),
    (
        "still active",
        lambda it: it | {"status": "active"},
        "status: of an older major version must be",
    ),
    (
        "another major",
        lambda it: it | {"version": "3.0.0"},
        "must be of major version 1, as air-quality.v1",
    ),
]


@pytest.mark.parametrize(("case", "edit", "words"), WRONG, ids=[case for case, _, _ in WRONG])
def test_what_an_older_version_must_say(
    case: str, edit: Callable[[Document], Document], words: str, tmp_path: Path
) -> None:
    with pytest.raises(Misdeclared) as caught:
        declare(tmp_path / "feeds", edit(older()))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert "air-quality.v1.yaml" in str(caught.value)


def test_an_older_version_stands_beside_a_newer_one(tmp_path: Path) -> None:
    declare(tmp_path / "feeds")
    (tmp_path / "feeds/ecology/air-quality.yaml").unlink()
    with pytest.raises(Misdeclared, match=r"v1\.yaml: version: stands beside no ecology\.air-quality"):
        load_contracts(tmp_path / "feeds")
    with pytest.raises(
        Misdeclared, match=r"1\.1\.0 is no older major version than that of air-quality\.yaml, 1\.0\.0"
    ):
        declare(tmp_path / "feeds", second=newest() | {"version": "1.0.0"})


def test_the_newest_says_nothing_of_an_upgrade(tmp_path: Path) -> None:
    wrong = newest()
    wrong["customProperties"].append({"property": "upgrade", "value": {"site": {"from": "site"}}})
    with pytest.raises(Misdeclared, match=r"upgrade: is for an older major version"):
        declare(tmp_path / "feeds", second=wrong)


def test_each_is_compared_with_the_same_as_released(tmp_path: Path) -> None:
    released, both = load_contracts(), declare(tmp_path / "feeds")
    first = {item.feed: item for item in evolve(released, both, NOW)}
    assert (first[FEED].released, first[FEED].version, first[FEED].problems) == ("1.0.0", "2.0.0", ())
    assert (first[OLD].released, first[OLD].version, first[OLD].problems) == ("1.0.0", "1.1.0", ())
    assert [(item.where, item.what) for item in first[OLD].changes] == [
        ("status", "active became deprecated"),
        ("endOfSupport", "none became 2026-01-01"),
        ("endOfLife", "none became 2027-06-30"),
        ("upgrade", "was added: the newer version has its events from then on"),
    ]
    assert not any(item.changes or item.problems for item in evolve(both, both, NOW))
    narrower = replace(both[OLD], skew=timedelta(0), version="1.2.0")
    found = {item.feed: item for item in evolve(both, both | {OLD: narrower}, NOW)}
    assert found[OLD].problems == ("breaking: needs a new major version, 2.0.0, and a new topic",)
    assert found[FEED].problems == ()


def test_an_end_is_put_off_not_brought_forward(tmp_path: Path) -> None:
    both = declare(tmp_path / "feeds")
    said = "is promised until 2027-06-30: an end may be put off, not brought forward"
    for ends, problems in (("2027-12-31", ()), ("2027-06-29", (said,))):
        moved = declare(tmp_path / ends, older(ends) | {"version": "1.2.0"})
        (found,) = (item for item in evolve(both, moved, NOW) if item.feed == OLD)
        assert found.problems == problems


def test_what_is_said_of_the_end_and_of_the_upgrade_is_a_change(tmp_path: Path) -> None:
    """It changes what senders are told and what readers of the newer version get; so it takes a version."""
    both = declare(tmp_path / "feeds")

    def compared(name: str, edit: Callable[[Document], Document]) -> Any:
        moved = declare(tmp_path / name, edit(older()))
        (found,) = (item for item in evolve(both, moved, NOW) if item.feed == OLD)
        return [(each.where, each.what, each.breaking) for each in found.changes], found.problems, found.needs

    def edited(**upgrade: Any) -> Callable[[Document], Document]:
        return lambda it: older(upgrade=UPGRADE | upgrade) | {"version": it["version"]}

    needs = "a higher version, such as 1.2.0"
    milli = edited(pm25_mg={"from": "pm25", "factor": 0.002})
    said = ("upgrade.pm25_mg", "pm25 times 0.001 became pm25 times 0.002", False)
    assert compared("factor", milli) == ([said], (), needs)
    codes = edited(period={"from": "averaging", "values": {"1h": "day", "24h": "day"}})
    said = ("upgrade.period", "averaging by 1h: hour, 24h: day became averaging by 1h: day, 24h: day", False)
    assert compared("values", codes) == ([said], (), needs)
    more = edited(aqi={"default": 1})
    assert compared("more", more) == ([("upgrade.aqi", "as it was became default 1", False)], (), needs)
    later = levels(older(), endOfSupport="2026-02-01", endOfLife="2027-06-30")
    said = ("endOfSupport", "2026-01-01 became 2026-02-01", False)
    assert compared("since", lambda it: later) == ([said], (), needs)
    said = ("endOfLife", "2027-06-30 became 2027-12-31", False)
    assert compared("put off", lambda it: older("2027-12-31")) == ([said], (), needs)
    sooner, problems, _ = compared("forward", lambda it: older("2027-06-29"))
    assert sooner == [("endOfLife", "2027-06-30 became 2027-06-29", True)] and len(problems) == 1
    gone, problems, _ = compared("gone", lambda it: older(upgrade=None))
    assert gone == [("upgrade", "was removed: the newer version has its events no more", True)]
    assert problems == ("upgrade: is promised until 2027-06-30: it may be changed, not taken away",)


def test_an_upgrade_may_be_added_later(tmp_path: Path) -> None:
    apart = declare(tmp_path / "apart", older(upgrade=None))
    both = declare(tmp_path / "both", older() | {"version": "1.2.0"})
    (found,) = (item for item in evolve(apart, both, NOW) if item.feed == OLD)
    assert ([each.where for each in found.changes], found.problems, found.needs) == (["upgrade"], (), "")


def test_an_older_version_goes_after_its_last_day(tmp_path: Path) -> None:
    both = declare(tmp_path / "feeds")
    alone = {feed: contract for feed, contract in both.items() if feed != OLD}
    said = [
        [item.problems for item in evolve(both, alone, at) if item.feed == OLD]
        for at in (NOW, datetime(2027, 7, 1, tzinfo=SHANGHAI))
    ]
    early = "breaking: ecology.air-quality.v1 is promised until 2027-06-30; remove it after that day"
    assert said == [[(early,)], [()]]


def test_a_feed_of_one_version_may_still_change_to_the_next_alone(tmp_path: Path) -> None:
    write(tmp_path, "air-quality", newest())
    after = load_contracts() | load_contracts(tmp_path)
    (found,) = (item for item in evolve(load_contracts(), after, NOW) if item.feed == FEED)
    assert (found.problems, found.needs) == ((), "")


def test_a_service_level_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    wrong = older() | {"slaProperties": [{"property": ["endOfLife"], "value": "2027-06-30"}]}
    with pytest.raises(Misdeclared, match=r"air-quality\.v1\.yaml: slaProperties"):
        declare(tmp_path / "feeds", wrong)


def test_the_newest_does_not_vanish_unnoticed(tmp_path: Path) -> None:
    """An older version that is put back in the place of the newest is compared with itself as released."""
    both = declare(tmp_path / "feeds")
    (found,) = (item for item in evolve(both, load_contracts(), NOW) if item.feed == NEW)
    assert found.problems == ("a released feed was removed: release it with status retired first",)
