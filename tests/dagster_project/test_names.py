"""A field may have any name the platform does not use itself: what is built, judged and shown is the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from dagster_project.build.feed import Built, build_feed
from dagster_project.build.index import all_figures
from dagster_project.days.attempt import begin
from dagster_project.days.spans import Span
from dagster_project.gate.judge import judge_feed
from dagster_project.mart.views import feed_columns, feed_mart
from quality.gate import Judged
from schemas.contract import Contract, Field
from schemas.ddl.render import view
from schemas.gate import Gate
from schemas.names import MARTS, TABLES
from schemas.tables import OWN_COLUMNS, contract_statements
from tests.dagster_project.house import AIR, CONTRACTS, Event, House

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NASTY = (
    *("build", "hash", "low", "high", "place", "original", "n", "m", "x", "s", "r", "l", "a", "b", "i", "p"),
    *("dropped", "renamed", "stray", "copies", "table", "seq", "reason", "reasons", "kept", "candidate"),
    *("select", "order", "final", "group", "limit", "where", "null", "having", "union", "array", "tuple"),
    *("count", "sum", "now", "today", "date", "timestamp", "interval", "key", "data", "database", "any"),
    *("region", "value", "rank", "kind", "clock", "epoch", "at", "subject", "slot", "mean", "sd", "points"),
    *("name", "code", "title", "level", "first", "last", "then", "version", "rows", "columns", "sign"),
    *(
        "quarantined",
        "duplicates",
        "passed",
        "suite",
        "content_hash",
        "landed",
        "log",
        "part",
        "self",
        "ends",
    ),
    *(
        "indicator",
        "numerator",
        "denominator",
        "release",
        "release_",
        "day_",
        "unexpected_values",
        "part_key",
    ),
    *("column", "columns_", "condition", "unexpected_count", "element_count", "f" * 64),
)
BOUND = range(0, len(NASTY), 10)
"""Fields with rules of their own; every one costs the gate some questions."""


def contract(feed: str, names: tuple[str, ...]) -> Contract:
    """A feed of so many fields: texts, numbers, whole numbers in turn, every third one optional."""
    kinds = ("string", "number", "integer")
    fields = [
        Field(
            name=name,
            kind=kinds[at % 3],
            required=at % 2 == 0,
            minimum=0 if at in BOUND and kinds[at % 3] != "string" else None,
            pattern="^t[0-9]+$" if at in BOUND and kinds[at % 3] == "string" else "",
            missing=(9_999,) if at in BOUND and kinds[at % 3] != "string" else (),
            classification="public",
            description="trial",
        )
        for at, name in enumerate(names)
    ]
    return replace(
        AIR, feed=feed, topic=f"feed.{feed}", fields=tuple(fields), subject=(names[0],), region_field="",
        region_levels=(), intake=(), examples=(), gate=Gate(quarantine=0.9, drift_day=0.5),
    )  # fmt: skip


def row(names: tuple[str, ...], at: int) -> dict[str, Any]:
    """Values by field; row 2 breaks bounds, row 3 leaves optional fields out."""
    values: dict[str, Any] = {}
    for place, name in enumerate(names):
        value: Any = (
            f"t{at}{place}" if place % 3 == 0 else float(at + place) if place % 3 == 1 else at * place
        )
        if at == 2 and place in BOUND and place % 3:
            value = -1
        values[name] = None if at == 3 and place % 2 else value
    return values


def build(
    house: House, feed: Contract, names: tuple[str, ...]
) -> tuple[list[Built], Judged, list[Any], list[Any]]:
    """Land, build, judge and show the same events under these names."""
    for statement in [*contract_statements(feed), *map(view, feed_mart(feed))]:
        house.warehouse.rows(statement)
    events = [Event(f"e{at}", DAY - timedelta(days=at % 2), row(names, at)) for at in range(8)]
    house.land(*events, contract=feed, base={})
    later = [Event("e9", DAY, row(names, 9), corrects="e4"), Event("e1", DAY, row(names, 1))]
    house.land(*later, contract=feed, base={})
    span = Span(DAY - timedelta(days=1), DAY)
    attempt = begin(house.warehouse, uuid4().hex, span, [feed], house.now)
    built = build_feed(house.warehouse, feed, attempt)
    judged = judge_feed(house.settings, house.warehouse, feed, attempt, built, house.now)
    house.publish(attempt)
    shown = ", ".join(f"`{name}`" for name in ("day", "id", "corrected", *names))
    rows = house.warehouse.rows(
        f"SELECT {shown} FROM mart.{feed.table}_at(release = (SELECT max(seq) FROM release.pointer))"
        " ORDER BY day, id"
    )
    bad = house.warehouse.rows(
        "SELECT id, reasons FROM quality.quarantine WHERE table = {table:String} ORDER BY id",
        table=feed.table,
    )
    return built, judged, rows, bad


def test_what_is_built_judged_and_shown_does_not_hang_on_the_names_of_fields(house: House) -> None:
    plain = tuple(f"field_{at}" for at in range(len(NASTY)))
    assert not OWN_COLUMNS & set(NASTY)
    found = build(house, contract("trial.nasty", NASTY), NASTY)
    wanted = build(house, contract("trial.plain", plain), plain)
    for mine, theirs in zip(found[0], wanted[0], strict=True):
        assert replace(mine, table="", build_id="") == replace(theirs, table="", build_id="")
    assert found[2] == wanted[2] and len(found[2]) == 7
    assert [(id, len(reasons)) for id, reasons in found[3]] == [
        (id, len(reasons)) for id, reasons in wanted[3]
    ]
    assert [len(verdict.failed) for verdict in found[1].verdicts] == [
        len(verdict.failed) for verdict in wanted[1].verdicts
    ]
    assert found[1].passed and wanted[1].passed


def test_every_column_of_a_mart_of_ours_is_reserved() -> None:
    feed = contract("trial.plain", ("field_0",))
    assert {column.name for column in feed_columns(feed)} - {"field_0"} <= OWN_COLUMNS


def test_every_table_and_mart_of_ours_is_reserved(house: House) -> None:
    rows = house.warehouse.rows(
        "SELECT database, name FROM system.tables WHERE database IN ('landing', 'built', 'mart')"
    )
    figures = all_figures([known.table for known in CONTRACTS.values()]).values()
    theirs = {item.table for item in figures} | {known.table for known in CONTRACTS.values()}
    found = {name.removesuffix("_at") for _, name in rows if not name.startswith("trial_")} - theirs
    assert found == MARTS | TABLES
