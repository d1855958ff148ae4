"""A contract goes only when nobody needs it: no rule in force reads it, and none did where a partition still is.

What a rule has open is ended by `watch`, partition by partition, at the tick that brings the next set of rules. A
`watch` that starts without the contract of that rule cannot read it any more: what it has open would stay so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from kafka.admin import KafkaAdminClient

from deploy.rules.files import readable
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.event import LIVE
from schemas.settings import Settings
from schemas.topics import PARTIALS, WATCH_GROUP
from streams.land.broker import Topic, administration, committed, describe
from streams.land.ledger import lineage, log_epoch_of
from streams.land.warehouse import Warehouse
from streams.retrying import until
from streams.watch.declare.rule import Rule
from streams.watch.publish.newest import contracts_then, rule_book
from streams.watch.publish.published import History

_FIRST_TICKS = """
SELECT partition, min(offset) FROM landing.tick
WHERE topic = %(topic)s AND log_epoch IN %(logs)s AND timeline = %(live)s AND epoch >= %(epoch)s
GROUP BY partition"""
Contracts = Mapping[str, Contract]
Place = tuple[str, int]
"""A topic and the number of its partition."""
SECOND_STAGE_SECONDS, PAUSE_SECONDS = 40.0, 0.5
"""`watch` commits every second, and on a busy machine at least every half minute."""


@dataclass(frozen=True)
class Release:
    """From which epoch on no rule reads what goes, and the topics whose ticks have to bring it."""

    epoch: int
    topics: tuple[str, ...]


def require_unread(told: History, before: Contracts, contracts: Contracts) -> None:
    """Misdeclared where a contract goes that a rule in force reads: what that has open, nobody would end."""
    gone = _gone(before, contracts)
    if not gone:
        return
    for rule in readable(told, contracts_then(before, told.newest()), ()):
        for contract in _read(rule, before):
            if contract.topic in gone:
                still = f"is declared no more, and {rule.id}@{rule.version} is in force and reads it"
                first = "keep it beside the newest, have the rule retired or changed, then remove it"
                raise Misdeclared(contract.event_type, "feed", f"{still}: {first}")


def require_judged(
    settings: Settings,
    told: History,
    before: Contracts,
    contracts: Contracts,
    seconds: float = SECOND_STAGE_SECONDS,
) -> None:
    """Misdeclared where a contract goes and a partition has yet to be judged up to the tick that lets it go.

    What the second stage has been handed by then, too: it is given `seconds`. Only live ticks count.
    """
    found = release(told, before, contracts)
    waiting = _not_judged(settings, found, seconds) if found is not None else []
    if waiting:
        names = ", ".join(sorted(_gone(before, contracts).values()))
        still = f"is declared no more, and watch has not yet judged {', '.join(waiting[:3])}"
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        then = (
            "up to the tick by which the rules that read it end: apply again when watch has, or keep the file"
        )
        raise Misdeclared(names, "feed", f"{still}{more} {then}")


def release(told: History, before: Contracts, contracts: Contracts) -> Release | None:
    """What has to be waited for before these contracts go; None where no rule ever read them.

    Pure: rules are read as they were under each epoch; those that cannot be read were judged by nobody.
    """
    gone = _gone(before, contracts)
    if not gone:
        return None
    book, epochs, last, topics = rule_book(told, before), told.epochs, -1, set[str]()
    for at, epoch in enumerate(epochs):
        for rule in book.rule_set(epoch).rules:
            read = {contract.topic for contract in _read(rule, before)}
            if read & gone.keys():
                topics |= read
                last = at
    if last < 0 or last + 1 == len(epochs):  # the latter: `require_unread` has it
        return None
    return Release(epochs[last + 1], tuple(sorted(topics)))


def not_judged(
    parts: Sequence[Place],
    ticks: Mapping[Place, int],
    done: Mapping[Place, int],
) -> list[str]:
    """The partitions of which the tick is not known, or not judged; `done` are the offsets to go on from."""
    return [
        f"{topic}/{partition}"
        for topic, partition in parts
        if (topic, partition) not in ticks or done.get((topic, partition), 0) <= ticks[topic, partition]
    ]


def _not_judged(settings: Settings, found: Release, seconds: float) -> list[str]:
    with administration(settings.kafka) as admin:
        there = set(admin.list_topics())
        topics = describe(admin, [name for name in found.topics if name in there])
        first = _first_stage(settings, found, topics, _done(admin))
        if first or PARTIALS not in there:
            return first
        ends = {
            (PARTIALS, part): end - 1 for part, (_, end) in describe(admin, [PARTIALS])[0].offsets.items()
        }
        handed = {place: last for place, last in ends.items() if last >= 0}
        until(lambda: not not_judged(list(handed), handed, _done(admin)), seconds, PAUSE_SECONDS)
        return not_judged(list(handed), handed, _done(admin))


def _done(admin: KafkaAdminClient) -> dict[Place, int]:
    return {(tp.topic, tp.partition): offset for tp, offset in committed(admin, WATCH_GROUP).items()}


def _first_stage(
    settings: Settings, found: Release, topics: Sequence[Topic], done: Mapping[Place, int]
) -> list[str]:
    with closing(Warehouse(settings.warehouse("service"))) as warehouse:
        ticks = {
            (topic.name, partition): offset
            for topic in topics
            for partition, offset in _first_ticks(warehouse, topic, found.epoch)
        }
    return not_judged([(topic.name, number) for topic in topics for number in topic.offsets], ticks, done)


def _first_ticks(warehouse: Warehouse, topic: Topic, epoch: int) -> Collection[tuple[int, int]]:
    known = warehouse.log_epochs(topic.name)
    logs = tuple(lineage(known, log_epoch_of(known, topic.topic_id)))
    given = {"topic": topic.name, "logs": logs, "live": LIVE, "epoch": epoch}
    return [(int(partition), int(offset)) for partition, offset in warehouse.rows(_FIRST_TICKS, given)]


def _gone(before: Contracts, contracts: Contracts) -> dict[str, str]:
    """The event types of the contracts that go, by topic."""
    stay = {each.topic for each in contracts.values()}
    return {each.topic: each.event_type for each in before.values() if each.topic not in stay}


def _read(rule: Rule, contracts: Contracts) -> list[Contract]:
    return [contracts[feed] for feed in rule.feeds if feed in contracts]
