"""Whether the parts of a home are of one moment, from what each of them says; and the marker of one that is up."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.local.marker import clear_due, clear_marker, left, set_due, set_marker
from deploy.local.supervisor import _reconcile
from deploy.local.torn import AGAIN, Said, beyond, ledger_beyond, tears
from deploy.ports import free_port
from schemas.settings import Settings
from streams.aside import read

WHOLE = Said(
    warnings={"w1", "w2", "w3"},
    pushes={"w1", "w2"},
    heard={"w1": "case 1", "w2": "case 1"},
    dispositions={"d1"},
    published={"d1"},
    known={"d1", "d2"},
)


def test_a_home_of_one_moment_is_not_torn_though_its_readers_are_behind() -> None:
    assert tears(WHOLE) == []


def test_what_has_no_warning_in_the_log_is_told_with_a_few_of_it() -> None:
    said = Said(
        warnings={"w1"},
        pushes={"w1", *(f"p{n}" for n in range(36))},
        heard={"w1": "case 1", "w8": "case 2", "w9": "case 2", "end": ""},
        dispositions=set(),
        published=set(),
        known=set(),
    )
    pushes, cases = tears(said)
    assert (pushes.number, pushes.examples) == (36, ("p0", "p1", "p10"))
    assert str(pushes).startswith(
        "36 pushes without a warning on warnings (p0, p1, p10, …): the log is older"
    )
    assert (cases.number, cases.examples) == (1, ("case 2",))
    assert not pushes.mended and not cases.mended


def test_dispositions_on_one_side_only_are_told_for_what_they_are() -> None:
    said = Said(set(), set(), {}, dispositions={"d1", "d9"}, published={"d1", "d2"}, known={"d1", "d2", "d3"})
    lost, unknown = tears(said)
    assert lost.examples == ("d2",) and lost.remedy == AGAIN
    assert unknown.examples == ("d9",) and "duty database is older" in unknown.remedy


def test_offsets_beyond_the_end_are_told_and_others_not() -> None:
    ends = {"warnings/0": 10, "warnings/1": 4}
    assert beyond("push", {"warnings/0": 10, "warnings/1": 0}, ends) is None
    tear = beyond("push", {"warnings/0": 11, "gone/0": 1}, ends)
    assert tear is not None and tear.examples == ("gone/0", "warnings/0")
    for group, said in (
        ("push", "from the beginning"),
        ("liaowang-watch", "begins these partitions anew"),
        ("liaowang-land", "goes by its ledger"),
        ("other", "restore all"),
    ):
        assert said in str(beyond(group, {"warnings/0": 11}, ends)), "each says what becomes of it"
    assert ledger_beyond([]) is None
    assert "restore the whole log" in str(ledger_beyond(["feed.x/0"]))


def test_a_home_stopped_cleanly_leaves_no_marker(tmp_path: Path) -> None:
    assert left(tmp_path) == ""
    set_marker(tmp_path, 1_800_000_000.0)
    assert left(tmp_path) == "this home was not stopped cleanly (it was up since 2027-01-15T08:00:00+00:00)"
    clear_marker(tmp_path)
    clear_marker(tmp_path)
    assert left(tmp_path) == ""


def test_a_copy_of_a_home_that_was_up_says_so(tmp_path: Path) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    set_marker(home, 1_800_000_000.0)
    shutil.copytree(home, copy)
    assert left(copy).startswith(
        f"this home is a copy of {home}, made while that one was up (since 2027-01-15"
    )
    (copy / "run" / "up.json").write_text("{")
    assert left(copy) == "this home was not stopped cleanly"


def test_a_comparison_that_is_due_stays_due_whatever_comes_between(tmp_path: Path) -> None:
    set_due(tmp_path, "this home is a copy of another")
    set_marker(tmp_path, 1_800_000_000.0)
    assert left(tmp_path) == "this home is a copy of another", "what is newer says less"
    clear_marker(tmp_path)
    assert left(tmp_path) == "this home is a copy of another", "a clean end compares nothing"
    clear_due(tmp_path)
    clear_due(tmp_path)
    assert left(tmp_path) == ""


def test_a_comparison_that_fails_is_set_aside_and_due_at_the_next_start(tmp_path: Path) -> None:
    home = Settings(home=tmp_path, kafka_port=free_port())
    said: list[str] = []
    _reconcile(home, "this home is a copy of another", said.append)
    set_marker(tmp_path, 1_800_000_000.0)
    assert said[0] == "this home is a copy of another" and said[-1].startswith("not compared: ")
    assert left(tmp_path) == "this home is a copy of another"
    record = read(tmp_path, "duty")
    assert record is not None and "was not compared: this home is a copy" in record.newest[0].what
    assert str(home.kafka_port) in record.newest[0].reason, "with the reason"
