"""All that is wrong with one file is told at once: of rules, contracts and indicators."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.build.indicator import INDICATORS, load_indicator
from schemas.contract import FEEDS, load_contract, load_contracts
from schemas.declaration import Entry
from schemas.errors import Misdeclared, Rejected, SeveralMisdeclared, faults_of, together
from schemas.faults import Faults
from streams.watch.declare.load import RULES, load_rule
from streams.watch.declare.rule_yaml import parse_published

HIGH = RULES / "ecology" / "pm25-high.yaml"
AIR = FEEDS / "ecology" / "air-quality.yaml"
DAYS = INDICATORS / "ecology" / "good-air-days.yaml"


def changed(tmp_path: Path, path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of a declaration with these lines changed (patterns of whole lines)."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        text, times = re.subn(rf"(?m)^{old}$", lambda _, new=new: new, text, count=1)  # type: ignore[misc]
        assert times == 1, old
    copy = tmp_path / path.parent.name / path.name
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(text, encoding="utf-8")
    return copy


def faults(read: Callable[[], object]) -> list[str]:
    """The keys of all that is said, each fault one line of the whole."""
    with pytest.raises(Misdeclared) as told:
        read()
    errors = faults_of(told.value)
    assert str(told.value).splitlines() == [str(each) for each in errors]
    return [each.key for each in errors]


def rule(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    path = changed(tmp_path, HIGH, *changes)
    return faults(lambda: load_rule(path, load_contracts(), None))


def test_a_rule_says_all_of_its_form_and_whether_its_feed_is_there(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        ("version: .*", "version: one"),
        ("feed: .*", "feed: ecology.air"),
        ("duty_role: .*", "duty_rolle: x"),
        (r"title:.*", "title: {zh: 5}"),
    )
    assert found == ["duty_rolle", "duty_role", "version", "title.en", "title.zh", "feed"]


def test_a_rule_right_in_form_says_all_that_its_feed_makes_wrong(tmp_path: Path) -> None:
    quiet = 'quiet: [{from: "22:00", to: "22:00"}, {from: "01:00", to: "01:00"}]\nversion: 1'
    found = rule(tmp_path, ("version: .*", quiet), (r"subject: .*", "subject: nothing"))
    assert found == ["subject", "quiet[0].to", "quiet[1].to"]


def test_a_published_rule_is_one_line(tmp_path: Path) -> None:
    path = changed(tmp_path, HIGH, ("version: .*", "version: one"), ("feed: .*", "feed: 5"))
    with pytest.raises(Misdeclared) as told:
        parse_published(path.read_text(encoding="utf-8"), "f", load_contracts())
    assert len(str(told.value).splitlines()) == 1 and told.value.key == "version"


def test_a_contract_says_all(tmp_path: Path) -> None:
    path = changed(tmp_path, AIR, ("version: .*", "version: 1"), ("status: .*", "status: live"))
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"property: lateness", "property: latenes", text)
    path.write_text(text.replace("logicalType: number", "logicalType: numeric", 1), encoding="utf-8")
    found = faults(lambda: load_contract(path))
    assert found[0] == "version" and "status" in found and "customProperties.lateness" in found
    assert any(re.fullmatch(r"schema[.\[]0.*logicalType", key) for key in found)
    assert len(set(found)) == len(found)


def test_an_indicator_says_all(tmp_path: Path) -> None:
    path = changed(
        tmp_path, DAYS,
        ("period: .*", "period: week"), ("decimals: .*", "decimals: 99"), ("owner: .*", "ownr: x"),
        ("direction: .*", "direction: up"),
    )  # fmt: skip
    tables = [each.table for each in load_contracts().values()]
    assert faults(lambda: load_indicator(path, tables)) == [
        "ownr",
        "owner",
        "period",
        "decimals",
        "direction",
    ]


def test_of_a_wrong_value_its_parts_are_not_told_again() -> None:
    found = Faults()
    whole = Entry("f", "a", 5)
    found.note(whole.wrong("must be a mapping"), whole.at("b").wrong("must be given"), whole.wrong("again"))
    found.note(Entry("f", "ab", 5).wrong("another"), Entry("g", "a", 5).wrong("of another file"))
    with pytest.raises(SeveralMisdeclared) as told:
        found.end()
    assert [str(each) for each in told.value.errors] == [
        "f: a: must be a mapping", "f: ab: another", "g: a: of another file",
    ]  # fmt: skip


def test_what_is_no_fault_of_a_declaration_is_not_held_back_and_nothing_found_is_no_end() -> None:
    found = Faults()
    with pytest.raises(ZeroDivisionError), found:
        1 / 0  # noqa: B018
    found.end()
    assert not found


def test_faults_may_cross_processes() -> None:
    several = together([Misdeclared("a.yaml", "x", "wrong"), Misdeclared("b.yaml", "y", "wrong")])
    for error in (several, faults_of(several)[0], Rejected("pm25", "missing", "")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_all_of_ten_files_is_told_and_how_much_more_there_is() -> None:
    many = [Misdeclared(f"f{file}", f"k{key}", "wrong") for file in range(12) for key in range(3)]
    lines = str(together(many)).splitlines()
    assert len(lines) == 31 and lines[-1] == "and 6 more, in 2 other files"
