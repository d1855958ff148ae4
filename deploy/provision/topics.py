"""The Kafka topics of the platform: made where they are missing, checked where they are there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, TopicAlreadyExistsError

from deploy.ports import port_open
from schemas.contract import Contract
from schemas.errors import Misdeclared, Unavailable
from schemas.settings import PREFIX, Settings
from schemas.topics import PARTIALS, REJECTED, REPLAYS, RULES, TICKER, WATCH_STATE

TIMESTAMPS = "message.timestamp.type"
APPEND = "LogAppendTime"
RETENTION_MS = "retention.ms"
CLOSED_AFTER_MS = "segment.ms"
CLOSED_AFTER = timedelta(minutes=1)
"""Only what is in a closed segment is compacted, and by itself the broker closes one a week: what is written again
every few seconds would be read again a hundred thousand times over by whoever starts on it."""
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Topic:
    """One topic as it should be; `rewritten`: it is compacted, and its keys are written again and again."""

    name: str
    partitions: int
    compacted: bool = False
    retention: timedelta = MONTH
    rewritten: bool = False

    @property
    def kept(self) -> dict[str, str]:
        """What is kept as declared: for how long after its arrival, or how soon what is old is dropped."""
        if not self.compacted:
            return {RETENTION_MS: _ms(self.retention)}
        return {CLOSED_AFTER_MS: _ms(CLOSED_AFTER)} if self.rewritten else {}

    @property
    def config(self) -> dict[str, str]:
        """Its configuration: arrival is the broker's time; compacted, or kept for its retention."""
        return {TIMESTAMPS: APPEND, **({"cleanup.policy": "compact"} if self.compacted else {}), **self.kept}


def _ms(span: timedelta) -> str:
    return str(int(span.total_seconds() * 1000))


def wanted_topics(settings: Settings, contracts: Mapping[str, Contract]) -> list[Topic]:
    """Every topic the platform needs: one a feed, and those the platform writes for itself."""
    feeds = [
        Topic(contract.topic, settings.partitions, retention=contract.retention)
        for contract in contracts.values()
    ]
    own = [Topic(REJECTED, settings.partitions), Topic(PARTIALS, settings.partitions), Topic(TICKER, 1)]
    state = Topic(WATCH_STATE, settings.partitions, compacted=True, rewritten=True)
    return [*feeds, *own, state, Topic(REPLAYS, 1, compacted=True), Topic(RULES, 1, compacted=True)]


def ensure_topics(settings: Settings, contracts: Mapping[str, Contract]) -> list[str]:
    """Make the topics that are missing and name them, and keep what can be altered as declared.

    Misdeclared where one that exists is otherwise in what cannot be changed.
    """
    wanted = wanted_topics(settings, contracts)
    if not port_open(settings.kafka_port):  # the client would leave its sockets open
        raise _away(settings)
    try:
        with closing(KafkaAdminClient(bootstrap_servers=settings.kafka, bootstrap_timeout_ms=5000)) as admin:
            existing = set(admin.list_topics())
            made = [topic for topic in wanted if topic.name not in existing]
            if made:
                _create(admin, made)
            _check(admin, wanted)
    except (KafkaConnectionError, KafkaTimeoutError) as error:
        raise _away(settings) from error
    return [topic.name for topic in made]


def _away(settings: Settings) -> Unavailable:
    return Unavailable(
        f"the broker does not answer at {settings.kafka}; start it (liaowang up) or set {PREFIX}KAFKA_PORT"
    )


def _create(admin: KafkaAdminClient, topics: list[Topic]) -> None:
    asked = {
        topic.name: {"num_partitions": topic.partitions, "replication_factor": -1, "configs": topic.config}
        for topic in topics
    }
    with suppress(TopicAlreadyExistsError):  # someone else is making the same ones
        admin.create_topics(asked)
    admin.wait_for_topics(list(asked))


def _check(admin: KafkaAdminClient, wanted: list[Topic]) -> None:
    names = [topic.name for topic in wanted]
    partitions = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
    keys = {TIMESTAMPS: "", RETENTION_MS: "", CLOSED_AFTER_MS: ""}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, keys) for name in names]
    configs = admin.describe_configs(asked, config_filter="all")["topic"]
    for topic in wanted:
        if partitions[topic.name] != topic.partitions:
            raise Misdeclared(
                f"topic {topic.name}",
                "partitions",
                f"are {partitions[topic.name]}, the settings say {topic.partitions}; the count is fixed when "
                f"a topic is made: set {PREFIX}PARTITIONS to it, or make a new topic",
            )
        stamps = configs[topic.name][TIMESTAMPS]["value"]
        if stamps != APPEND:
            raise Misdeclared(
                f"topic {topic.name}", TIMESTAMPS, f"is {stamps}; it must be {APPEND}: time is the broker's"
            )
    other = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, topic.kept)
        for topic in wanted
        if any(configs[topic.name][key]["value"] != value for key, value in topic.kept.items())
    ]
    if other:
        admin.alter_configs(other)
