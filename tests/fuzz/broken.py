"""What goes wrong in files and bytes, as hypothesis strategies: the same cases in every run."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

NASTY: tuple[Any, ...] = (
    *(None, "", " ", "x" * 400, 0, -1, 1.5, 10**18, 2**63 - 1, -(2**63), 1e308, float("inf"), float("nan")),
    *(True, [], {}, [[]], {"a": 1}, [None], [1, 1], ["a", "a"], {"": ""}),
    *(
        "P1D",
        "PT0S",
        "P36500D",
        "-P1D",
        "{x}",
        "{",
        "}",
        "{region:city}",
        "{region:moon}",
        "a|b",
        "a.b",
        "x-at",
    ),
    *(
        "0001-01-01",
        "9999-12-31T23:59:59+08:00",
        "0001-01-01T00:00:00+14:00",
        "2024-02-30",
        "2024-03",
        "24:00",
    ),
    *("(", "[a-", "(?=x)", "%", "%Y %Y", "%Q", "\u0661", "\U0001f000", "330100", "'; --", "day", "select"),
    *("null", "true", "+08:00", "+99:99", "year", "count", "threshold", "warnings"),
)
"""Values that stand where others should."""

TOKENS = (
    *(b"\xff", b"\xed\xa0\x80", b"\x00", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"-1e999", b"9" * 5000),
    *(
        b"[" * 3000,
        b'{"a":' * 3000,
        b"{",
        b"}",
        b'"',
        b"\\",
        b",",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"-",
        b"0x1",
    ),
    *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2024-02-30", b"2147-01-01T00:00:00Z"),
    *(
        b"9223372036854775808",
        b"-9223372036854775809",
        b'"id":1,',
        b'"data":[],',
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
    ),
    *(b"\r\n", b"\n", b";", b"\t"),
)
"""Pieces of bytes that are set into good ones."""


def cases(number: int) -> settings:
    """So many cases, the same ones each time."""
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(
        max_examples=number, derandomize=True, database=None, deadline=None, suppress_health_check=slow
    )


@st.composite
def broken_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes with a few pieces cut out, doubled, or replaced."""
    raw = good
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        end = min(len(raw), at + draw(st.sampled_from((0, 0, 1, 2, 5, 20, 200))))
        piece = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4), st.just(raw[at:end] * 2)))
        raw = raw[:at] + piece + raw[end:]
    return raw


def broken_document(good: Any) -> st.SearchStrategy[str]:
    """A YAML text: the good document with some values broken."""
    return _broken(good).map(
        lambda document: str(yaml.dump(document, Dumper=_Dumper, allow_unicode=True, width=10_000))
    )


def broken_json(good: Any) -> st.SearchStrategy[bytes]:
    """JSON in one line: the good document with some values broken; NaN and Infinity among them."""
    return _broken(good).map(lambda document: json.dumps(document).encode())


@st.composite
def _broken(draw: st.DrawFn, good: Any) -> Any:
    """The good document with one to three values replaced, taken out, renamed or wrapped."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        what = draw(st.sampled_from(("replace", "replace", "replace", "drop", "rename", "wrap")))
        if what == "drop":
            del holder[key]
        elif what == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(("x", "id", "day", "null", "1", "")))] = holder.pop(key)
        elif what == "wrap":
            holder[key] = [holder[key]]
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(NASTY)))
    return document


class _Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    """Without aliases: a value that stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value within a document, by what holds it and under which key."""
    keys = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])
