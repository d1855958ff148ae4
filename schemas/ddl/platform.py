"""The tables of the platform that belong to no single feed or indicator: what each should be now.

How a warehouse of an earlier version came here, the migrations say (`schemas/migrations`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta

from schemas.contract_model import Contract
from schemas.ddl.model import MOMENT, NAME, REPLACING, Column, Engine, Table, columns
from schemas.ddl.render import literal

_OFFSETS = "Map(String, Array(UInt64))"
_WATERMARKS = f"Map(String, {MOMENT})"
_PLACE = (("log_epoch", "UInt16"), ("partition", "UInt16"), ("offset", "UInt64"))
_PLACE_KEY = ("topic", "log_epoch", "partition", "offset")
_BUILD = (("table", NAME), ("day", "Date"), ("build_id", "String"))
_RAW = Column("raw", "String", "The message as it came", codec="CODEC(ZSTD(3))")


def build_key(table: str, day: str, build_id: str) -> str:
    """SQL: one number for one day of one table in one build.

    It is compared ten times as fast as the three; no two of the 2^64 first builds share one.
    """
    return f"reinterpretAsUInt128(sipHash128(toString({table}), {day}, {build_id}))"


_WORDS = "if(position(text, ': ') = 0, 1, position(text, ': ') + 2)"
_TOLD = (
    """DEFAULT arrayMap(text -> concat('{"found":"told","given":{"words":', """
    f"""toJSONString(substring(text, {_WORDS})), '}},"check":', """
    """toJSONString(substring(text, 1, greatest(position(text, ': '), 1) - 1)), '}'), failed)"""
)
_FINDINGS = Column(
    "findings", "Array(String)", "What the gate found: check, code, parameters, as JSON", _TOLD
)
"""Of rows that have words alone, those words under their check."""
REJECTED = Table(
    "landing",
    "rejected",
    (
        *columns((("feed", NAME), ("topic", NAME), *_PLACE, ("arrived", MOMENT), ("timeline", NAME))),
        *columns(
            (("field", NAME), ("rule", NAME), ("value", "String"), ("id", "String"), ("source", "String"))
        ),
        _RAW,
    ),
    order=_PLACE_KEY,
    engine=REPLACING,
    partition="toYYYYMM(arrived)",
    comment="Events that break their contract, with the first rule they break",
)
TICK = Table(
    "landing",
    "tick",
    columns(
        (
            *(("topic", NAME), *_PLACE, ("arrived", MOMENT), ("timeline", NAME), ("clock", MOMENT)),
            *(("final", "UInt8"), ("epoch", "UInt64", "Set of rules that is in force from this tick on")),
        )
    ),
    order=_PLACE_KEY,
    engine=REPLACING,
    partition="toYYYYMM(arrived)",
    comment="Control messages: the clock of a feed or a replay at this offset",
)
LEDGER = Table(
    "landing",
    "ledger",
    columns(
        (
            *(("topic", NAME), ("feed", NAME), *_PLACE[:2], ("first", "UInt64"), ("last", "UInt64")),
            *((name, "UInt64") for name in ("accepted", "rejected", "control")),
            ("watermarks", _WATERMARKS, "Latest event time or tick by timeline, after `last`"),
            ("arrived_last", MOMENT),
            ("listed", "UInt8", "Whether landing.changed_day names the days of everything accepted in it"),
            ("parts", "UInt32", "Intervals that were merged into this one; 0 is one as it was written"),
        )
    ),
    order=("topic", "log_epoch", "partition", "first", "last"),
    engine=REPLACING,
    comment="Offset intervals that are wholly landed; read as their union",
)
EPOCH = Table(
    "landing",
    "epoch",
    columns((("topic", NAME), ("topic_id", "String"), ("log_epoch", "UInt16"))),
    order=("topic", "log_epoch"),
    engine=REPLACING,
    comment="Which log an epoch number means: a recreated topic or another partition count is a new one",
)
CHANGED_DAY = Table(
    "landing",
    "changed_day",
    columns(
        (
            *(("topic", NAME), ("event_day", "Date"), *_PLACE[:2]),
            ("last", "SimpleAggregateFunction(max, UInt64)", "Last offset of the day"),
            (
                "corrected",
                "SimpleAggregateFunction(max, UInt64)",
                "Offset after the last correction; 0 for none",
            ),
        )
    ),
    order=("topic", "event_day", "log_epoch", "partition"),
    engine=Engine("AggregatingMergeTree"),
    comment="Which days the landed events of each partition are of",
)
RESENT = Table(
    "landing",
    "resent",
    columns(
        (
            *(("topic", NAME), *_PLACE, ("source", "String"), ("id", "String"), ("corrects", "String")),
            ("at", MOMENT),
        )
    ),
    order=_PLACE_KEY,
    engine=Engine("ReplacingMergeTree", ("at",)),
    comment="Rejected events that were sent again, corrected: under which id, and whether as a correction",
)
DISCLOSURE = Table(
    "landing",
    "disclosure",
    columns((("at", MOMENT), ("who", "String"), ("what", "String"), ("messages", "UInt64"))),
    order=("at",),
    comment="Each time raw bytes of messages were shown to a person: to which account, and of which figure",
)
BASELINE = Table(
    "landing",
    "baseline",
    columns(
        (
            *(("name", NAME), ("version", "UInt32"), ("computed", MOMENT), ("subject", "String")),
            *(("slot", "UInt16"), ("mean", "Float64"), ("sd", "Float64"), ("points", "UInt64")),
            *(("rule", NAME), ("rule_version", "UInt32"), ("first", "Date"), ("last", "Date")),
        )
    ),
    order=("name", "version", "computed", "subject", "slot"),
    engine=REPLACING,
    comment="What is usual: every baseline worked out of landed events, by the version it was published as",
)
MIGRATION = Table(
    "landing",
    "migration",
    (
        *columns((("number", "UInt32"), ("name", "String"), ("digest", "String"))),
        Column("applied", MOMENT, default="DEFAULT now64(3)"),
    ),
    order=("number",),
    comment="Migrations that were applied",
)
DERIVED = Table(
    "landing",
    "derived",
    (
        *columns((("name", "String"), ("statements", "String"), ("form", "String"))),
        Column("at", MOMENT, default="DEFAULT now64(3)"),
    ),
    order=("name",),
    engine=Engine("ReplacingMergeTree", ("at",)),
    comment="Views that follow from declarations: what each was made by, and its form afterwards",
)
QUARANTINE = Table(
    "quality",
    "quarantine",
    (
        *columns((("build_id", "String"), ("table", NAME), ("day", "Date"), *_PLACE, ("arrived", MOMENT))),
        *columns((("source", NAME), ("id", "String"), ("reasons", f"Array({NAME})"))),
        _RAW,
    ),
    order=("table", "day", "build_id", "partition", "offset"),
    partition="toYYYYMM(day)",
    comment="Rows a build left out, by the row rules they break; they can be sent again as corrections",
)
VERDICT = Table(
    "quality",
    "verdict",
    (
        *columns((*_BUILD, ("passed", "UInt8"), ("suite", NAME), ("suite_hash", NAME), ("rows", "UInt64"))),
        *columns((("expectations", "UInt32"), ("failed", "Array(String)"))),
        _FINDINGS,
        Column("decided", MOMENT),
    ),
    order=("table", "day", "build_id", "decided"),
    comment="What the gate said of one day of one table in one build; no row means not passed",
)
TASK = Table(
    "quality",
    "task",
    (
        *columns(
            (("task", "String"), ("state", NAME), ("department", NAME), ("table", NAME), ("day", "Date"))
        ),
        *columns((("build_id", "String"), ("failed", "Array(String)"))),
        _FINDINGS,
        Column(
            "evidence", "Array(String)", "JSON, one text a row: places in the log and reasons, never values"
        ),
        *columns((("note", "String"), ("at", MOMENT))),
    ),
    order=("task", "at"),
    comment="Work for a department: a day of its table did not pass the gate; the latest row of a task counts",
)
RULE_DAY = Table(
    "quality",
    "rule_day",
    columns(
        (
            *(("rule", NAME), ("day", "Date"), ("version", "UInt32"), ("timeline", NAME), ("level", NAME)),
            *((name, "UInt32") for name in ("agreed", "earlier", "later", "missed", "spurious")),
            ("delays", "Array(Float64)", "Of the earlier and later ones, seconds"),
            ("complete", "UInt8"),
            ("events", "UInt64", "Landed rows of the rule's feeds it read of that day"),
            ("reviewed", MOMENT),
        )
    ),
    order=("rule", "day", "timeline", "level"),
    engine=Engine("ReplacingMergeTree", ("reviewed",)),
    partition="toYear(day)",
    comment="A review of one rule and day, one row a timeline and level; the latest review counts",
)
RULE_WARNING = Table(
    "quality",
    "rule_warning",
    columns(
        (
            *(("rule", NAME), ("day", "Date"), ("version", "UInt32"), ("timeline", NAME), ("level", NAME)),
            *(("subject", "String"), ("region", NAME), ("verdict", NAME)),
            *((name, f"Nullable({MOMENT})") for name in ("known_now", "known_then")),
            *(("episode", "String"), ("reviewed", MOMENT)),
        )
    ),
    order=("rule", "day", "reviewed"),
    partition="toYear(day)",
    comment="The warnings a review speaks of: one row a warning and level that should have been or was",
)
ATTEMPT = Table(
    "release",
    "attempt",
    (
        *columns((("build_id", "String"), ("state", NAME), ("first", "Date"), ("last", "Date"))),
        Column("parent", "UInt64", "Release whose builds it took for other days"),
        Column(
            "offsets", "Map(String, UInt64)", "Ends (exclusive) of what it read, by topic/epoch/partition"
        ),
        Column("at", MOMENT),
        Column("kind", NAME, "build, late or backfill: why it was made", "DEFAULT 'build'"),
        Column("days", "Array(Date)", "The very days, where they are not the whole span"),
        Column("fixed", "UInt8", "Whether `ends` says what it read; an older one has offsets alone"),
        Column(
            "ends",
            "Array(Tuple(topic String, log_epoch UInt16, partition UInt16, stop UInt64, accepted UInt64,"
            f" arrived_last {MOMENT}, watermarks {_WATERMARKS}, hole Bool))",
            "Where the ledger ended when it began",
        ),
        Column("ended", "Array(String)", "Replays that were over when it began"),
    ),
    order=("build_id", "at"),
    comment="One attempt to build a span of days; a second row, `released`, when all it built is published",
)
BUILD = Table(
    "release",
    "build",
    columns(
        (
            *_BUILD,
            *((name, "UInt64") for name in ("rows", "duplicates", "corrected", "quarantined")),
            *(("content_hash", "String"), ("complete", "UInt8"), ("version", NAME)),
            ("offsets", _OFFSETS, "First and last offset of its rows, by epoch/partition"),
        )
    ),
    order=("table", "day", "build_id"),
    comment="One day of one table in one build, and what it holds",
)
MANIFEST = Table(
    "release",
    "manifest",
    (
        *columns((("seq", "UInt64"), ("parent", "UInt64"), *_BUILD, ("content_hash", "String"))),
        *columns((("complete", "UInt8"), ("version", NAME), ("suite_hash", NAME), ("code", NAME))),
        Column("released", MOMENT),
        Column("kind", NAME, "That of the attempt, or rollback", "DEFAULT 'build'"),
        Column("note", "String", "Of a rollback, the release it shows again"),
        Column("rows", "UInt64"),
        Column("verdict", NAME, default="DEFAULT 'passed'"),
        Column("offsets", _OFFSETS),
    ),
    order=("seq", "table", "day"),
    comment="What each release consists of, written before its pointers; without pointer it was never published",
)
POINTER = Table(
    "release",
    "pointer",
    (
        *columns((("seq", "UInt64"), *_BUILD)),
        Column("build_key", "UInt128", default=f"MATERIALIZED {build_key('table', 'day', 'build_id')}"),
    ),
    order=("table", "day", "seq"),
    comment="The commit: one release is one insert; a day of a table shows the build of its latest pointer",
)
PIN = Table(
    "release",
    "pin",
    columns((("seq", "UInt64"), ("pinned", "UInt8"), ("reason", "String"), ("at", MOMENT))),
    order=("seq", "at"),
    comment="Pinned releases do not expire; the latest row of a release counts",
)
EXPIRED = Table(
    "release",
    "expired",
    columns((("seq", "UInt64"), ("at", MOMENT))),
    order=("seq",),
    comment="Releases past their age: events that only they show may be gone, manifest and figures stay",
)
DELETED = Table(
    "release",
    "deleted",
    columns((*_BUILD, ("at", MOMENT))),
    order=("table", "day", "build_id"),
    comment="Builds whose rows were deleted",
)
PROGRESS = Table(
    "release",
    "progress",
    columns(
        (
            *(("build_id", "String"), ("table", NAME), ("first", "Date"), ("last", "Date")),
            *(("rows", "UInt64"), ("seconds", "Float64"), ("at", MOMENT)),
        )
    ),
    order=("build_id", "table", "first"),
    comment="Which days of a build are wholly written, so that one that was killed goes on there",
)
INPUT = Table(
    "release",
    "input",
    columns(
        (
            *(*_BUILD, ("input", NAME), ("input_build", "String")),
            *(("first", "Date"), ("last", "Date")),
        )
    ),
    order=("table", "day", "build_id", "input", "first"),
    comment="What one figure period of one build was made of; an input of its own name is earlier figures",
)
PLATFORM = (
    *(LEDGER, EPOCH, CHANGED_DAY, RESENT, DISCLOSURE, BASELINE, MIGRATION, DERIVED),
    *(QUARANTINE, VERDICT, TASK, RULE_DAY, RULE_WARNING),
    *(ATTEMPT, BUILD, MANIFEST, POINTER, PIN, EXPIRED, DELETED, PROGRESS, INPUT),
)
"""All but those whose retention follows from contracts."""


def platform_tables(contracts: Collection[Contract]) -> list[Table]:
    """All of them; rejected events and ticks are kept as long as the events of their feed."""
    days = [retention_days(contract) for contract in contracts]
    rejected = replace(REJECTED, ttl=_kept("feed", [contract.feed for contract in contracts], days))
    tick = replace(TICK, ttl=_kept("topic", [contract.topic for contract in contracts], days))
    return [rejected, tick, *PLATFORM]


def retention_days(contract: Contract) -> int:
    """How long its events are kept, in whole days, rounded up."""
    return -(-contract.retention // timedelta(days=1))


def _kept(column: str, names: Iterable[str], days: Collection[int]) -> str:
    if not days:
        return ""
    texts, numbers = ", ".join(map(literal, names)), ", ".join(map(str, days))
    return f"toDateTime(arrived) + toIntervalDay(transform({column}, [{texts}], [{numbers}], {max(days)}))"
