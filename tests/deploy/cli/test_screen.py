"""Tables on the screen: nothing of a cell is cut off, in a terminal or in a pipe."""

from __future__ import annotations

import pytest
from rich.table import Table

from deploy.cli.output import screen

ID = "ecology.an-id-that-is-longer-than-the-cell-of-a-narrow-terminal-would-be"


def table() -> Table:
    made = Table("indicator", "title", "owner")
    made.add_row(ID, "一个很长很长的指标名称，比终端还要宽", "ecology")
    return made


def test_a_narrow_terminal_gets_every_character(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    screen().print(table())
    shown = capsys.readouterr().out
    cells = "".join(line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│"))
    assert cells == ID
    assert "…" not in shown and all(len(line) <= 50 for line in shown.splitlines())


def test_in_a_pipe_an_id_stays_in_one_piece(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    screen().print(table())
    assert ID in capsys.readouterr().out
