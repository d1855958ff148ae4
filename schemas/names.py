"""Names that declarations may not take, since the platform's own tables, marts, columns and topics have them.

Columns follow from the tables themselves; what else the platform makes in the warehouse is listed here, and a
test compares the list with a real warehouse.
"""

from __future__ import annotations

import re

from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.topics import (
    DISPOSITION_FEED,
    DISPOSITIONS,
    PARTIALS,
    REJECTED,
    REPLAYS,
    RULES,
    WARNING_FEED,
    WARNINGS,
)

LONGEST_ID = 100
"""Characters of the id of a feed, rule or indicator: with what is added, tables, topics and files take it."""
LONGEST_FIELD = 64
ID = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*", re.ASCII)
MARTS = frozenset(
    (
        *("indicator", "region", "calendar", "indicator_definition", "ranking", "release", "current_release"),
        *("provenance", "provenance_input", "day_status", "rule_quality", "reviewed_warning", "department"),
    )
)
"""The platform's own views in `mart`; each may have a twin `<view>_at`."""
TABLES = frozenset(
    (
        *("figure", "baseline", "changed_day", "derived", "disclosure", "epoch", "ledger", "migration"),
        *("rejected", "resent", "tick"),
    )
)
"""The platform's own tables in `landing` and `built`."""
OWN_TOPICS = {
    **dict.fromkeys((REJECTED, REPLAYS, RULES, PARTIALS), ""),
    WARNINGS: WARNING_FEED,
    DISPOSITIONS: DISPOSITION_FEED,
}
"""Topics of the platform, and the feed each is of; those of no feed are written by the platform alone."""
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}", re.ASCII)
_TAKEN_END = re.compile(r"[-.](at|v\d+)$")


def table_of(id: str) -> str:
    """The table and mart of a feed or indicator: `ecology.air-quality` -> `ecology_air_quality`."""
    return id.replace("-", "_").replace(".", "_")


def check_id(entry: Entry, what: str) -> str:
    """The id of a feed or indicator (`what`) in an entry, whose tables and marts no others can have."""
    id = entry.text()
    if not ID.fullmatch(id):
        raise entry.wrong(f"{id!r:.60} must be <domain>.<{what}> in lower case, digits and hyphens")
    if len(id) > LONGEST_ID:
        raise entry.wrong(f"has {len(id)} characters; there may be {LONGEST_ID}")
    if table_of(id) in MARTS | TABLES:
        raise entry.wrong(f"{table_of(id)} is a table or mart of the platform; choose another name")
    if end := _TAKEN_END.search(id):
        said = "marts as of a release" if end[1] == "at" else "tables of major versions"
        raise entry.wrong(f"must not end in {end[1]!r}: so end the names of {said}")
    return id


def check_topic(entry: Entry, feed: str) -> str:
    """The topic of a feed: one that a broker takes, and none of the platform's own."""
    topic = entry.text()
    if not _TOPIC.fullmatch(topic) or topic.startswith("_") or not topic.strip("."):
        raise entry.wrong("must be a Kafka topic: letters, digits, dots, hyphens, underscores, 249 at most")
    if OWN_TOPICS.get(topic, feed) != feed:
        raise entry.wrong(f"{topic} is a topic of the platform itself; choose another name")
    return topic


def check_table(taken: dict[str, str], where: str, id: str) -> None:
    """Note the table of an id under its name; Misdeclared where another has it: `a.b-c` and `a-b.c` are one."""
    if other := taken.get(table_of(id)):
        raise Misdeclared(
            where, "id", f"the table {table_of(id)} is that of {other} already; choose another name"
        )
    taken[table_of(id)] = id
