"""Who is behind a feed is called by name, in the language of the page, with whom to call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.contract import load_contracts
from schemas.department_yaml import parse_departments
from schemas.departments import DEPARTMENTS
from schemas.in_use import FILES, take, take_departments
from streams.console.behind import behind
from streams.console.i18n import load_words
from streams.console.rendering import environment
from streams.watch.declare.load import load_rules
from streams.watch.declare.spec import CompositeSpec, Member
from tests.streams.duty.console.house import house_open, settings_for

TEXT = """departments:
  - department: ecology
    name: {zh: 生态环境厅, en: "Ecology & Environment"}
    regions: ["330000"]
    contact: {stewards: [a], office: {zh: 监测中心, en: centre}, phone: "0571 1234", email: feeds@example.gov.cn}
  - {department: health, name: {zh: 卫生健康委, en: Health}, regions: ["330000"], contact: {stewards: [b]}}
"""


@pytest.mark.parametrize(
    ("id", "language", "shown"),
    [
        (
            "ecology",
            "zh",
            '生态环境厅<br><span class="soft">监测中心 <a href="tel:05711234">0571 1234</a>'
            ' <a href="mailto:feeds@example.gov.cn">feeds@example.gov.cn</a></span>',
        ),
        ("health", "zh", "卫生健康委"),
        ("health", "en", "Health"),
        ("gone", "zh", "gone"),
    ],
)
def test_a_department_is_shown_by_name_and_an_undeclared_one_by_id(
    id: str, language: str, shown: str
) -> None:
    departments = parse_departments(TEXT, Path("departments.yaml"))
    page = environment().from_string(
        '{% import "parts.html" as parts with context %}{{ parts.behind(department, id) }}'
    )
    assert page.render(department=departments.get(id), id=id, t=load_words()[language]) == shown


def test_a_case_shows_whom_to_call_about_its_data(tmp_path: Path) -> None:
    """At once and in the visitor's language, with broker and warehouse away; also when the contact has changed."""
    settings = settings_for(tmp_path)
    take(settings.home, FILES)
    with house_open(settings) as house:
        house.officer("viewer", "viewer", "330000")
        case, hole = house.warn(1), house.warn(2, rule="nobody.knows-it")
        with house.visitor("viewer") as client:
            shown = facts_of(client.get(f"/cases/{case}").text)
            assert "数据报送部门</dt><dd>浙江省生态环境厅" in shown and "监测中心" in shown
            assert "数据报送部门" not in client.get(f"/cases/{hole}").text
            take_departments(settings.home, declared("0571 99"))
            shown = facts_of(client.get(f"/cases/{case}", headers={"Accept-Language": "en"}).text)
            assert "Department of the data</dt><dd>Ecology" in shown and "0571 99" in shown
            take_departments(settings.home, b"departments: [")
            assert "0571 99" in client.get(f"/cases/{case}").text, "a file that is wrong changes nothing"


def declared(phone: str) -> bytes:
    """The departments of this installation, of which one has another name and telephone."""
    text = DEPARTMENTS.read_text(encoding="utf-8")
    office = "office: {zh: 监测中心, en: monitoring centre}"
    assert office in text
    return (
        text.replace(office, f'phone: "{phone}", {office}')
        .replace("Department of Ecology", "Ecology")
        .encode()
    )


def facts_of(page: str) -> str:
    """The facts of a case, without the line breaks of its template."""
    return "".join(
        line.strip() for line in page.split('id="facts"', 1)[1].split("</section>")[0].splitlines()
    )


def test_each_department_of_a_rule_over_feeds_is_told_once_its_own_first() -> None:
    contracts = load_contracts()
    rules = {rule.id: rule for rule in load_rules(contracts, drafts=True)}
    rule = next(rule for rule in rules.values() if len(rule.feeds) > 1)
    known = parse_departments(TEXT, Path("departments.yaml"))
    found = behind(rule, rules, contracts, known)
    ids = [id for id, _ in found]
    assert ids[0] == contracts[rule.feed].department
    assert sorted(ids) == sorted({contracts[feed].department for feed in rule.feeds})
    assert all(department is known.get(id) for id, department in found)
    assert behind(rule, rules, contracts, None) == [(id, None) for id in ids]
    assert behind(rule, rules, {}, known) == behind(None, rules, contracts, known) == []


def test_behind_a_composite_are_the_departments_of_the_rules_it_is_made_of() -> None:
    contracts = load_contracts()
    rules = {rule.id: rule for rule in load_rules(contracts, drafts=True)}
    composite = next(rule for rule in rules.values() if rule.members)
    assert isinstance(composite.spec, CompositeSpec)
    members = {contracts[rules[name].feed].department for name in composite.members}
    assert [id for id, _ in behind(composite, rules, contracts, None)] == sorted(members)
    above = replace(composite, id="a.above", spec=replace(composite.spec, members=(Member(composite.id, 1),)))
    assert behind(above, rules, contracts, None) == behind(composite, rules, contracts, None)
    assert behind(composite, {}, contracts, None) == [], "warnings themselves are no department's data"


def test_names_are_escaped() -> None:
    departments = parse_departments(TEXT, Path("departments.yaml"))
    page = environment().from_string(
        '{% import "parts.html" as parts with context %}{{ parts.behind(department, "x") }}'
    )
    found = page.render(department=departments.get("ecology"), t=load_words()["en"])
    assert found.startswith("Ecology &amp; Environment<br>") and "centre" in found
