"""Who is behind a feed is called by name, in the language of the page, with whom to call."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.department_yaml import parse_departments
from streams.console.i18n import load_words
from streams.console.rendering import environment

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


def test_names_are_escaped() -> None:
    departments = parse_departments(TEXT, Path("departments.yaml"))
    page = environment().from_string(
        '{% import "parts.html" as parts with context %}{{ parts.behind(department, "x") }}'
    )
    found = page.render(department=departments.get("ecology"), t=load_words()["en"])
    assert found.startswith("Ecology &amp; Environment<br>") and "centre" in found
