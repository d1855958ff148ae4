"""Rules that are wrong in one place each, and what is said of them: kept, so that no wording changes unseen.

`python -m tests.declarations.rule_language` writes `rule_language.said` anew, after a change that is meant.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml

from schemas.contract import load_contracts
from schemas.contract_model import Contract, Field
from schemas.errors import Misdeclared
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule

HERE = Path(__file__).parent
DOCUMENTS: list[dict[str, Any]] = yaml.safe_load((HERE / "rule_language.yaml").read_text(encoding="utf-8"))
SAID = HERE / "rule_language.said"
ODD: tuple[Any, ...] = (
    None, " ", "x", "a\nb", "a\u202eb", 0, -1, 2.5, 10**19, 10**99, True, [], {}, ["x", "x"], ["x", 5],
    {"threshold": "x"}, "PT0S", "P40000D", "count", "blue",
)  # fmt: skip


def _contract(feed: str, *fields: Field, region: str = "region") -> Contract:
    day = timedelta(days=1)
    return Contract(
        feed,
        "1.0.0",
        f"feed.{feed}",
        "test",
        "a feed",
        fields,
        (fields[0].name,),
        day,
        day,
        region_field=region,
    )


CONTRACTS: Mapping[str, Contract] = {
    each.feed: each
    for each in (
        _contract(
            "t.air", Field("station", "string"), Field("region", "string"), Field("averaging", "string",
            enum=("1h", "24h")), Field("pm25", "number"), Field("count", "integer"), Field("valid", "boolean"),
            Field("at", "timestamp"), Field("remark", "string", multiline=True),
            Field("phone", "string", classification="personal"),
        ),
        _contract("t.call", Field("call", "string"), Field("region", "string"), Field("stage", "string")),
        _contract(
            "duty.warning", Field("rule", "string"), Field("subject", "string"), Field("region", "string"),
            Field("kind", "string"), Field("level", "string"),
        ),
    )
}  # fmt: skip
"""Feeds of their own, so that a change of a real one changes nothing here."""


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*way, key)
        yield from places(each, (*way, key))


def holder_of(document: Any, way: tuple[Any, ...]) -> Any:
    """What holds the last step of a way."""
    for key in way[:-1]:
        document = document[key]
    return document


def changes(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Documents that differ in one place, with the name of the change: a third of all that can be made so."""
    for way in list(places(document)):
        for what, change in _at(way):
            name = f"{'.'.join(map(str, way))} {what}"
            if crc32(f"{document['rule']} {name}".encode()) % 3:
                continue
            changed = copy.deepcopy(dict(document))
            change(holder_of(changed, way), way[-1])
            yield name, changed


def _at(way: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    yield "taken out", lambda holder, key: holder.pop(key)
    yield "in a list", lambda holder, key: holder.__setitem__(key, [holder[key]])
    if isinstance(way[-1], str):
        yield "misspelt", lambda holder, key: holder.__setitem__(f"{key}s", holder.pop(key))
    else:
        yield "twice", lambda holder, key: holder.append(copy.deepcopy(holder[key]))
    for odd in ODD:
        yield f"{odd!r:.20}", lambda holder, key, odd=odd: holder.__setitem__(key, copy.deepcopy(odd))


def digest(rule: Rule) -> str:
    """What tells a rule from any other that says something else."""
    return sha256(repr(rule).encode()).hexdigest()


def told(document: Any) -> str:
    """What is said of a document: its error without the file, or the digest of the rule it is."""
    text = json.dumps(document)  # YAML as well
    try:
        return f"= {digest(parse_rule(text, 'f', CONTRACTS))}"
    except Misdeclared as wrong:
        return f"{wrong.key}: {wrong.problem}"


@cache
def said_of_all() -> Mapping[str, Mapping[str, str]]:
    """By rule and change what is said now."""
    return {
        document["rule"]: {
            "as it is": told(document),
            **{name: told(each) for name, each in changes(document)},
        }
        for document in DOCUMENTS
    }


def summary(all_said: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The lines that are kept: a digest a rule, and each complaint once, without values and guesses."""
    lines, problems = [], set()
    for rule, said in all_said.items():
        whole = sha256("\n".join(f"{name}: {each}" for name, each in said.items()).encode()).hexdigest()
        lines.append(f"{rule}: {len(said)} documents, {said['as it is'][:18]}, all {whole[:16]}")
        problems |= {_plain(each) for each in said.values() if not each.startswith("= ")}
    return [*lines, "", *sorted(problems)]


def in_use() -> dict[str, str]:
    """The rules of the repository, by the digest of their text: what they are read as."""
    rules = load_rules(load_contracts(), drafts=True)
    return {f"{rule.id} {sha256(rule.text.encode()).hexdigest()[:16]}": digest(rule)[:16] for rule in rules}


def _plain(said: str) -> str:
    """A complaint without key, quoted value and the name that was probably meant."""
    _, problem = said.split(": ", 1)
    problem = re.sub(r"; did you mean \S+\?$", "; did you mean …?", problem)
    problem = re.sub(r"^(must [a-z0 ]+, not) (?!the truth).*", r"\1 …", problem)
    return re.sub(r"^('.*?'|\[.*?\]|\{.*?\}|[-.\d]+|True) (must|is none|stands)", r"… \2", problem)


if __name__ == "__main__":
    rules = [f"{text} = {read}" for text, read in in_use().items()]
    SAID.write_text("\n".join([*rules, "", *summary(said_of_all())]) + "\n", encoding="utf-8")
