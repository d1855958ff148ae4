"""The lease of the ticker: of all that run, one ticks, and it is the broker that says which.

Tickers are members of one consumer group; who is assigned the only partition of the topic `ticker` has the lease.
Nothing is ever read from it: a commit of the group, which the broker takes of members of its present generation
only, is the proof. Before the broker gives the lease to another, the session of the one that has it must have
expired, so a proof holds for less than that. A program that was stopped and goes on has none that is fresh.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from schemas.errors import Unavailable
from schemas.topics import TICKER
from streams.broker_probe import probe_broker

log = logging.getLogger("liaowang.ticker")

GROUP = "liaowang-ticker"
PLACE = TopicPartition(TICKER, 0)
SESSION_MS, HEARTBEAT_MS, REJOIN_MS = 10_000, 2_000, 30_000
"""Without a word for so long a member is out; every so often it gives one; so long it may take to join again."""
FRESH_SECONDS = 2.0
"""How long a proof is good: well within a session, so that a tick on its way arrives within it, too."""
CONNECT_MS, REQUEST_MS, POLL_MS = 3_000, 5_000, 100
JOIN_SECONDS = 3.0
"""So long one call goes on polling for a place in the group. A join that ends between two polls is begun anew by
the next one, so polls with pauses between them never join where the broker takes longer than a poll."""
_NO_MEMBER = (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class Standing(StrEnum):
    """What is known of the lease: this one has it, another has it, or the group is just being joined."""

    HOLDS = "holds"
    ANOTHERS = "anothers"
    JOINING = "joining"


class Lease(Protocol):
    """Who asks before each tick whether it is his to write."""

    def standing(self) -> Standing:
        """Whether this one ticks; Unavailable where the broker does not say."""

    def close(self) -> None:
        """Give it back, so that another takes over at once."""


class GroupLease:
    """The lease as a member of the group, which it joins when first asked. To be asked every second or so."""

    def __init__(self, bootstrap: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._bootstrap, self._clock = bootstrap, clock
        self._consumer: KafkaConsumer | None = None
        self._proved: float | None = None

    def standing(self) -> Standing:
        """What the broker has said within FRESH_SECONDS; it is asked where it has not."""
        since = None if self._proved is None else self._clock() - self._proved
        if since is not None and since < FRESH_SECONDS:
            return Standing.HOLDS
        if since is not None and since >= SESSION_MS / 1000:
            self._drop()  # it is another's by now, and is not to be asked back
        try:
            return self._prove(self._connected())
        except (KafkaError, OSError) as error:
            self._drop()
            raise Unavailable(f"the lease of ticks: {_why(error)}") from error

    def close(self) -> None:
        """Leave the group."""
        self._drop()

    def _prove(self, consumer: KafkaConsumer) -> Standing:
        until = self._clock() + JOIN_SECONDS
        while True:
            begun = self._clock()
            consumer.poll(timeout_ms=POLL_MS)
            if PLACE in consumer.assignment():
                if self._committed(consumer):
                    self._proved = begun
                    return Standing.HOLDS
            else:
                self._proved = None
                if not consumer.partitions_for_topic(TICKER):
                    raise UnknownTopicOrPartitionError(TICKER)
            if self._clock() >= until:
                return _without(consumer)

    def _committed(self, consumer: KafkaConsumer) -> bool:
        """Whether the broker takes a commit of this member; it does not while places are given anew."""
        consumer.pause(PLACE)
        try:
            consumer.commit({PLACE: OffsetAndMetadata(0, "", -1)}, timeout_ms=REQUEST_MS)
        except _NO_MEMBER:
            return False
        return True

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            probe_broker(self._bootstrap, CONNECT_MS / 1000)
            self._consumer = KafkaConsumer(
                TICKER,
                bootstrap_servers=self._bootstrap,
                group_id=GROUP,
                enable_auto_commit=False,
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=REJOIN_MS,
                bootstrap_timeout_ms=CONNECT_MS,
                request_timeout_ms=REQUEST_MS,
                metadata_max_age_ms=30_000,
            )
        return self._consumer

    def _drop(self) -> None:
        consumer, self._consumer, self._proved = self._consumer, None, None
        if consumer is None:
            return
        try:
            consumer.close(timeout_ms=CONNECT_MS)
        except KafkaError as error:
            log.warning("the lease of ticks is not given back, it runs out: %s", error)


def _without(consumer: KafkaConsumer) -> Standing:
    """What is known where there is no proof: a member that has its place, and not the lease, knows whose it is."""
    placed = consumer.group_metadata().state is MemberState.STABLE and PLACE not in consumer.assignment()
    return Standing.ANOTHERS if placed else Standing.JOINING


def _why(error: KafkaError | OSError) -> str:
    if isinstance(error, UnknownTopicOrPartitionError):
        return f"there is no topic {TICKER}; `liaowang up` makes it"
    return str(error) or type(error).__name__


class OwnLease:
    """The lease of the only ticker there is."""

    def standing(self) -> Standing:
        """Always."""
        return Standing.HOLDS

    def close(self) -> None:
        """Nothing."""
