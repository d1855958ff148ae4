"""What is asked of rule files only since they were published takes no published rule out of force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas import strict_yaml
from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from streams.watch.declare.rule_yaml import parse_published, parse_rule
from streams.watch.engine.partition import Partition
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import History, RuleBook, same_rule
from streams.watch.publish.published import RuleRecord as Published
from streams.watch.trial.offline import OfflineRecord
from tests.streams.watch.trying import AIR, CONTRACTS, START, air, rule

CONTRACT = CONTRACTS[AIR]
PLAIN = rule(
    {"kind": "threshold", "field": "pm25"}, {"blue": 115}, subject="{region}-{station}", rule="test.high"
).text
TOUCHING = PLAIN.replace("{region}-{station}", "{region}{station}")
OCTAL = PLAIN.replace("blue: 115", "blue: 010")


def said(text: str) -> list[Transition]:
    """What a published rule says of one high value."""
    history = History([(0, Published(rule="test.high", version=1, text=text, at=START))])
    told: list[tuple[str, str]] = []
    book = RuleBook(
        history, lambda text, where: parse_published(text, where, CONTRACTS), lambda *each: told.append(each)
    )
    part = Partition(
        CONTRACT,
        Decoder(CONTRACT).decode,
        book.rule_set(1).rules,
        CONTRACT.topic,
        0,
        epoch=1,
        book=book.rule_set,
    )
    at = int((START + timedelta(hours=2)).timestamp() * 1000)
    found: list[Transition] = []
    part.observe([OfflineRecord(0, at, air(START, 120).raw)], found.append)
    assert told == []
    return found


REGIONS = PLAIN + "region: [region, station]\n"
NUMBERED = PLAIN + "description: 5\n"


@pytest.mark.parametrize(
    "text", [TOUCHING, OCTAL, TOUCHING.replace("blue: 115", "blue: 010"), REGIONS, NUMBERED]
)
def test_it_is_judged_on_and_refused_in_a_file(text: str) -> None:
    (whole,), (found,) = said(PLAIN), said(text)
    assert found.kind == whole.kind == "opened"
    assert found.subject in (whole.subject, whole.subject.replace("-", "", 1))
    with pytest.raises(
        Misdeclared, match=r"nothing stands between|begins with 0|one field or template|must be text"
    ):
        parse_rule(text, "test.yaml", CONTRACTS)


def test_other_faults_of_a_published_text_are_told_as_ever() -> None:
    with pytest.raises(Misdeclared, match="no field"):
        parse_published(PLAIN.replace("{region}-{station}", "{region}{nothing}"), "test.high@1", CONTRACTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 8), ("-017", -15), ("08", "08"), ("0_9", "0_9"), ("0", 0), ("0x1f", 31), ("10", 10)],
)
def test_numbers_of_a_published_text_are_what_they_were(text: str, value: object) -> None:
    assert strict_yaml.load(f"a: {text}", published=True) == {"a": value}
    assert strict_yaml.load(f"a: {text} #\t", published=True) == {"a": value}, "by the other parser, too"


def test_a_file_that_says_the_same_in_other_words_is_the_same() -> None:
    assert same_rule(OCTAL, PLAIN.replace("blue: 115", "blue: 8"))
    assert not same_rule(OCTAL, PLAIN)
