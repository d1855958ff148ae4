"""Files as rows and lines: what kind a file is, which mapping knows it, and its mapped content."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.event import TIMELINE_LENGTH
from schemas.intake import IntakeMapping
from schemas.text import control
from streams.intake.lines import decode_object, map_lines, recognised_by
from streams.intake.mapping import Mapped, Row, Skipped, Unreadable, map_rows

Item = TypeVar("Item")

JSON_SUFFIXES = (".jsonl", ".ndjson")
CSV_SUFFIXES = (".csv", ".tsv")


@dataclass(frozen=True)
class Source:
    """A file that a feed can take in. `mapping` is None for JSON lines."""

    path: Path
    digest: str
    timeline: str
    mapping: IntakeMapping | None

    def identity(self, feed: str) -> str:
        """Tell this replay from every other: hash of feed, mapping, timeline and content.

        `feed` is the name that all major versions share, so it stays the same when another one is the newest.
        """
        name = self.mapping.name if self.mapping else "json-lines"
        return hashlib.sha256("\0".join((feed, name, self.timeline, self.digest)).encode()).hexdigest()


def inspect(contract: Contract, path: Path, timeline: str = "") -> Source:
    """Say what a file is; Misdeclared where it cannot be read or no mapping knows it."""
    if len(timeline) > TIMELINE_LENGTH:
        raise Misdeclared("send", "timeline", f"must have at most {TIMELINE_LENGTH} characters")
    if bad := control(timeline or path.stem):
        what = "timeline" if timeline else "file"
        raise Misdeclared("send", what, f"{timeline or path.name!r} must not have {bad}; name it otherwise")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            head = next((line for line in file if line.strip()), b"")
        if is_json_lines(path, head):
            known = recognised_by(contract, decode_object(head.strip()))
            return Source(
                path, digest, timeline or (known.name if known else path.stem[:TIMELINE_LENGTH]), None
            )
        mapping = _mapping_for(contract, path)
    except OSError as error:
        raise Misdeclared(str(path), "file", f"cannot be read: {error.strerror}") from None
    return Source(path, digest, timeline or mapping.name, mapping)


def is_json_lines(path: Path, head: bytes) -> bool:
    """Whether a file holds JSON lines: by its suffix, else by its first line."""
    if path.suffix in JSON_SUFFIXES + CSV_SUFFIXES:
        return path.suffix in JSON_SUFFIXES
    return head.lstrip(b"\xef\xbb\xbf \t").startswith(b"{")


def mapped(contract: Contract, source: Source, rows: Counter[str]) -> Iterator[Mapped]:
    """Map each row or line of a file; `rows` counts them under the file's name."""
    if source.mapping is None:
        return map_lines(contract, source.timeline, _counted(_lines(source.path), source, rows))
    table = read_table(source.path)
    _, header = next(table)
    found = (_row(header, line, cells) for line, cells in _counted(table, source, rows))
    return map_rows(contract, source.mapping, source.timeline, found)


def _counted(items: Iterator[Item], source: Source, rows: Counter[str]) -> Iterator[Item]:
    for item in items:
        rows[source.path.name] += 1
        yield item


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _row(header: list[str] | str, line: int, cells: list[str] | str) -> Row | Skipped | Unreadable:
    if isinstance(cells, str):
        return Unreadable(line, cells)
    if not cells:
        return Skipped(line, "blank line")
    if len(cells) != len(header):
        return Unreadable(line, f"{len(cells)} cells where the header has {len(header)}")
    return Row(line, dict(zip(header, cells, strict=True)))


def read_table(path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """Rows of a CSV file, header first, each with its line number; a text says why a row is none.

    Cells are stripped. UTF-8 (with or without mark), else GB 18030, as spreadsheets write it; the separator
    is the one of comma, semicolon and tab that the header has most of.
    """
    text = _decode(path)
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, f"no row: {error}"
            continue
        if cells is None:
            return
        yield reader.line_num, [cell.strip() for cell in cells]


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Misdeclared(str(path), "file", "is neither UTF-8 nor GB 18030 text")


def _mapping_for(contract: Contract, path: Path) -> IntakeMapping:
    _, header = next(read_table(path), (0, ""))
    if not contract.intake:
        raise Misdeclared(str(path), "header", f"{contract.feed} maps no CSV files; send JSON lines")
    if not header or isinstance(header, str):
        raise Misdeclared(str(path), "header", str(header or "the file is empty"))
    found = next((mapping for mapping in contract.intake if mapping.recognises(header)), None)
    if found is None:
        misses = "; ".join(_misses(mapping, header) for mapping in contract.intake)
        raise Misdeclared(str(path), "header", f"no mapping of {contract.feed} knows this file: {misses}")
    if twice := [column for column in found.header if header.count(column) > 1]:
        raise Misdeclared(str(path), "header", f"the column {twice[0]} stands there twice")
    return found


def _misses(mapping: IntakeMapping, header: list[str]) -> str:
    return f"{mapping.name} misses the columns {', '.join(c for c in mapping.header if c not in header)}"
