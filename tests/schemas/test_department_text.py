"""A department more: its file keeps every line it had, and what was given is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declaration import parse_yaml
from schemas.department_schema import department_schema
from schemas.department_text import differing, with_entry
from schemas.department_yaml import OPTIONAL, REQUIRED, parse_departments
from schemas.departments import DEPARTMENTS
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.roles import load_roles
from tests.schemas.test_departments import GOOD, WRONG

REGIONS, ROLES = load_regions(), load_roles()
FILE = Path("departments.yaml")
ONE = "{department: a, name: {zh: 甲, en: A}, regions: ['330000'], contact: {stewards: [a]}}"
TRANSPORT: dict[str, Any] = {
    "department": "transport",
    "name": {"zh": "浙江省交通运输厅", "en": "Department of Transport"},
    "regions": ["330000"],
    "contact": {"stewards": ["transport-steward"], "phone": "+86 571 1234"},
}


def added(text: str, entry: dict[str, Any]) -> str:
    return with_entry(text, FILE, entry, ROLES, REGIONS)


def test_the_entry_stands_at_the_end_in_the_style_of_the_file() -> None:
    text = DEPARTMENTS.read_text(encoding="utf-8")
    grown = added(text, TRANSPORT)
    assert grown.startswith(text)
    assert grown.removeprefix(text) == (
        "  - department: transport\n"
        "    name: {zh: 浙江省交通运输厅, en: Department of Transport}\n"
        '    regions: ["330000"]\n'
        '    contact: {stewards: [transport-steward], phone: "+86 571 1234"}\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        GOOD.rstrip("\n"),
        GOOD + "# the end\n",
        GOOD + "\n\n",
        f"departments:\n- {ONE}\n",
    ],
    ids=["no line break at the end", "a comment at the end", "blank lines", "a list that is not indented"],
)
def test_any_ordinary_layout_takes_it(text: str) -> None:
    grown = added(text, TRANSPORT)
    assert grown.startswith(text)
    assert list(parse_departments(grown, FILE))[:-1] == list(parse_departments(text, FILE))


def test_a_layout_that_does_not_take_it_is_left_alone_and_said() -> None:
    with pytest.raises(
        Misdeclared, match=r"departments\.yaml: departments: write this entry into it by hand"
    ):
        added(f"departments: [{ONE}]\n", TRANSPORT)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"department": "Transport"}, "department add: ID: 'Transport' must be lower-case"),
        ({"regions": ["33"]}, "department add: --region: no such region: '33'"),
        ({"regions": ["330100", "330110"]}, "department add: --region: 330110 lies in 330100"),
        (
            {"name": {"zh": "生态环境厅", "en": "T"}},
            "department add: --zh: '生态环境厅' is the name of ecology",
        ),
        ({"name": {"zh": "交通厅", "en": " T"}}, "department add: --en: must be one line"),
        ({"part_of": "ecolgy"}, "department add: --part-of: no such department: 'ecolgy'"),
        ({"duty_roles": ["x"]}, "department add: --duty-role: no such duty role: 'x'"),
        ({"contact": {"stewards": ["李 四"]}}, "department add: --steward: '李 四' must be a login"),
        (
            {"contact": {"stewards": ["a"], "phone": "call"}},
            "department add: --phone: 'call' must be a telephone",
        ),
        ({"contact": {"stewards": ["a"], "email": "a"}}, "department add: --email: 'a' must be an e-mail"),
        (
            {"contact": {"stewards": ["a"], "office": {"zh": "处"}}},
            "department add: --office-en: must be given",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_option(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Misdeclared) as error:
        added(GOOD, TRANSPORT | change)
    assert str(error.value).startswith(said)


def test_the_same_again_is_no_difference_and_another_telephone_is_one() -> None:
    known = parse_departments(added(GOOD, TRANSPORT | {"part_of": "ecology"}), FILE)
    again = TRANSPORT | {"part_of": "ecology"}
    assert differing(again, known, ROLES, REGIONS) == ""
    assert differing(TRANSPORT, known, ROLES, REGIONS) == "", "what is not given is not compared"
    other = again | {"contact": {"stewards": ["transport-steward"], "phone": "+86 571 9999"}}
    assert differing(other, known, ROLES, REGIONS) == "--phone"
    assert differing(again | {"part_of": "transport"}, known, ROLES, REGIONS) == "--part-of"


LINE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)


@given(
    LINE, LINE, st.lists(st.sampled_from([each.code for each in REGIONS.counties]), min_size=1, unique=True)
)
def test_what_is_given_is_what_is_read(zh: str, en: str, codes: list[str]) -> None:
    entry = TRANSPORT | {"name": {"zh": zh, "en": en}, "regions": codes}
    (*_, last) = parse_departments(added(GOOD, entry), FILE)
    assert (dict(last.name), last.regions) == ({"zh": zh, "en": en}, tuple(codes))
    assert last.contact.phone == "+86 571 1234"


SCHEMA = department_schema([each.code for each in REGIONS.all])
LEFT_TO_THE_READER = (
    "a name of two lines", "twice", "a name twice", "a region within another", "an unknown whole",
    "part of itself", "a circle", "beyond its whole", "an unknown role", "a level twice",
)  # fmt: skip


def test_the_schema_takes_what_the_reader_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for text in (GOOD, DEPARTMENTS.read_text(encoding="utf-8"), added(GOOD, TRANSPORT)):
        jsonschema.validate(parse_yaml(text, "x").value, SCHEMA)
    keys = SCHEMA["properties"]["departments"]["items"]
    assert set(keys["properties"]) == {*REQUIRED, *OPTIONAL} and set(keys["required"]) == set(REQUIRED)


@pytest.mark.parametrize(
    "text", [case[1] for case in WRONG if case[0] not in LEFT_TO_THE_READER],
    ids=[case[0] for case in WRONG if case[0] not in LEFT_TO_THE_READER],
)  # fmt: skip
def test_the_schema_refuses_what_has_the_wrong_form(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parse_yaml(text, "x").value, SCHEMA)
