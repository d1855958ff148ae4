"""What may be given away: datasets from declarations, public fields only, with Frictionless descriptors. Pure.

A dataset is the figures of an indicator or the events of a feed. Source and id of an event are left out, as they
are not classified; so is every field that is not public. Formats: Data Package 1 (specs.frictionlessdata.io).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FIGURE
from schemas.contract import Contract
from schemas.departments import Departments

EVERY = {"day": "P1D", "month": "P1M", "quarter": "P3M", "year": "P1Y"}
WORDS = {"day": "daily", "month": "monthly", "quarter": "quarterly", "year": "yearly"}
_LICENCES = {
    "CC-BY-4.0": ("https://creativecommons.org/licenses/by/4.0/", "Creative Commons Attribution 4.0"),
    "CC0-1.0": ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
    "ODC-BY-1.0": ("https://opendatacommons.org/licenses/by/1-0/", "Open Data Commons Attribution 1.0"),
    "ODbL-1.0": ("https://opendatacommons.org/licenses/odbl/1-0/", "Open Data Commons Open Database 1.0"),
}
_OF_FIELD = {"timestamp": "datetime"}


@dataclass(frozen=True)
class Column:
    """One column: its type is one of Table Schema: string, integer, number, boolean, date, datetime."""

    name: str
    kind: str
    description: str
    unit: str = ""
    required: bool = False


@dataclass(frozen=True)
class Dataset:
    """What is exported together: a mart's public columns, in its order of rows, and who answers for it."""

    id: str
    table: str
    title: str
    title_zh: str
    description: str
    owner: str
    licence: str
    period: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    region: str = ""
    publisher: str = ""
    """What who answers for it is called; empty where the owner is not declared."""
    email: str = ""


@dataclass(frozen=True)
class File:
    """One file that was written: its place in the package, and what it holds."""

    path: str
    format: str
    rows: int
    bytes: int
    sha256: str


REGIONS = (
    Column("code", "string", "GB/T 2260 code", required=True),
    Column("name", "string", "Name", required=True),
    Column("name_en", "string", "Name in Latin letters"),
    Column("level", "string", "province, city or county", required=True),
    Column("parent", "string", "Code of the region it lies in"),
    Column("mountain", "boolean", "Whether it is one of the 26 mountain counties"),
    Column("population", "integer", "Inhabitants, census of 2020-11-01"),
)


def datasets(
    contracts: Sequence[Contract], indicators: Sequence[Indicator], departments: Departments | None = None
) -> dict[str, Dataset]:
    """Everything that may be exported, by id; feeds without a public field are not among it."""
    found = [_of_indicator(indicator) for indicator in indicators]
    found += [_of_feed(contract) for contract in contracts if _public(contract)]
    named = [_named(item, departments) for item in found]
    return {item.id: item for item in sorted(named, key=lambda item: item.id)}


def _named(dataset: Dataset, departments: Departments | None) -> Dataset:
    department = departments.get(dataset.owner) if departments else None
    if department is None:
        return dataset
    return replace(dataset, publisher=department.name["en"], email=department.contact.email)


def descriptor(
    dataset: Dataset, release: tuple[int, datetime], files: Sequence[File], regions: Sequence[File]
) -> dict[str, Any]:
    """The content of `datapackage.json`; the same for the same release and files."""
    seq, released = release
    resources = [_resource(dataset.id, dataset, file) for file in files]
    resources += [_resource("region", None, file) for file in regions]
    return {
        "profile": "data-package",
        "name": dataset.id,
        "title": dataset.title,
        "title_zh": dataset.title_zh,
        "description": dataset.description,
        "version": f"1.0.{seq}",
        "created": released.isoformat(),
        "release": seq,
        "owner": dataset.owner,
        "contributors": [_publisher(dataset)],
        "licenses": [_licence(dataset.licence)],
        "updateFrequency": WORDS[dataset.period],
        "accrualPeriodicity": f"R/{EVERY[dataset.period]}",
        "keywords": ["公共数据开放", *dataset.id.split(".")],
        "resources": resources,
    }


def _publisher(dataset: Dataset) -> dict[str, str]:
    found = {"title": dataset.publisher or dataset.owner, "role": "publisher"}
    return found | {"email": dataset.email} if dataset.email else found


def _licence(name: str) -> dict[str, str]:
    path, title = _LICENCES.get(name, ("", ""))
    return {"name": name, "path": path, "title": title} if path else {"name": name, "title": name}


def _resource(name: str, dataset: Dataset | None, file: File) -> dict[str, Any]:
    common: dict[str, Any] = {
        "name": name if file.format == "csv" else f"{name}-parquet",
        "path": file.path,
        "format": file.format,
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
        "rowCount": file.rows,
    }
    schema = _schema(dataset)
    if file.format == "parquet":
        return {
            **common,
            "type": "file",
            "profile": "data-resource",
            "mediatype": "application/vnd.apache.parquet",
            "schema": schema,
        }
    return {
        **common,
        "type": "table",
        "rows": file.rows,
        "profile": "tabular-data-resource",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "lineTerminator": "\n", "header": True},
        "schema": schema,
    }


def _schema(dataset: Dataset | None) -> dict[str, Any]:
    columns, key = (REGIONS, ("code",)) if dataset is None else (dataset.columns, dataset.key)
    schema: dict[str, Any] = {"fields": [_field(column) for column in columns], "missingValues": [""]}
    if key:
        schema["primaryKey"] = list(key)
    if dataset is not None and dataset.region:
        reference = {"resource": "region", "fields": ["code"]}
        schema["foreignKeys"] = [{"fields": [dataset.region], "reference": reference}]
    return schema


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": column.kind, "description": column.description}
    if column.kind == "boolean":
        field |= {"trueValues": ["true"], "falseValues": ["false"]}
    if column.unit:
        field["unit"] = column.unit
    if column.required:
        field["constraints"] = {"required": True}
    return field


def _of_indicator(indicator: Indicator) -> Dataset:
    columns = [_figure(indicator, *figure) for figure in FIGURE]
    return Dataset(
        id=indicator.id,
        table=indicator.table,
        title=indicator.title_en,
        title_zh=indicator.title_zh,
        description=f"{indicator.description} Limits: {indicator.limits}",
        owner=indicator.owner,
        licence=indicator.licence,
        period=indicator.period,
        columns=tuple(columns),
        key=("day", "region"),
        region="region",
    )


def _figure(indicator: Indicator, name: str, kind: str, comment: str) -> Column:
    plain = kind.removeprefix("Nullable(").removesuffix(")")
    kinds = {"Date": "date", "Float64": "number", "UInt8": "boolean", "UInt16": "integer"}
    of_value = ("value", "province", "target", "year_ago", "period_ago")
    percent = ("achievement", "year_on_year", "period_on_period")
    return Column(
        name="day" if name == "event_day" else name,
        kind=kinds.get(plain, "string"),
        description=comment,
        unit=indicator.unit if name in of_value else "%" if name in percent else "",
        required=name in ("event_day", "region"),
    )


def _public(contract: Contract) -> list[Column]:
    return [
        Column(
            field.name,
            _OF_FIELD.get(field.kind, field.kind),
            field.description,
            field.unit,
            field.required,
        )
        for field in contract.fields
        if field.classification == "public"
    ]


def _of_feed(contract: Contract) -> Dataset:
    own = _public(contract)
    always = (
        Column("day", "date", "Day of the event (Asia/Shanghai)", required=True),
        Column("time", "datetime", "When it occurred", required=True),
    )
    region = contract.region_field if contract.region_field in {column.name for column in own} else ""
    return Dataset(
        id=contract.feed,
        table=contract.table,
        title=contract.feed,
        title_zh=contract.feed,
        description=contract.description,
        owner=contract.department,
        licence=contract.licence,
        period="day",
        columns=(*always, *own),
        key=(),
        region=region,
    )
