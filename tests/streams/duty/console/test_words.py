"""Every word is there in both languages, templates hold none of their own, and every word is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.errors import Misdeclared
from schemas.levels import LEVELS
from streams.console.i18n import TEXTS, load_words, negotiate
from streams.console.rendering import HERE
from streams.console.views import ORIGINS
from streams.duty.lifecycle import ENTRIES, STATES, VERDICTS
from streams.duty.rosters.who import KINDS

TEMPLATES = sorted((HERE / "templates").glob("*.html"))
CODE = sorted(HERE.glob("*.py"))
PREFIXES = (
    "nav_",
    "level_",
    "level_short_",
    "state_",
    "entry_",
    "from_",
    "verdict_",
    "weekday_",
    "hole_",
    "against_",
    "whose_",
)
PREFIXES += ("sign_in_", "link_", "refused_", "kept_", "drill_")


def test_every_key_has_both_languages_and_the_same_places() -> None:
    words = load_words()
    chinese, english = words["zh"].texts, words["en"].texts
    assert chinese.keys() == english.keys() and len(chinese) > 150
    for key, text in chinese.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", english[key])), key


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_words_of_their_own_and_use_those_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search("[一-鿿]", text), "a template speaks one language only"
    words = load_words()["zh"]
    for key in re.findall(r'\bt\("(\w+)"[,)]', text):
        assert words.has(key), key


def test_no_word_is_left_over() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (*TEMPLATES, *CODE))
    for key in load_words()["zh"].texts:
        assert f'"{key}"' in source or key.startswith(PREFIXES), f"{key} is used nowhere"


def test_whatever_a_case_can_say_has_a_word() -> None:
    words = load_words()["en"]
    keys = [f"entry_{kind}" for kind in ENTRIES] + [f"state_{state}" for state in STATES]
    keys += [f"verdict_{verdict}" for verdict in VERDICTS] + [f"level_{level}" for level in LEVELS]
    keys += [f"hole_{kind}" for kind in KINDS] + list(ORIGINS.values())
    assert [key for key in keys if not words.has(key)] == []


def test_a_language_is_chosen_or_asked_for_and_chinese_otherwise() -> None:
    assert negotiate("en", "zh-CN") == "en" and negotiate("zh", "en-US") == "zh"
    assert negotiate("", "en-GB,en;q=0.9") == "en" and negotiate("xx", "en") == "en"
    assert negotiate("", "") == "zh" and negotiate("", "de, en") == "zh"


def test_texts_that_lack_a_language_are_misdeclared(tmp_path: Path) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text("key: [中文]\n", encoding="utf-8")
    with pytest.raises(Misdeclared, match=r"texts.yaml: key: .*two texts"):
        load_words(path)
    assert TEXTS.exists()
