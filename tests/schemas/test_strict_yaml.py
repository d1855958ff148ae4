"""YAML that no declaration needs ends as one error that names the file, and never as anything else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings

from schemas.declaration import parse_yaml, read_text, read_yaml
from schemas.errors import Misdeclared
from schemas.strict_yaml import _Quick, _told_of, load
from tests.fuzz.broken import broken_bytes, broken_document

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 8)}]\n" for at in range(1, 12)
)
BAD = [
    ("a list within itself", "a: &a [1, *a]", "line 1: *a stands within &a"),
    ("a mapping within itself", "a: &a\n  b: *a", "line 2: *a stands within &a"),
    ("a merge of itself", "a: &a\n  <<: *a", "line 2: *a stands within &a"),
    ("billion laughs", LAUGHS, "values, aliases counted"),
    ("5,000 digits", "a: " + "9" * 5000, "line 1: a number of 5,000 characters"),
    ("hexadecimal digits", "\na: 0x" + "f" * 5000, "line 2: a number of 5,002 characters"),
    ("a long fraction", "a: 0." + "9" * 5000, "a number of 5,002 characters"),
    ("no digits", "a: 0b_", "'0b_' is no value that can be read"),
    ("deep lists", "a: " + "[" * 5000 + "]" * 5000, "more than 60 lists and mappings"),
    ("deep mappings", "a: " + "{a: " * 5000, "more than 60 lists and mappings"),
    ("deep blocks", "".join(" " * at + "a:\n" for at in range(100)), "more than 60 lists and mappings"),
    (
        "an object",
        "a: !!python/object/apply:os.system [ls]",
        "line 1: the tag !!python/object/apply:os.system",
    ),
    ("binary", "a: !!binary aGk=", "line 1: the tag !!binary is not taken"),
    ("a set", "a: !!set {b}", "the tag !!set is not taken"),
    ("a broken boolean", "a: !!bool maybe", "the tag !!bool is not taken"),
    ("an empty whole number", "a: !!int ''", "the tag !!int is not taken"),
    ("a tag of one's own", "a: !mine b", "the tag !mine is not taken"),
    ("a repeated key", "a: 1\nb: 2\na: 3", "line 3: the key 'a' stands there twice"),
    ("NUL", 'a: "\\0"', "the control character '\\x00'"),
    ("escape", 'a: "\\e[31m"', "the control character '\\x1b'"),
    ("half a character", 'a: "\\ud800"', "the control character '\\ud800'"),
    ("no character", 'a: "\\Uffffffff"', "file.yaml: yaml: "),
    ("raw NUL", "a: \x00", "unacceptable character"),
    ("a code without quotes", "\na: 0571", "line 2: 0571 begins with 0: put a code in quotes"),
    ("a list of codes", "a: [01, 02]", "line 1: 01 begins with 0"),
    ("raw NUL below", "a: 1\nb: \x00", "line 2: unacceptable character #x0000; leave it out"),
    ("a list as key", "? [1]\n: 2", "unhashable key"),
    ("a tab", "a:\n\tb: 1", "a tab; YAML indents with spaces"),
    ("two documents", "a: 1\n---\nb: 1", "expected a single document"),
    ("no such anchor", "a: *b", "undefined alias"),
    ("an open bracket", "a: [1", "file.yaml: yaml: "),
    ("an equals sign", "a: =", "file.yaml: yaml: "),
    ("too long", "a: " + "x" * 1_000_001, "a declaration has at most 1,000,000"),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_is_no_plain_yaml_is_one_line_with_the_file(text: str, said: str) -> None:
    with pytest.raises(Misdeclared) as caught:
        parse_yaml(text, "file.yaml")
    assert str(caught.value).startswith("file.yaml: yaml: ") and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plain_yaml_with_aliases_and_merges_is_read() -> None:
    text = "\ufeffa: &a {x: 1, y: 2024-01-01}\nb: *a\nc:\n  <<: *a\n  x: 3\nd: 1.5\ne: [yes, ~]\n"
    assert parse_yaml(text, "f").value == {
        "a": {"x": 1, "y": "2024-01-01"}, "b": {"x": 1, "y": "2024-01-01"}, "c": {"x": 3, "y": "2024-01-01"},
        "d": 1.5, "e": [True, None],
    }  # fmt: skip


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**90])
def test_whole_numbers_have_64_bits(value: int) -> None:
    with pytest.raises(Misdeclared, match="a: must fit 64 bits"):
        parse_yaml(f"a: {value}", "f").at("a").integer()


@pytest.mark.parametrize("text", ["P99999999999999999999D", "P" + "9" * 5000 + "D", "P40000D", "P\u0661D"])
def test_durations_are_no_longer_than_a_century(text: str) -> None:
    with pytest.raises(Misdeclared, match="a: 'P"):
        parse_yaml(f"a: {text}", "f").at("a").duration()


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path) -> None:
    fifo, loop, folder, plug, absent = (
        tmp_path / name for name in ("fifo", "loop", "folder", "plug", "absent")
    )
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    folder.mkdir()
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(10_000_000)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(plug))
        for path in (fifo, loop, folder, plug, absent, large, Path("a\0b")):
            with pytest.raises(Misdeclared, match="file: cannot be read"):
                read_text(path)


def test_an_empty_file_is_an_empty_document(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.touch()
    with pytest.raises(Misdeclared, match="document: must be a mapping, not nothing"):
        read_yaml(path).mapping()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title:\n\tzh: x", "line 2, column 1: a tab; YAML indents with spaces"),
        (
            "a: [1,\nb: 2\n",
            "line 3, column 1: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence that"
            " begins in line 1)",
        ),
        ("a: 1\nb: 2: 3", "line 2, column 5: mapping values are not allowed here"),
        ("a: *gone", "line 1, column 4: found undefined alias 'gone'"),
    ],
)
def test_what_cannot_be_read_is_told_by_line_and_column(text: str, said: str) -> None:
    with pytest.raises(Misdeclared) as caught:
        parse_yaml(text, "file.yaml")
    assert str(caught.value) == f"file.yaml: yaml: {said}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"), ("190:20:30.15", "190:20:30.15"), ("1:60", "1:60"), ("1e308", 1e308), ("1E3", 1000.0),
        ("-2e-5", -2e-5), ("1.5e3", 1500.0), ("1.", 1.0), (".5", 0.5), ("0", 0), ("-0", 0), ("0.5", 0.5),
        ("1_000", 1000), ("0x1f", 31), ("2026-03-01", "2026-03-01"), ("330106", 330106),
        ("1e", "1e"), ("e5", "e5"),
    ],
)  # fmt: skip
def test_numbers_are_what_an_author_takes_for_one(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}", "f").value["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "true"])
def test_a_truth_value_where_a_text_is_wanted_says_so(word: str) -> None:
    with pytest.raises(Misdeclared, match=r"a: must be text, not the truth value .* put text in quotes"):
        parse_yaml(f"a: {word}", "f").at("a").text()


DOCUMENT = """# a rule
id: a.high
title: {zh: 偏高, en: "high, \\"so\\""}
levels: &levels
  - {over: 35.5, clear: -3, since: 2024-01-01}
  - {over: .5e1, clear: ~, since: "12:30"}
again: *levels
text: |
  two
  lines
folded: >-
  one
  line
empty:
"""
PLAIN = {"id": "a.high", "levels": [{"over": 35.5, "role": None}, {"over": -1e300}], "yes": [True, "no", ""]}


@settings(max_examples=300)
@given(broken_document(PLAIN) | broken_bytes(DOCUMENT.encode()).map(lambda raw: raw.decode(errors="replace")))
def test_the_quick_parser_reads_what_the_telling_one_reads(text: str) -> None:
    """Where the quick one ends in an error, `load` asks the other; where not, its value is the other's.

    One difference is known: within braces and brackets the quick one takes `?` in a text, as YAML 1.2 does.
    """
    assume("\t" not in text)
    try:
        quick = yaml.load(text, Loader=_Quick)
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
        return
    try:
        told = _told_of(text)
    except yaml.YAMLError as error:
        assert "but got '?'" in str(error)
        return
    assert repr(told) == repr(quick)


def test_a_question_mark_within_braces_is_text() -> None:
    assert load("{address: http://127.0.0.1/a?b=c}") == {"address": "http://127.0.0.1/a?b=c"}
