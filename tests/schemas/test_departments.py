"""Departments are one list: read strictly, named by id, and their words reach every contract of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import load_contracts, parse_contract
from schemas.declaration import read_yaml
from schemas.department_use import (
    CONTRACT_KEY,
    check_named,
    named_by_contracts,
    require_departments,
    senders,
    strange_tokens,
)
from schemas.department_yaml import load_departments, parse_departments
from schemas.departments import DEPARTMENTS
from schemas.effective import effective_contract, with_department
from schemas.errors import Misdeclared, SeveralMisdeclared
from schemas.evolution import changes
from schemas.in_use import FILES, FOLDER, take, taken
from schemas.lines import line_of
from schemas.regions import load_regions

GOOD = """departments:
  - department: ecology
    name: {zh: 生态环境厅, en: Ecology}
    regions: ["330000"]
    contact:
      stewards: [ecology-steward]
      phone: "+86 571-1234 5678"
      email: feeds@example.gov.cn
    duty_roles: [ecology-duty]
    channels:
      - {channel: feeds, tool: dingtalk, scope: issues, description: The desk}
    service_levels:
      - {property: latency, value: 2, unit: h}
  - department: ecology-hangzhou
    name: {zh: 杭州市生态环境局, en: Ecology of Hangzhou}
    regions: ["330100"]
    part_of: ecology
    contact: {stewards: [hangzhou-steward], office: {zh: 监测站, en: station}}
  - department: ecology-linan
    name: {zh: 杭州市生态环境局临安分局, en: Ecology of Lin'an}
    regions: ["330112"]
    part_of: ecology-hangzhou
    contact: {stewards: [linan-steward]}
"""
REGIONS = load_regions()
FILE = Path("departments.yaml")


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


WRONG: list[tuple[str, str, int, str]] = [
    ("no list", "departments: 1\n", 1, "departments: must be a list, not 1"),
    (
        "an unknown key",
        changed("duty_roles:", "duty_role:"),
        9,
        "departments[0].duty_role: no such key; there are department, name, regions, contact, part_of,"
        " duty_roles, channels, service_levels; did you mean duty_roles?",
    ),
    (
        "no name",
        changed("    name: {zh: 生态环境厅, en: Ecology}\n", ""),
        2,
        "departments[0].name: must be given",
    ),
    ("one language", changed(", en: Ecology}", "}"), 3, "departments[0].name.en: must be given"),
    (
        "a capital",
        changed("department: ecology\n", "department: Ecology\n"),
        2,
        "'Ecology' must be lower-case",
    ),
    ("two words", changed("department: ecology\n", "department: eco=logy\n"), 2, "'eco=logy' must be lower"),
    ("a name of two lines", changed("zh: 生态环境厅", 'zh: "生态\\n厅"'), 3, "name.zh: must be one line"),
    (
        "twice",
        changed("department: ecology-linan", "department: ecology"),
        19,
        "'ecology' stands there twice",
    ),
    (
        "a name twice",
        changed("zh: 杭州市生态环境局,", "zh: 生态环境厅,"),
        15,
        "'生态环境厅' is the name of ecology already",
    ),
    (
        "an unknown region",
        changed('["330112"]', '["330199"]'),
        21,
        "departments[2].regions[0]: no such region: '330199'; did you mean 3301",
    ),
    ("a region as a number", changed('["330112"]', "[330112]"), 21, "regions[0]: must be text, not 330112"),
    ("no region", changed('["330112"]', "[]"), 21, "regions: must list one or more texts, each once"),
    (
        "a region within another",
        changed('["330112"]', '["330100", "330112"]'),
        21,
        "regions[1]: 330112 lies in 330100, which stands there, too",
    ),
    (
        "an unknown whole",
        changed("part_of: ecology-hangzhou", "part_of: ecology-hangzou"),
        22,
        "part_of: no such department: 'ecology-hangzou'; there are ecology, ecology-hangzhou,"
        " ecology-linan; did you mean ecology-hangzhou?",
    ),
    (
        "part of itself",
        changed("part_of: ecology-hangzhou", "part_of: ecology-linan"),
        22,
        "goes round in a circle: ecology-linan -> ecology-linan",
    ),
    (
        "a circle",
        changed("    contact:\n", "    part_of: ecology-linan\n    contact:\n"),
        5,
        "goes round in a circle: ecology -> ecology-linan -> ecology-hangzhou -> ecology",
    ),
    (
        "beyond its whole",
        changed('["330112"]', '["330203"]'),
        21,
        "departments[2].regions: 330203 is no region of ecology-hangzhou, whose part it is",
    ),
    (
        "an unknown role",
        changed("[ecology-duty]", "[ecolgy-duty]"),
        9,
        "duty_roles[0]: no such duty role: 'ecolgy-duty'; there are",
    ),
    ("no steward", changed("[ecology-steward]", "[]"), 6, "contact.stewards: must list one or more"),
    ("a steward as a name", changed("[ecology-steward]", "[张三]"), 6, "'张三' must be a login"),
    ("a telephone of words", changed('"+86 571-1234 5678"', "ask the desk"), 7, "must be a telephone number"),
    ("an address without place", changed("feeds@example.gov.cn", "feeds"), 8, "must be an e-mail address"),
    (
        "an unknown tool",
        changed("tool: dingtalk", "tool: dingtalks"),
        11,
        "channels[0].tool: 'dingtalks' must be one of email, phone, dingtalk, wecom, ticket, other;"
        " did you mean dingtalk?",
    ),
    ("an unknown unit", changed("unit: h", "unit: hours"), 13, "unit: 'hours' must be one of y, d, h, m, s"),
    (
        "a level twice",
        changed("unit: h}\n", "unit: h}\n      - {property: latency, value: 1}\n"),
        14,
        "service_levels[1].property: 'latency' stands there twice",
    ),
]


@pytest.mark.parametrize(
    ("text", "line", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_wrong_file_says_line_key_and_what_would_be_right(text: str, line: int, said: str) -> None:
    with pytest.raises(Misdeclared) as error:
        parse_departments(text, FILE)
    assert str(error.value).startswith(f"departments.yaml:{line}: ")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_yaml_that_is_none_names_the_file_and_its_line() -> None:
    with pytest.raises(Misdeclared, match=r"^departments\.yaml: yaml: line 2"):
        parse_departments("departments:\n  - {", FILE)


def test_the_shipped_ones_are_all_that_declarations_name() -> None:
    departments = require_departments(FILES)
    named = {contract.department for contract in load_contracts().values()}
    assert named <= {each.id for each in departments}
    assert all(each.contact.stewards and each.name["zh"] != each.name["en"] for each in departments)


def test_an_office_sends_for_what_it_is_part_of_and_of_its_own_regions() -> None:
    departments = parse_departments(GOOD, FILE)
    assert departments.with_above("ecology-linan") == ("ecology-linan", "ecology-hangzhou", "ecology")
    assert departments.may_send("ecology-linan", "ecology")
    assert departments.may_send("ecology", "ecology")
    assert not departments.may_send("ecology", "ecology-linan"), (
        "it does not send what its offices answer for"
    )
    assert departments.scope("ecology", REGIONS) is None
    assert departments.scope("ecology-linan", REGIONS) == {"330112"}
    hangzhou = departments.scope("ecology-hangzhou", REGIONS)
    assert hangzhou == {"330100", *(each.code for each in REGIONS.counties_of("330100"))}
    assert departments.may_send("old", "old") and not departments.may_send("old", "ecology")
    assert departments.scope("old", REGIONS) is None


def test_who_sends_from_outside_has_a_token_and_so_have_its_offices() -> None:
    contracts = load_contracts().values()
    assert senders(contracts, load_departments()) == ["ecology", "governance", "health"]
    assert senders(contracts, parse_departments(GOOD, FILE)) == [
        *("ecology", "ecology-hangzhou", "ecology-linan", "governance", "health")
    ]


def test_names_and_what_is_said_of_one_that_is_none() -> None:
    departments = parse_departments(GOOD, FILE)
    assert departments.name("ecology") == "生态环境厅" and departments.name("ecology", "en") == "Ecology"
    assert departments.name("old") == "old" == departments.titled("old") and departments.names("old") == {}
    assert departments.titled("ecology") == "ecology 生态环境厅"
    assert departments.names("ecology") == {"zh": "生态环境厅", "en": "Ecology"}
    assert departments.call("ecology") == "+86 571-1234 5678, feeds@example.gov.cn, ecology-steward"
    assert (
        departments.call("ecology-hangzhou") == "监测站, hangzhou-steward" and departments.call("old") == ""
    )
    said = departments.unknown("ecolgy")
    assert said.startswith("no such department: 'ecolgy'; there are ecology, ecology-hangzhou, ecology-linan")
    assert "did you mean ecology?" in said and "liaowang department add" in said
    assert "did you mean" not in departments.unknown("zzz")
    (told,) = strange_tokens(["ecology", "ecolgy"], departments)
    assert told.startswith("the token of ecolgy: no such department") and "did you mean ecology?" in told


def copy_of(tmp_path: Path) -> Path:
    take(tmp_path, FILES)
    return tmp_path / FOLDER


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        (
            "feeds/ecology/air-quality.yaml",
            "value: ecology}",
            "value: ecolgy}",
            "customProperties.department",
        ),
        ("feeds/duty/warning.yaml", "value: duty}", "value: dutie}", "customProperties.department"),
        ("indicators/ecology/good-air-days.yaml", "owner: ecology", "owner: ecolgy", "owner"),
        ("indexes/prosperity/cities.yaml", "owner: common-", "owner: comon-", "owner"),
    ],
)
def test_whoever_names_another_is_told_file_line_and_the_one_meant(
    tmp_path: Path, file: str, old: str, new: str, key: str
) -> None:
    path = copy_of(tmp_path) / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    roots = taken(tmp_path)
    assert roots is not None
    with pytest.raises(Misdeclared) as error:
        require_departments(roots)
    assert str(error.value).startswith(f"{path}:{line}: {key}: no such department: ")
    assert "did you mean" in str(error.value)


def test_all_that_name_another_are_told_at_once(tmp_path: Path) -> None:
    folder = copy_of(tmp_path)
    for file in ("feeds/ecology/air-quality.yaml", "feeds/health/infectious-disease.yaml"):
        path = folder / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("{property: department, value: ", "{property: department, value: x-"))
    contracts = load_contracts(folder / "feeds")
    with pytest.raises(SeveralMisdeclared) as error:
        check_named(load_departments(), named_by_contracts(contracts))
    assert len(str(error.value).splitlines()) == 2


def test_a_contract_repeats_nothing_of_its_department_and_shows_it_all_the_same() -> None:
    departments, contracts = load_departments(), load_contracts()
    for contract in contracts.values():
        own = read_yaml(contract.path).value
        assert not {"team", "support"} & set(own)
        whole = effective_contract(contract, departments)
        department = departments.known[contract.department]
        assert [each["username"] for each in whole["team"]["members"]] == list(department.contact.stewards)
        assert whole["support"][0]["channel"] == department.channels[0].channel
        assert {each["element"] for each in whole["slaProperties"]} == {whole["schema"][0]["name"]}
        assert {key: whole[key] for key in own if key != "slaProperties"} == {
            key: value for key, value in own.items() if key != "slaProperties"
        }
        assert list(whole)[-2:] == ["schema", "customProperties"]


def test_the_whole_contract_is_one_of_the_standard_and_promises_the_same() -> None:
    departments = load_departments()
    for feed, contract in load_contracts().items():
        text = json.dumps(effective_contract(contract, departments), ensure_ascii=False)
        again = parse_contract(text, contract.path)
        assert again == contract and not changes(contract, again), feed


def document(**own: Any) -> dict[str, Any]:
    return {"id": "x", "schema": [{"name": "reading"}], "customProperties": [], **own}


def test_what_the_contract_says_itself_goes_over_what_its_department_says() -> None:
    department = parse_departments(GOOD, FILE).known["ecology"]
    plain = with_department(document(), department)
    assert plain["team"]["name"] == "Ecology" and plain["team"]["description"] == "生态环境厅"
    assert plain["support"] == [
        {"channel": "feeds", "tool": "dingtalk", "scope": "issues", "description": "The desk"},
        {"channel": "+86 571-1234 5678", "tool": "phone", "scope": "issues", "url": "tel:+8657112345678"},
        {
            "channel": "feeds@example.gov.cn", "tool": "email", "scope": "issues",
            "url": "mailto:feeds@example.gov.cn",
        },
    ]  # fmt: skip
    assert plain["slaProperties"] == [{"property": "latency", "value": 2, "unit": "h", "element": "reading"}]
    team, support = {"name": "Another"}, [{"channel": "x", "tool": "other"}]
    levels = [{"property": "latency", "value": 5, "unit": "m"}, {"property": "frequency", "value": 1}]
    own = with_department(document(team=team, support=support, slaProperties=levels), department)
    assert (own["team"], own["support"], own["slaProperties"]) == (team, support, levels)
    more = with_department(document(slaProperties=levels[1:]), department)
    assert [each["property"] for each in more["slaProperties"]] == ["frequency", "latency"]
    bare = parse_departments(GOOD, FILE).known["ecology-linan"]
    assert not {"support", "slaProperties"} & set(with_department(document(), bare))


def test_another_telephone_is_no_new_version_of_a_contract() -> None:
    before, after = (
        parse_departments(text, FILE).known["ecology"] for text in (GOOD, changed("1234 5678", "8765 4321"))
    )
    (air,) = (each for each in load_contracts().values() if each.department == "ecology")
    own = read_yaml(air.path).value
    one, other = (with_department(own, each) for each in (before, after))
    assert one["support"] != other["support"]
    contracts = [parse_contract(json.dumps(each, ensure_ascii=False), air.path) for each in (one, other)]
    assert not changes(*contracts)


@given(st.sets(st.sampled_from([each.code for each in REGIONS.all]), min_size=1, max_size=6))
def test_the_scope_is_what_lies_in_the_regions_and_nothing_else(codes: set[str]) -> None:
    listed = json.dumps(sorted(codes))
    one = f"department: a, name: {{zh: 甲, en: A}}, regions: {listed}, contact: {{stewards: [s]}}"
    text = f"departments: [{{{one}}}]"
    try:
        departments = parse_departments(text, FILE)
    except Misdeclared as error:
        assert "lies in" in str(error)
        return
    scope = departments.scope("a", REGIONS)
    for region in REGIONS.all:
        above = {region.code, region.parent, "330000"} & codes
        assert (scope is None or region.code in scope) == bool(above)


@given(st.integers(0, 40), st.integers(0, 3))
def test_a_key_is_found_in_the_line_where_it_stands(before: int, at: int) -> None:
    text = "#\n" * before + "list:\n" + "".join(f"  - a: {n}\n    b: {{c: {n}}}\n" for n in range(4))
    assert line_of(text, f"list[{at}].b.c") == before + 3 + 2 * at
    assert line_of(text, f"list[{at}].missing") == before + 2 + 2 * at
    assert line_of(text, "nothing") == 0 and line_of("{", "list") == 0 and line_of("", "list") == 0


def test_a_custom_property_is_found_by_its_name() -> None:
    path = FILES.feeds / "ecology/air-quality.yaml"
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert "property: department" in lines[line_of(text, CONTRACT_KEY) - 1]


def test_the_file_of_the_installation_is_read_where_a_set_has_none(tmp_path: Path) -> None:
    (copy_of(tmp_path) / "departments.yaml").unlink()
    roots = taken(tmp_path)
    assert roots is not None and roots.departments == DEPARTMENTS
    assert require_departments(roots).known == load_departments().known
