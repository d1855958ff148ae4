"""What an indicator's SQL reads, from the SQL itself, and the same SQL on given builds. Pure (sqlglot)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp

DIALECT = "clickhouse"
_DIMENSIONS = {"mart.region"}


@lru_cache(maxsize=1024)
def dependencies(sql: str) -> tuple[str, ...]:
    """Names of the `built` tables a query reads, sorted; ValueError where it may not read something.

    Each query is taken apart once a process: `up` reads the indicators for its check and for the marts.
    """
    tree = _parse(sql)
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = set()
    for table in tree.find_all(exp.Table):
        name = f"{table.db}.{table.name}" if table.db else table.name
        if table.db == "built":
            found.add(table.name)
        elif (
            name not in _DIMENSIONS
            and not (not table.db and name in ctes)
            and not isinstance(table.this, exp.Func)
        ):
            raise ValueError(f"reads {name or table.sql()}; it may read built.<feed table> and mart.region")
    if not found:
        raise ValueError("reads no table of built")
    return tuple(sorted(found))


def on_candidates(sql: str, lookback: int, narrow: Mapping[str, str] | None = None) -> str:
    """The query with each table of `built` cut down to the rows of candidate builds.

    Takes the parameters `first` and `last` (days to make figures for) and the external table `candidate`.
    `narrow` is a further condition by table.
    """

    def chosen(table: str) -> str:
        more = f" AND ({narrow[table]})" if narrow and table in narrow else ""
        return (
            f"SELECT * FROM built.`{table}`"
            f" WHERE event_day BETWEEN {{first:Date}} - {lookback - 1} AND {{last:Date}}"
            f" AND (event_day, build_id) IN (SELECT day, build_id FROM candidate WHERE name = '{table}'){more}"
        )

    return _bound(sql, chosen)


def on_tables(sql: str, names: Mapping[str, str]) -> str:
    """The query with each table of `built` replaced by the table of this name."""
    return _bound(sql, lambda table: f"SELECT * FROM `{names[table]}`")


def _bound(sql: str, chosen: Callable[[str], str]) -> str:
    """The query with each table of `built` replaced by a subquery."""

    def bind(node: exp.Expression) -> exp.Expression:
        if not (isinstance(node, exp.Table) and node.db == "built"):
            return node
        query = sqlglot.parse_one(chosen(node.name), dialect=DIALECT)
        assert isinstance(query, exp.Select)
        return query.subquery(node.alias or node.name)

    return _parse(sql).transform(bind).sql(dialect=DIALECT)


def _parse(sql: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(sql, dialect=DIALECT)
    except sqlglot.errors.ParseError as error:
        raise ValueError(_place(error)) from None
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        told = (
            "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        )
        raise ValueError(f"SQL: {told}") from None
    if not isinstance(tree, exp.Query):
        raise ValueError("must be one SELECT")
    return tree


def _place(error: sqlglot.errors.ParseError) -> str:
    """Where and why a query cannot be read, in plain text: the parser's own words are marked for a terminal."""
    if not error.errors:
        return f"SQL: {error}"
    first = error.errors[0]
    return (
        f"SQL, line {first['line']}, column {first['col']}: {first['description']}, at {first['highlight']!r}"
    )
