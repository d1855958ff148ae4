"""Templates take names as they stand, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.template import read_template, template_of

ODD = ("PM2.5", "值[µg]", "a:b", "a!r", "", " x ", "0", "x.__class__", "%s", "金额(万元)", "'")


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_taken_as_it_stands(name: str) -> None:
    found = read_template(Entry("f", "id", f"<{{{name}}}>{{{{x}}}}"), ODD, "column")
    assert found.names == (name,)
    assert found.render({name: "{v}"}) == "<{v}>{x}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a", "{ stands alone at 1"),
        ("a}", "} stands alone at 2"),
        ("{a{b}}", "{ stands alone at 1"),
        ("{c}", "no column 'c'; there are a, b"),
        ("{}", "{} names no column"),
        ("{a.b}", "no column 'a.b'"),
    ],
)
def test_a_broken_template_is_refused(text: str, said: str) -> None:
    with pytest.raises(Misdeclared, match="f: id: ") as caught:
        read_template(Entry("f", "id", text), ("a", "b"), "column")
    assert said in str(caught.value)


@given(st.text(alphabet="{}ab.[]!:", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = template_of(text)
    except ValueError:
        return
    assert found.render({name: f"{{{name}}}" for name in found.names}).count("{") <= text.count("{")
