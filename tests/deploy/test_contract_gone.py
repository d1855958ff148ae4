"""A contract does not go while a rule in force reads it: what the rule has open would stay so for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from deploy.rules.files import demand_unread
from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from streams.watch.publish.published import History
from tests.majors import FEED, OLD, declare
from tests.streams.watch.test_newest import moved, record


def refused(told: History, before: Mapping[str, Contract], after: Mapping[str, Contract]) -> str:
    try:
        demand_unread(lambda: told, before, after)
    except Misdeclared as error:
        return str(error)
    return ""


def test_a_version_goes_once_no_rule_in_force_reads_it(tmp_path: Path) -> None:
    both = declare(tmp_path / "feeds")
    alone = {name: contract for name, contract in both.items() if name != OLD}
    pinned = moved(History(), both, record(feed=OLD))
    said = (
        "ecology.air-quality.v1: feed: is declared no more, and test.rule@1 is in force and reads it: keep it"
    )
    assert refused(pinned, both, alone).startswith(said)
    words = {"subject": ["site"], "condition": {"kind": "threshold", "field": "pm25_mg"}}
    assert refused(moved(pinned, both, record(2, **words)), both, alone) == ""
    assert refused(moved(pinned, both, msgspec.structs.replace(record(), text="")), both, alone) == "", (
        "retired"
    )


def test_a_version_is_not_put_in_the_place_of_one_that_is_watched(tmp_path: Path) -> None:
    before = load_contracts()
    after = {name: contract for name, contract in declare(tmp_path / "feeds").items() if name != OLD}
    assert f"{OLD}: feed: is declared no more" in refused(moved(History(), before, record()), before, after)
    assert refused(History(), before, after) == ""
    assert FEED in after


def test_where_nothing_goes_nothing_is_asked(tmp_path: Path) -> None:
    demand_unread(lambda: pytest.fail("asked"), load_contracts(), declare(tmp_path / "feeds"))
