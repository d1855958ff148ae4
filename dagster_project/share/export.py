"""Export a dataset of a release as CSV and Parquet with a Frictionless data package.

The same release gives the same bytes: rows are in order of all their columns, files carry no time of writing.
Files are written under other names and renamed when all are whole, `datapackage.json` last.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import parquet

from dagster_project.days.spans import Span, chunks
from dagster_project.share.open_data import REGIONS, Column, Dataset, File, descriptor
from dagster_project.warehouse import Warehouse
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI, TIME_ZONE
from schemas.text import cell

FORMATS = ("csv", "parquet")
CHUNK_ROWS = 200_000
PACKAGE = "datapackage.json"
_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("ms", tz=TIME_ZONE),
}
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Exported:
    """What was written, and of which release."""

    folder: Path
    release: int
    rows: int
    files: tuple[str, ...]


class Writer(Protocol):
    """One file being written, part by part."""

    def write(self, rows: Rows) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what is left."""


def export(
    warehouse: Warehouse, dataset: Dataset, folder: Path, formats: Sequence[str], release: int | None = None
) -> Exported:
    """Write a dataset as the current release shows it, or an earlier one; Misdeclared where there is nothing."""
    seq, released = _release(warehouse, release)
    spans = _spans(warehouse, dataset, seq)
    if not spans:
        where = "nothing is published" if not seq else f"release {seq} shows nothing"
        raise Misdeclared("liaowang export", dataset.id, f"{where} of it; liaowang build makes it")
    parts = (_rows(warehouse, dataset, seq, span) for span in spans)
    files = write_files(folder, dataset.id, dataset.columns, formats, parts)
    with_regions = [] if not dataset.region else [_regions(warehouse)]
    regions = write_files(folder, "region", REGIONS, ["csv"], with_regions) if with_regions else []
    package = descriptor(dataset, (seq, released), files, regions)
    text = json.dumps(package, ensure_ascii=False, indent=2) + "\n"
    fresh = folder / f"{PACKAGE}.part"
    fresh.write_text(text, encoding="utf-8")
    for file in (*files, *regions):
        (folder / f"{file.path}.part").replace(folder / file.path)
    fresh.replace(folder / PACKAGE)
    for format in set(FORMATS) - set(formats):  # one of another release must not lie beside it
        (folder / f"{dataset.id}.{format}").unlink(missing_ok=True)
    return Exported(folder, seq, files[0].rows, (PACKAGE, *(file.path for file in (*files, *regions))))


def write_files(
    folder: Path, name: str, columns: Sequence[Column], formats: Iterable[str], parts: Iterable[Rows]
) -> list[File]:
    """Write the same rows in each format as `<name>.<format>.part`; what the files hold."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {format: f"{name}.{format}" for format in formats}
    made: dict[str, Callable[[Path, Sequence[Column]], Writer]] = {"csv": _Csv, "parquet": _Parquet}
    writers = {format: made[format](folder / f"{path}.part", columns) for format, path in paths.items()}
    count = 0
    try:
        for rows in parts:
            count += len(rows)
            for writer in writers.values():
                writer.write(rows)
    finally:
        for writer in writers.values():
            writer.close()
    return [_file(folder, path, format, count) for format, path in paths.items()]


def _release(warehouse: Warehouse, release: int | None) -> tuple[int, datetime]:
    rows = warehouse.rows(
        "SELECT seq, max(released) FROM release.manifest WHERE seq IN (SELECT seq FROM release.pointer)"
        " GROUP BY seq ORDER BY seq DESC"
    )
    known = dict(rows)
    seq = release if release is not None else max(known, default=0)
    if release is not None and release not in known:
        raise Misdeclared("liaowang export", "--release", f"there is no release {release}")
    moment = known.get(seq, datetime(1970, 1, 1, tzinfo=SHANGHAI))
    return seq, moment.replace(microsecond=0).astimezone(SHANGHAI)


def _spans(warehouse: Warehouse, dataset: Dataset, seq: int) -> list[Span]:
    counted: dict[date, int] = dict(
        warehouse.rows(f"SELECT day, count() FROM mart.{dataset.table}_at(release = {seq}) GROUP BY day")
    )
    return chunks(counted, CHUNK_ROWS)


def _rows(warehouse: Warehouse, dataset: Dataset, seq: int, span: Span) -> Rows:
    names = ", ".join(f"`{column.name}`" for column in dataset.columns)
    return warehouse.rows(
        f"SELECT {names} FROM mart.{dataset.table}_at(release = {seq})"
        " WHERE day BETWEEN {first:Date} AND {last:Date}"
        f" ORDER BY {names}",
        first=span.first,
        last=span.last,
    )


def _regions(warehouse: Warehouse) -> Rows:
    names = ", ".join(column.name for column in REGIONS)
    return warehouse.rows(f"SELECT {names} FROM mart.region ORDER BY code")


def _file(folder: Path, path: str, format: str, rows: int) -> File:
    digest, size = sha256(), 0
    with (folder / f"{path}.part").open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return File(path, format, rows, size, digest.hexdigest())


class _Csv:
    """RFC 4180 in UTF-8 with a header; moments in ISO 8601, truth as true and false, nothing as empty.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._texts = [_text(column) for column in columns]
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow([column.name for column in columns])

    def write(self, rows: Rows) -> None:
        for row in rows:
            self._writer.writerow(
                [None if value is None else text(value) for text, value in zip(self._texts, row, strict=True)]
            )

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """Parquet with one row group a part, comments as field metadata."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema([_arrow(column) for column in columns])
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Rows) -> None:
        values = zip(*rows, strict=True) if rows else ([] for _ in self._columns)
        arrays = [
            pa.array(list(map(_plain(column), column_values)), type=_TYPES[column.kind])
            for column, column_values in zip(self._columns, values, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _arrow(column: Column) -> pa.Field:
    metadata = {"comment": column.description} | ({"unit": column.unit} if column.unit else {})
    return pa.field(column.name, _TYPES[column.kind], nullable=not column.required, metadata=metadata)


def _plain(column: Column) -> Callable[[Any], Any]:
    if column.kind == "boolean":
        return lambda value: None if value is None else bool(value)
    return lambda value: value


def _text(column: Column) -> Callable[[Any], str]:
    if column.kind == "boolean":
        return lambda value: "true" if value else "false"
    if column.kind == "datetime":
        return lambda value: value.astimezone(SHANGHAI).isoformat(timespec="milliseconds")
    if column.kind == "number":
        return lambda value: repr(float(value))
    return lambda value: cell(str(value))


def read_package(folder: Path) -> dict[str, Any]:
    """The descriptor of an exported package."""
    return dict(json.loads((folder / PACKAGE).read_text(encoding="utf-8")))
