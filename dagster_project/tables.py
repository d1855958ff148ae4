"""Tables and views that follow from declarations: indicators, regions, marts. For `liaowang migrate`.

Every statement is safe to run again; a changed declaration takes effect at the next migration.
"""

from __future__ import annotations

from dagster_project import indicator_sql, marts
from dagster_project.indicator import load_indicators
from dagster_project.ranking.mart import ranking_mart
from quality.rows import quote
from schemas.contract import load_contracts
from schemas.regions import Region, load_regions

_REGION = (
    ("code", "String", "GB/T 2260 code"),
    ("name", "String", "Name"),
    ("name_en", "String", "Name in Latin letters"),
    ("level", "LowCardinality(String)", "province, city or county"),
    ("parent", "String", "Code of the region it lies in"),
    ("city", "String", "Code of the city it is or lies in; empty for the province"),
    ("mountain", "UInt8", "Whether it is one of the 26 mountain counties"),
    ("population", "Nullable(UInt64)", "Inhabitants, census of 2020-11-01; empty where no figure is at hand"),
)


def statements() -> list[str]:
    """DDL for indicator tables, the region dimension and all marts, in the order they need each other."""
    contracts = load_contracts().values()
    indicators = list(load_indicators([contract.table for contract in contracts]).values())
    found = [
        *regions(),
        *marts.releases(),
        *(text for item in indicators for text in indicator_sql.ddl(item)),
    ]
    for contract in contracts:
        found += marts.feed_mart(contract)
    for indicator in indicators:
        found += marts.indicator_mart(indicator)
    return [*found, *marts.all_indicators(indicators), *ranking_mart()]


def regions() -> list[str]:
    """Load the region tree into `landing.region`, replaced as one, and show it as `mart.region`."""
    known = load_regions()
    rows = ", ".join(_row(region, getattr(known.city_of(region.code), "code", "")) for region in known.all)
    structure = quote(", ".join(f"{name} {kind}" for name, kind, _ in _REGION))
    declared = ", ".join(f"`{name}` {kind} COMMENT {quote(comment)}" for name, kind, comment in _REGION)
    return [
        "CREATE OR REPLACE TABLE landing.region ENGINE = MergeTree ORDER BY code"
        f" AS SELECT * FROM values({structure}, {rows})",
        f"CREATE OR REPLACE VIEW mart.region ({declared}) DEFINER = service SQL SECURITY DEFINER"
        " AS SELECT * FROM landing.region COMMENT 'The province, its cities and counties'",
    ]


def _row(region: Region, city: str) -> str:
    texts = (region.code, region.name, region.name_en, region.level, region.parent, city)
    people = "NULL" if region.population is None else str(region.population)
    return f"({', '.join(quote(text) for text in texts)}, {int(region.mountain)}, {people})"
