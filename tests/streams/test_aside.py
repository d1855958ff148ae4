"""What is set aside is counted, bounded, told in one line, and there until somebody clears it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.aside import NEWEST, SHOWN, TOLD_EACH, Aside, clear, read, services

NOON = 1_750_000_000.0


def test_counts_on_after_a_restart_and_keeps_the_newest(tmp_path: Path) -> None:
    for number in range(NEWEST + 5):
        Aside(tmp_path, "push", lambda: NOON).add(f"push {number}", "no header holds it")
    record = read(tmp_path, "push")
    assert record is not None
    assert record.count == NEWEST + 5
    assert [item.what for item in record.newest] == [f"push {NEWEST + 4 - n}" for n in range(NEWEST)]
    assert str(record) == (
        f"{NEWEST + 5} set aside since 2025-06-15T15:06:40+00:00, the newest push {NEWEST + 4}: no header holds it"
    )


def test_is_there_until_it_is_cleared(tmp_path: Path) -> None:
    aside = Aside(tmp_path, "land", lambda: NOON)
    aside.add("a", "b")
    assert services(tmp_path) == ["land"]
    cleared = clear(tmp_path, "land")
    assert cleared is not None and cleared.count == 1
    assert read(tmp_path, "land") is None and services(tmp_path) == [] and clear(tmp_path, "land") is None
    aside.add("c", "d")
    again = read(tmp_path, "land")
    assert again is not None and again.count == 1


@given(text=st.text())
def test_any_text_is_one_printable_line(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    Aside(home, "watch", lambda: NOON).add(text, text)
    record = read(home, "watch")
    assert record is not None
    for told in (record.newest[0].what, record.newest[0].reason):
        assert len(told) <= SHOWN and (told.isprintable() or not told)


def test_a_flood_is_a_line_a_second_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = [NOON]
    aside = Aside(tmp_path, "duty", lambda: now[0])
    with caplog.at_level(logging.ERROR, "liaowang.aside"):
        for _ in range(TOLD_EACH + 100):
            aside.add("a message", "broken")
        assert len(caplog.records) == TOLD_EACH
        now[0] += 1.0
        aside.add("a message", "broken")
    assert caplog.records[-1].getMessage() == f"set aside a message: broken ({TOLD_EACH + 101} so far)"


def test_a_full_disk_is_said_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "aside").write_text("a file where the folder would be")
    with caplog.at_level(logging.ERROR, "liaowang.aside"):
        Aside(tmp_path, "duty", lambda: NOON).add("a message", "broken")
    said = [record.getMessage() for record in caplog.records]
    assert "set aside a message: broken (1 so far)" in said and "cannot be written" in said[-1]


def test_a_broken_file_is_counted_anew(tmp_path: Path) -> None:
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "push.json").write_bytes(b"{")
    Aside(tmp_path, "push", lambda: NOON).add("a", "b")
    record = read(tmp_path, "push")
    assert record is not None and record.count == 1
