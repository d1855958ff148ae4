"""Duty roles are one list: whoever names another is told file and key, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from schemas.nearest import unknown_names
from schemas.regions import load_regions
from schemas.roles import RESERVED, load_roles
from streams.duty.notify.channels.config import parse_channels
from streams.duty.rosters.desk import EXAMPLE
from streams.duty.rosters.roster_yaml import load_roster
from streams.duty.shifts.holes import ROLE
from streams.watch.declare.load import RULES, load_rules
from streams.watch.declare.rule_set import check_roles

ROSTER = (EXAMPLE / "roster.yaml").read_text(encoding="utf-8")
GOOD = "fallback: a\nroles:\n  - {role: a, title: {zh: 甲, en: A}}\n"


def test_every_rule_names_a_role_there_is_and_so_does_the_desk() -> None:
    check_roles(load_rules(load_contracts(), RULES, drafts=True))
    assert ROLE in load_roles() and load_roles().fallback in load_roles()
    assert not set(RESERVED) & set(load_roles().titles)


def test_a_new_department_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "roles.yaml"
    path.write_text(
        GOOD + "  - {role: flood-duty, title: {zh: 防汛值班, en: Flood duty}}\n", encoding="utf-8"
    )
    roles = load_roles(path)
    assert "flood-duty" in roles and roles.fallback == "a" and roles.titles["flood-duty"]["zh"] == "防汛值班"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("fallback: a", "fallback: b"), r"fallback: no such duty role: 'b'; there are a"),
        (GOOD + GOOD.splitlines()[-1], r"roles\[1\]\.role: 'a' stands there twice"),
        (GOOD.replace("role: a", "role: admin"), r"roles\[0\]\.role: 'admin' means something else"),
        (GOOD.replace("role: a", "role: any"), r"roles\[0\]\.role: 'any' means something else"),
        (GOOD.replace("role: a", "role: A b"), r"roles\[0\]\.role: 'A b' must be lower-case"),
        ("fallback: a\n", "roles: must be given"),
    ],
)
def test_a_wrong_list_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "roles.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Misdeclared, match=rf"roles\.yaml: {said}"):
        load_roles(path)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("role: ecology-duty\n", "role: ecolgy-duty\n", r"teams\[0\]\.role"),
        ('to: "role:duty-desk"', 'to: "role:duty-dsk"', r"escalation\.red\[3\]\.to"),
    ],
)
def test_a_roster_with_an_unknown_role_is_refused_by_its_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    path = tmp_path / "roster.yaml"
    path.write_text(ROSTER.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(Misdeclared, match=rf"roster\.yaml: {key}: no such duty role: '\w+-\w+'; there are"):
        load_roster(path, load_regions())


def test_a_channel_for_an_unknown_role_is_refused() -> None:
    text = "channels:\n  hook: {kind: webhook, roles: [health-duty, helth-duty]}\n"
    with pytest.raises(Misdeclared, match=r"channels\.hook\.roles\[1\]: no such duty role: 'helth-duty'"):
        parse_channels(text, "channels.yaml")


def test_the_role_that_was_probably_meant_is_named() -> None:
    roles = load_roles()
    assert roles.unknown("helth-duty").endswith("; did you mean health-duty?")
    assert "did you mean" not in roles.unknown("zzz")
    assert unknown_names(["helth-duty", "zzz"], roles.titles) == "helth-duty (did you mean health-duty?), zzz"
