"""The rule book in force, wherever its rules were published: what the topic says, and what is done without it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics
from schemas.contract import Contract, load_contracts
from schemas.contracts_in_use import ContractsInUse
from schemas.errors import Misdeclared
from schemas.in_use import FILES, FOLDER, take
from schemas.settings import Settings
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.publish.active_rules import ActiveRules, Live, LiveNames, book_of
from streams.watch.publish.published import BASELINE, History, RuleRecord
from streams.watch.publish.rule_topic import publish
from tests.streams.watch.trying import CONTRACTS, START, rule

HIGH = rule({"kind": "threshold", "field": "pm25"}, {"red": 250}, rule="test.high")
LOUD = rule({"kind": "threshold", "field": "pm25"}, {"red": 250}, rule="test.loud", duty_role="noise-desk")
OTHERS = "a kind of condition that a later version knows"


def version(each: Rule, number: int, text: str | None = None, title: str = "") -> RuleRecord:
    told = each.text if text is None else text
    told = told.replace("version: 1", f"version: {number}").replace("en: test", f"en: {title or 'test'}")
    return RuleRecord(rule=each.id, version=number, text=told, at=START)


def unreadable(each: Rule, number: int) -> RuleRecord:
    return version(each, number, each.text.replace("kind: threshold", f"kind: {OTHERS}"))


def retired(each: Rule, number: int) -> RuleRecord:
    return RuleRecord(rule=each.id, version=number, text="", at=START)


def parse(id: str, number: int, text: str) -> Rule:
    return parse_published(text, f"{id}@{number}", CONTRACTS)


def history(*entries: RuleRecord) -> History:
    return History(list(enumerate(entries)))


def titles(rules: Mapping[str, Rule]) -> dict[str, str]:
    return {id: each.title_en for id, each in rules.items()}


def test_a_rule_that_was_retired_long_ago_is_out_of_force_and_has_its_title_still() -> None:
    book = book_of(
        history(version(HIGH, 1), version(LOUD, 1), version(HIGH, 2, title="higher"), retired(HIGH, 2)), parse
    )
    assert (titles(book.rules), book.epoch) == ({"test.loud": "test"}, 4)
    assert titles(book.known) == {"test.loud": "test", "test.high": "higher"}


def test_what_cannot_be_read_is_told_once_by_its_version_and_keeps_the_title_of_before() -> None:
    book = book_of(history(version(HIGH, 1, title="high"), unreadable(HIGH, 2), version(LOUD, 1)), parse)
    assert titles(book.rules) == {"test.loud": "test"}
    assert titles(book.known) == {"test.loud": "test", "test.high": "high"}
    assert list(book.unreadable) == ["test.high@2"] and OTHERS in book.unreadable["test.high@2"]


def test_a_publication_of_several_counts_when_all_of_it_is_there_and_baselines_are_no_rules() -> None:
    first = RuleRecord(rule="test.high", version=1, text=HIGH.text, at=START, more=True)
    assert not book_of(history(first), parse).known
    table = RuleRecord(rule="usual", version=1, text="[]", at=START, kind=BASELINE)
    assert list(book_of(history(first, version(LOUD, 1), table), parse).known) == ["test.high", "test.loud"]


def test_live_views_say_what_is_so_when_they_are_asked() -> None:
    now: dict[str, int] = {}
    numbers, names = Live(lambda: now), LiveNames(lambda: now.keys())
    assert (dict(numbers), list(names), len(names)) == ({}, [], 0)
    now["a"] = 1
    assert (numbers["a"], len(numbers), list(numbers.values()), list(names)) == (1, 1, [1], ["a"])
    assert "a" in names and "b" not in names and numbers.get("b") is None


@pytest.fixture
def alone(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Settings]:
    """A broker of its own, not yet started."""
    for name in ("kafka", "aiokafka"):
        caplog.set_level(logging.CRITICAL + 1, name)
    caplog.set_level(logging.WARNING, "liaowang")
    yield replace(settings, home=tmp_path, kafka_port=free_port(), kafka_controller_port=free_port())


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage() for each in caplog.records if each.name == "liaowang.rules"]
    caplog.clear()
    return found


@pytest.mark.stack
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_book_of_a_broker(alone: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Away, without rules, with them, with others, with one that nobody can read here, and away again."""
    asked = []

    def files() -> Iterable[Rule]:
        asked.append(1)
        return [LOUD]

    contracts: Mapping[str, Contract] = CONTRACTS
    active = ActiveRules(alone.kafka, lambda: contracts, files)
    assert not active.now.rules
    active.look()
    active.look()
    assert (titles(active.now.rules), len(asked)) == ({"test.loud": "test"}, 1)
    (line,) = said(caplog)
    assert "refused" in line and line.endswith("going on with the rules of the declarations in use")
    with kafka_running(alone):
        active.look()
        ensure_topics(alone, load_contracts())
        active.look()
        assert titles(active.now.rules) == {"test.loud": "test"}
        (line,) = said(caplog)
        assert "no rules are published yet" in line
        asyncio.run(publish(alone.kafka, [version(HIGH, 1, title="from elsewhere")]))
        active.look()
        assert titles(active.now.rules) == {"test.high": "from elsewhere"}, "the topic is the one home"
        assert said(caplog) == ["the rules in force are known again"]
        before = active.now
        active.look()
        assert active.now is before, "nothing is parsed again where nothing was published"
        asyncio.run(publish(alone.kafka, [unreadable(HIGH, 2), version(LOUD, 1)]))
        active.look()
        active.look()
        assert titles(active.now.rules) == {"test.loud": "test"}
        assert titles(active.now.known) == {"test.high": "from elsewhere", "test.loud": "test"}
        (line,) = said(caplog)
        assert line.startswith("test.high@2 is published and cannot be read here")
        asyncio.run(publish(alone.kafka, [retired(LOUD, 1)]))
        active.look()
        assert (titles(active.now.rules), titles(active.now.known)["test.loud"]) == ({}, "test")
        said(caplog)
    active.look()
    assert titles(active.now.known)["test.high"] == "from elsewhere"
    (line,) = said(caplog)
    assert line.endswith("going on with the rules known before")
    active.close()


def test_contracts_in_use_are_read_where_they_have_changed_and_only_there(tmp_path: Path) -> None:
    take(tmp_path, FILES)
    contracts = ContractsInUse(Settings(home=tmp_path))
    first = contracts()
    assert contracts() is first
    path = tmp_path / FOLDER / "feeds/ecology/air-quality.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# a note\n", encoding="utf-8")
    second = contracts()
    assert second is not first and second == first
    path.write_text("{", encoding="utf-8")
    with pytest.raises(Misdeclared):
        contracts()
    path.unlink()
    assert "ecology.air-quality" not in contracts()
