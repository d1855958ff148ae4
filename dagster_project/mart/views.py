"""The SQL of `mart`: what BI may see, and only through the current release. Pure.

A view `x_at(release = N)` runs with the rights of `service` and shows what release N points at. The view `x`
runs with the reader's own rights and asks `x_at` for the current release. Being of the reader's statement,
that one scalar is computed once a statement, so all marts in it speak of the same release; inside a view with
rights of its own it would be computed once a view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FIGURE, FIGURES
from dagster_project.mart import barrier
from quality.rows import quote
from schemas.contract import Contract
from schemas.ddl import model
from schemas.ddl.model import MOMENT, NAME, SERVICE, View
from schemas.tables import describe, field_columns

CURRENT = f"(SELECT if(seq = 0, {barrier.BEFORE}, seq) FROM mart.current_release)"
_SEQ = ("release_seq", "UInt64", "Release the row is shown by")

_RELEASE = (
    ("seq", "UInt64", "Number of the release, rising"),
    ("parent", "UInt64", "Release it follows"),
    ("released", MOMENT, "When it was published"),
    ("days", "UInt64", "Days of tables it published"),
    ("tables", "UInt64", "Tables among them"),
    ("first", "Date", "First day among them"),
    ("last", "Date", "Last day among them"),
)
_OFFSETS = "Map(String, UInt64)"
_WHENCE = (
    "Where each period of an indicator comes from: release, build, versions, verdict, offsets",
    "Which days of which builds each period of an indicator was made of",
)
_PROVENANCE = (
    ("indicator", NAME, "Id of the indicator"),
    ("day", "Date", "Last day of the period"),
    ("published", "UInt64", "Release that published it"),
    ("released", MOMENT, "When it was published"),
    ("build_id", "String", "Build it is of"),
    ("code", NAME, "Version of the platform's code"),
    ("version", NAME, "Version of the indicator's declaration"),
    ("content_hash", "String", "The same for the same figures"),
    ("complete", "UInt8", "Whether all its input could be in when it was built"),
    ("suite", NAME, "Suite the gate judged it by"),
    ("suite_hash", NAME, "The same for the same expectations"),
    ("passed", "UInt8", "Whether the gate let it pass"),
    ("parent", "UInt64", "Release it took days outside its build from"),
    ("offsets", _OFFSETS, "Where its build stopped reading, by topic/epoch/partition"),
)
_INPUT = (
    ("indicator", NAME, "Id of the indicator"),
    ("day", "Date", "Last day of the period"),
    ("build_id", "String", "Build the figure is of"),
    ("input", NAME, "Table it was made of; its own name where it was compared with earlier figures"),
    ("feed", NAME, "Feed of that table; empty for figures"),
    ("topic", NAME, "Kafka topic of that feed"),
    ("department", NAME, "Department that answers for it"),
    ("input_build", "String", "Build of the input"),
    ("first", "Date", "First day read of it"),
    ("last", "Date", "Last day read of it"),
    ("offsets", _OFFSETS, "Where that build stopped reading its topic, by topic/epoch/partition"),
)


@dataclass(frozen=True)
class Column:
    """One column of a mart and the SQL it comes from."""

    name: str
    kind: str
    comment: str
    source: str = ""

    @property
    def declared(self) -> model.Column:
        """The column as a view declares it."""
        return model.Column(self.name, self.kind, self.comment)

    @property
    def read(self) -> str:
        """The column it comes from."""
        return self.source.lstrip("`").partition("`")[0].split(" ")[0]


def feed_mart(contract: Contract) -> list[View]:
    """The mart of a feed: its public and internal fields, of personal ones pseudonyms at most, no raw bytes."""
    chosen = (
        f"SELECT day, argMax(build_id, seq) FROM release.pointer WHERE table = {quote(contract.table)}"
        f" AND {barrier.REACHED} GROUP BY day"
    )
    column = region_column(contract)
    mine = f" AND {barrier.mine(f'`{column}`')}" if column else ""
    shown = (
        f"built.{contract.table} PREWHERE {barrier.opened(lasting=True)}"
        f" AND (event_day, build_id) IN ({chosen}){mine}"
    )
    return _mart(contract.table, feed_columns(contract), contract.description, shown)


def region_column(contract: Contract) -> str:
    """The field that says whose rows a feed's are: that of its region, or else one by this name; "" for none.

    A row that leaves it empty is the province's alone.
    """
    named = {field.name for field in contract.fields if field.name == "region" and field.kind == "string"}
    return contract.region_field or next(iter(named), "")


def feed_columns(contract: Contract) -> list[Column]:
    """The columns of a feed's mart."""
    columns = [
        Column("day", "Date", "Day of the event (Asia/Shanghai)", "event_day"),
        Column("source", NAME, "Who sent the event", "source"),
        Column("id", "String", "Id of the event within its source", "id"),
        Column("time", MOMENT, "When it occurred", "time"),
        Column(
            "corrected", "UInt8", "Whether a correction replaced the event as first sent", "corrects != ''"
        ),
        Column("arrived", MOMENT, "When the message arrived", "arrived"),
        Column(
            "late",
            "UInt8",
            "Whether it came too late for any rule; it is landed and built all the same",
            "late",
        ),
        Column("timeline", NAME, "Replay the event belongs to; empty for what happens now", "timeline"),
        Column("log_epoch", "UInt16", "Log of the topic the message stands in", "log_epoch"),
        Column("partition", "UInt16", "Partition of the topic the message stands in", "partition"),
        Column("offset", "UInt64", "Offset of the message in its partition", "offset"),
    ]
    kinds = dict(field_columns(contract))
    for field in contract.fields:
        if field.classification != "personal" or field.pseudonymised:
            columns.append(Column(field.name, kinds[field.name], describe(field), f"`{field.name}`"))
    return columns


def figure_columns() -> list[Column]:
    """The columns of an indicator's mart."""
    columns = [Column("day", FIGURE[0][1], FIGURE[0][2], "event_day")]
    return columns + [Column(name, kind, comment, name) for name, kind, comment in FIGURE[1:]]


def indicator_mart(indicator: Indicator) -> list[View]:
    """The mart of one indicator."""
    comment = (
        f"{indicator.title_zh} / {indicator.title_en}, {indicator.unit}. {indicator.description}"
        f" Limits: {indicator.limits}"
    )
    shown = f"{FIGURES} PREWHERE indicator = {quote(indicator.id)} AND {_pointed([indicator])}"
    return _mart(indicator.table, figure_columns(), comment, shown)


def all_indicators(indicators: Sequence[Indicator]) -> list[View]:
    """`mart.indicator`: the figures of all indicators, with what they are called."""
    columns = [Column("indicator", NAME, "Id of the indicator", "indicator"), *_titles(indicators)]
    shown = f"{FIGURES} PREWHERE {_pointed(indicators)}"
    columns += figure_columns()
    return _mart("indicator", columns, "Figures of all indicators by day and region, as released", shown)


def releases() -> list[View]:
    """`mart.current_release` and `mart.release`: which releases there are."""
    manifest = (
        "SELECT seq, max(parent) AS parent, max(released) AS released, count() AS days,"
        " uniqExact(table) AS tables, min(day) AS first, max(day) AS last FROM release.manifest"
        " WHERE seq IN (SELECT seq FROM release.pointer) GROUP BY seq"
    )
    current = barrier.closed("SELECT max(seq) AS seq FROM release.pointer")
    seq = model.columns((("seq", "UInt64", "Number of the current release"),))
    return [
        View("mart", "current_release", current, seq, SERVICE, "The current release"),
        View("mart", "release", barrier.closed(manifest), model.columns(_RELEASE), SERVICE, "Every release"),
    ]


def provenance(indicators: Sequence[Indicator], contracts: Sequence[Contract]) -> list[View]:
    """`mart.provenance` and `mart.provenance_input`: where each figure comes from, as `liaowang explain` says."""
    ids = {item.table: item.id for item in indicators}
    pointed = (
        "SELECT table, day, argMax(build_id, seq) AS build, max(seq) AS published FROM release.pointer"
        f" WHERE {barrier.REACHED} AND table IN ({', '.join(map(quote, ids))}) GROUP BY table, day"
    )
    id = _transform("p.table", ids)
    verdicts = (
        "SELECT table, day, build_id, argMax(passed, decided) AS passed, argMax(suite, decided) AS suite"
        " FROM quality.verdict GROUP BY table, day, build_id"
    )
    figure = (
        f"SELECT {id} AS indicator, p.day AS day, p.published AS published, m.released AS released,"
        " p.build AS build_id, m.code AS code, m.version AS version, m.content_hash AS content_hash,"
        " m.complete AS complete, v.suite AS suite, m.suite_hash AS suite_hash, v.passed AS passed,"
        f" a.parent AS parent, a.offsets AS offsets, {{release:UInt64}} AS release_seq FROM ({pointed}) AS p"
        " LEFT ANY JOIN release.manifest AS m ON m.seq = p.published AND m.table = p.table AND m.day = p.day"
        f" LEFT ANY JOIN ({verdicts}) AS v ON v.table = p.table AND v.day = p.day AND v.build_id = p.build"
        " LEFT ANY JOIN (SELECT * FROM release.attempt WHERE state = 'started') AS a ON a.build_id = p.build"
    )
    feeds = {contract.table: contract for contract in contracts}
    input = (
        f"SELECT {id} AS indicator, p.day AS day, p.build AS build_id, i.input AS input,"
        f" {_transform('i.input', {table: c.feed for table, c in feeds.items()})} AS feed,"
        f" {_transform('i.input', {table: c.topic for table, c in feeds.items()})} AS topic,"
        f" {_transform('i.input', {table: c.department for table, c in feeds.items()})} AS department,"
        " i.input_build AS input_build, i.first AS first, i.last AS last,"
        " mapFilter((name, stop) -> topic != '' AND startsWith(name, concat(topic, '/')), a.offsets) AS offsets,"
        f" {{release:UInt64}} AS release_seq FROM ({pointed}) AS p INNER JOIN release.input AS i"
        " ON i.table = p.table AND i.day = p.day AND i.build_id = p.build"
        " LEFT ANY JOIN (SELECT * FROM release.attempt WHERE state = 'started') AS a ON a.build_id = i.input_build"
    )
    asked = barrier.opened()
    return [
        _at("provenance", barrier.closed(figure, asked), _WHENCE[0]),
        _current("provenance", [Column(*item) for item in _PROVENANCE], _WHENCE[0]),
        _at("provenance_input", barrier.closed(input, asked), _WHENCE[1]),
        _current("provenance_input", [Column(*item) for item in _INPUT], _WHENCE[1]),
    ]


def _transform(column: str, names: Mapping[str, str]) -> str:
    """SQL: what a value (of a table, an indicator) is called by these names; empty for any other."""
    tables, known = (", ".join(map(quote, texts)) for texts in (names, names.values()))
    return f"transform({column}, [{tables}], [{known}], '')"


def _titles(indicators: Sequence[Indicator]) -> list[Column]:
    """What indicators are called, told by their id; what a statement does not ask for costs it nothing."""
    ids = [item.id for item in indicators]
    told = (
        ("title_zh", "Its title", [item.title_zh for item in indicators]),
        ("title_en", "Its title in English", [item.title_en for item in indicators]),
        ("unit", "Unit of value, province and target", [item.unit for item in indicators]),
        ("direction", "Which values are better: higher or lower", [item.direction for item in indicators]),
        ("period", "What a figure is of: day, month, quarter or year", [item.period for item in indicators]),
        ("owner", "Department that answers for it", [item.owner for item in indicators]),
    )
    titles = [
        Column(name, NAME, comment, _transform("indicator", dict(zip(ids, texts, strict=True))))
        for name, comment, texts in told
    ]
    decimals = ", ".join(str(item.decimals) for item in indicators)
    number = f"toUInt8(transform(indicator, [{', '.join(map(quote, ids))}], [{decimals}], 0))"
    return [*titles[:4], Column("decimals", "UInt8", "Decimals to show", number), *titles[4:]]


def _pointed(indicators: Iterable[Indicator]) -> str:
    """SQL: whether a row of the table of figures is the reader's and of the build that release N points at."""
    tables = ", ".join(quote(item.table) for item in indicators)
    return (
        f"{barrier.opened()} AND {barrier.mine('region')}"
        " AND build_key IN (SELECT argMax(build_key, seq) FROM release.pointer"
        f" WHERE table IN ({tables}) AND {barrier.REACHED} GROUP BY table, day)"
    )


def _mart(name: str, columns: Iterable[Column], comment: str, shown: str) -> list[View]:
    columns = list(columns)
    picked = ", ".join(f"{column.source} AS `{column.name}`" for column in columns)
    query = f"SELECT {picked}, {{release:UInt64}} AS release_seq FROM {shown}"
    return [_at(name, query, comment), _current(name, columns, comment)]


def _at(name: str, query: str, comment: str) -> View:
    return View("mart", f"{name}_at", query, definer=SERVICE, comment=as_of(name, comment))


def as_of(name: str, comment: str) -> str:
    """The comment of `mart.<name>_at`; its columns are those of `mart.<name>`, which says what they are."""
    return f"As of a release, {name}_at(release = N); columns as in mart.{name}. {comment}"


def _current(name: str, columns: Iterable[Column], comment: str) -> View:
    declared = tuple(column.declared for column in [*columns, Column(*_SEQ)])
    query = f"SELECT * FROM mart.{name}_at(release = {CURRENT})"
    return View("mart", name, query, declared, comment=comment)
