"""The dimensions of the star schema in `mart`: region, calendar, departments, what indicators mean. DDL, pure.

Every statement is safe to run again; a changed declaration takes effect at the next migration.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from chinese_calendar.constants import holidays, workdays

from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FLOAT
from dagster_project.mart.barrier import closed
from quality.rows import quote
from schemas.contract import Contract
from schemas.ddl.model import NAME, SERVICE, Table, View, columns
from schemas.departments import Department
from schemas.regions import Region, Regions

FIRST, LAST = date(2014, 1, 1), date(2039, 12, 31)
Columns = Sequence[tuple[str, str, str]]
REGION: Columns = (
    ("code", "String", "GB/T 2260 code; facts join on it"),
    ("name", "String", "Name"),
    ("name_en", "String", "Name in Latin letters"),
    ("level", NAME, "province, city or county"),
    ("parent", "String", "Code of the region it lies in; empty for the province"),
    ("parent_name", "String", "Name of the region it lies in"),
    ("city", "String", "Code of the city it is or lies in; empty for the province"),
    ("city_name", "String", "Name of the city it is or lies in"),
    ("mountain", "UInt8", "Whether it is one of the 26 mountain counties (山区26县)"),
    ("population", "Nullable(UInt64)", "Inhabitants, census of 2020-11-01; empty where no figure is at hand"),
)
_DAY: Sequence[tuple[str, str, str, str]] = (
    ("day", "Date", "The day; facts join on it, those of a period on its last day", "d"),
    ("year", "UInt16", "Year", "toYear(d)"),
    ("quarter", "UInt8", "Quarter of the year, 1 to 4", "toQuarter(d)"),
    ("month", "UInt8", "Month of the year, 1 to 12", "toMonth(d)"),
    ("day_of_month", "UInt8", "Day of the month", "toDayOfMonth(d)"),
    ("day_of_year", "UInt16", "Day of the year", "toDayOfYear(d)"),
    ("weekday", "UInt8", "1 Monday to 7 Sunday", "toDayOfWeek(d)"),
    ("iso_week", "UInt8", "Week of the ISO year", "toISOWeek(d)"),
    ("iso_year", "UInt16", "ISO year the week belongs to", "toISOYear(d)"),
    ("month_label", "String", "Month as 2025-06", "formatDateTime(d, '%Y-%m')"),
    (
        "quarter_label",
        "String",
        "Quarter as 2025-Q2",
        "concat(toString(toYear(d)), '-Q', toString(toQuarter(d)))",
    ),
    ("month_end", "UInt8", "Whether it is the last day of its month", "d = toLastDayOfMonth(d)"),
    (
        "quarter_end",
        "UInt8",
        "Whether it is the last day of its quarter",
        "d = toLastDayOfMonth(d) AND toMonth(d) % 3 = 0",
    ),
    (
        "year_end",
        "UInt8",
        "Whether it is the last day of its year",
        "toMonth(d) = 12 AND toDayOfMonth(d) = 31",
    ),
    ("year_ago", "Date", "The same day a year before; of 29 February the 28th", "subtractYears(d, 1)"),
    (
        "workday",
        "Nullable(UInt8)",
        "Whether it is worked in the mainland, holidays and shifted days observed; empty where not yet decreed",
        "",
    ),
)
_CARD: Columns = (
    ("indicator", NAME, "Id of the indicator"),
    ("title_zh", "String", "Its title"),
    ("title_en", "String", "Its title in English"),
    ("description", "String", "What it says"),
    ("limits", "String", "What it does not say"),
    ("unit", NAME, "Unit of its value"),
    ("decimals", "UInt8", "Decimals to show"),
    ("direction", NAME, "Which values are better: higher or lower"),
    ("period", NAME, "What a figure is of: day, month, quarter or year"),
    ("regions", "Array(String)", "Levels of regions it is made for"),
    ("tolerance", "Float64", "Values so near to the province's are level with it"),
    ("target", FLOAT, "Value to reach, where it is the same for all years"),
    ("owner", NAME, "Department that answers for it"),
    ("licence", NAME, "Under which its figures are given away"),
    ("version", NAME, "Changes with whatever changes its figures"),
)
_CODES = "Array(String)"
_DEPARTMENT: Columns = (
    ("department", NAME, "Id of the department; facts join on it, and `owner` of indicators names one"),
    ("name_zh", "String", "Its name"),
    ("name_en", "String", "Its name in English"),
    ("part_of", NAME, "Department it is an office of; empty where it is none"),
    ("regions", _CODES, "Regions it may send of, with all that lies in them; 330000 is the whole province"),
    ("feeds", _CODES, "Feeds it answers for"),
)


_REGIONS = "The province, its cities and counties"
REGION_TABLE = Table("landing", "region", columns(REGION), order=("code",), comment=_REGIONS)


def region_rows(known: Regions) -> str:
    """SQL: the region tree as the rows of REGION_TABLE."""
    rows = ", ".join(_row(item, known) for item in known.all)
    structure = quote(", ".join(f"{name} {kind}" for name, kind, _ in REGION))
    return f"SELECT * FROM values({structure}, {rows})"


def region() -> View:
    """`mart.region`: the region tree."""
    return _view("region", REGION, f"SELECT * FROM {REGION_TABLE.full_name}", _REGIONS)


def calendar() -> View:
    """`mart.calendar`: every day from FIRST to LAST."""
    picked = ", ".join(f"{sql or _workday()} AS `{name}`" for name, _, _, sql in _DAY)
    days = f"SELECT toDate('{FIRST}') + number AS d FROM numbers({(LAST - FIRST).days + 1})"
    declared = [(name, kind, comment) for name, kind, comment, _ in _DAY]
    return _view("calendar", declared, f"SELECT {picked} FROM ({days})", f"Every day from {FIRST} to {LAST}")


def definitions(indicators: Iterable[Indicator]) -> View:
    """`mart.indicator_definition`: what each indicator means."""
    rows = " UNION ALL ".join(f"SELECT {_card(item)}" for item in indicators)
    comment = "What each indicator means and who answers for it; facts join on indicator"
    return _view("indicator_definition", _CARD, rows, comment)


def departments(known: Iterable[Department], contracts: Iterable[Contract]) -> View:
    """`mart.department`: who there is, without whom to call."""
    feeds: dict[str, set[str]] = {}
    for contract in contracts:
        feeds.setdefault(contract.department, set()).add(contract.feed)
    rows = " UNION ALL ".join(f"SELECT {_desk(item, feeds.get(item.id, ()))}" for item in known)
    comment = "The departments that send feeds and answer for indicators; facts join on department"
    return _view("department", _DEPARTMENT, rows, comment)


def _view(name: str, declared: Columns, query: str, comment: str) -> View:
    return View("mart", name, closed(query), columns(declared), SERVICE, comment)


def _row(item: Region, known: Regions) -> str:
    city, parent = known.city_of(item.code), known.get(item.parent)
    texts = (
        *(item.code, item.name, item.name_en, item.level, item.parent),
        parent.name if parent else "",
        *((city.code, city.name) if city else ("", "")),
    )
    people = "NULL" if item.population is None else str(item.population)
    return f"({', '.join(quote(text) for text in texts)}, {int(item.mountain)}, {people})"


def _workday() -> str:
    """SQL: a weekday that is no holiday, or a weekend day that is worked; unknown past the last decree."""
    decreed = max(holidays).year
    off = _days(day for day in holidays if day >= FIRST)
    on = _days(day for day in workdays if day >= FIRST)
    return (
        f"if(toYear(d) > {decreed}, NULL,"
        f" toUInt8((toDayOfWeek(d) < 6 AND NOT has({off}, d)) OR has({on}, d)))"
    )


def _days(days: Iterable[date]) -> str:
    numbers = ", ".join(str((day - date(1970, 1, 1)) // timedelta(days=1)) for day in sorted(days))
    return f"CAST([{numbers}] AS Array(Date))"


def _card(item: Indicator) -> str:
    texts = (
        ("indicator", item.id),
        ("title_zh", item.title_zh),
        ("title_en", item.title_en),
        ("description", item.description),
        ("limits", item.limits),
        ("unit", item.unit),
        ("direction", item.direction),
        ("period", item.period),
        ("owner", item.owner),
        ("licence", item.licence),
        ("version", item.version),
    )
    sql = {name: quote(text) for name, text in texts}
    sql["decimals"] = str(item.decimals)
    sql["regions"] = f"[{', '.join(quote(level) for level in item.regions)}]"
    sql["tolerance"] = f"toFloat64({item.tolerance})"
    sql["target"] = f"CAST({'NULL' if item.target is None else item.target} AS {FLOAT})"
    return ", ".join(f"{sql[name]} AS `{name}`" for name, _, _ in _CARD)


def _desk(item: Department, feeds: Iterable[str]) -> str:
    sql = {
        "department": item.id,
        "name_zh": item.name["zh"],
        "name_en": item.name["en"],
        "part_of": item.part_of,
    }
    sql = {name: quote(text) for name, text in sql.items()}
    lists = {"regions": item.regions, "feeds": sorted(feeds)}
    sql |= {name: f"CAST([{', '.join(map(quote, codes))}] AS {_CODES})" for name, codes in lists.items()}
    return ", ".join(f"{sql[name]} AS `{name}`" for name, _, _ in _DEPARTMENT)
