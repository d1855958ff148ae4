"""Tables of a feed, derived from its contract: `landing.<table>` (as it came) and `built.<table>` (by build).

Rows come in by column name, so a new field needs no more than a new column. Types: text is String, or
LowCardinality where the contract bounds its values (enum, region); integer Int64, number Float64, date
Date32, timestamp DateTime64(3) in Asia/Shanghai, boolean UInt8; optional fields are Nullable.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.contract_model import Contract, Field
from schemas.ddl.model import MOMENT, NAME, REPLACING, Column, Table
from schemas.ddl.platform import retention_days
from schemas.ddl.render import create

_PLACE = [
    ("event_day", "Date"),
    ("log_epoch", "UInt16"),
    ("partition", "UInt16"),
    ("offset", "UInt64"),
    ("arrived", MOMENT),
    ("timeline", NAME),
    ("late", "UInt8"),
]
_BUILD = ("build_id", "String")
_ENVELOPE = [("source", NAME), ("id", "String"), ("time", MOMENT), ("corrects", "String")]
_RAW = ("raw", "String")
OF_MARTS = ("day", "corrected", "release_seq")
"""Columns that a feed's mart has beside those of its table."""
OWN_COLUMNS = frozenset((*(name for name, _ in (_BUILD, *_PLACE, *_ENVELOPE, _RAW)), *OF_MARTS))
"""Columns of the platform in the tables and the mart of every feed; no field may have such a name."""
_KINDS = {"string": "String", "integer": "Int64", "number": "Float64", "date": "Date32"}
_KINDS |= {"timestamp": MOMENT, "boolean": "UInt8"}


def column_type(contract: Contract, field: Field) -> str:
    """The ClickHouse type of one field."""
    kind = _KINDS[field.kind]
    if field.pseudonymised:
        return kind if field.required else f"Nullable({kind})"
    if not field.required:
        kind = f"Nullable({kind})"
    return f"LowCardinality({kind})" if field.enum or field.name == contract.region_field else kind


def field_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the contract's own columns, in its order."""
    return [(field.name, column_type(contract, field)) for field in contract.fields]


def landing_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the columns of `landing.<table>`, in order."""
    return [*_PLACE, *_ENVELOPE, *field_columns(contract), _RAW]


def built_columns(contract: Contract) -> list[tuple[str, str]]:
    """Name and type of the columns of `built.<table>`, in order: the landing columns but the raw bytes."""
    return [_BUILD, *_PLACE, *_ENVELOPE, *field_columns(contract)]


def landing_table(contract: Contract) -> Table:
    """`landing.<table>`; a row written again after a crash replaces itself.

    Partitioned by month of arrival, ordered by event day first: a day's rows lie together. Events are kept for
    the contract's retention after their arrival; whole months go at once. Files that still hold a younger event
    stay as they are, so a build finds what the ledger says is there.
    """
    return Table(
        "landing",
        contract.table,
        _described(contract, landing_columns(contract)),
        order=("event_day", "log_epoch", "partition", "offset"),
        engine=REPLACING,
        partition="toYYYYMM(arrived)",
        ttl=f"toDateTime(arrived) + toIntervalDay({retention_days(contract)})",
        settings=(("ttl_only_drop_parts", "1"),),
        comment=contract.description,
        shard="sipHash64(log_epoch, partition, offset)",
    )


def built_table(contract: Contract) -> Table:
    """`built.<table>`: the rows of every build side by side; a release points at one build a day."""
    return Table(
        "built",
        contract.table,
        _described(contract, built_columns(contract)),
        order=("event_day", "build_id", "partition", "offset"),
        partition="toYYYYMM(event_day)",
        comment=contract.description,
        shard="sipHash64(build_id, partition, offset)",
    )


def feed_tables(contracts: Iterable[Contract]) -> list[Table]:
    """Both tables of each."""
    return [made for contract in contracts for made in (landing_table(contract), built_table(contract))]


def contract_statements(contract: Contract) -> list[str]:
    """Create the tables of a contract; each statement is safe to run twice."""
    return [statement for table in feed_tables([contract]) for statement in create(table)]


def describe(field: Field) -> str:
    """What a field means, with its unit, as the comment of its column says."""
    unit = f" ({field.unit})" if field.unit else ""
    unit += " (a pseudonym, the id of its key before the colon)" if field.pseudonymised else ""
    return f"{field.description}{unit}"


def _described(contract: Contract, pairs: Iterable[tuple[str, str]]) -> tuple[Column, ...]:
    """The columns of a table with what the contract says of its fields."""
    texts = {field.name: describe(field) for field in contract.fields}
    codecs = {_RAW[0]: "CODEC(ZSTD(3))"}
    return tuple(Column(name, kind, texts.get(name, ""), codec=codecs.get(name, "")) for name, kind in pairs)
