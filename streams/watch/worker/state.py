"""Recoverable state of a watched partition: buckets of subjects, pages, and one header written after them.

A bucket's value holds two versions, each with the last offset applied to it. The header is written once its
buckets are acknowledged, and names the offset it stands for; a bucket newer than the header is the trace of a
checkpoint that did not finish, and its older version is taken. So what is restored is the state at the
header's offset exactly, and a replay from there can count nothing twice.

The number of a rule's buckets grows with its subjects (SUBJECTS a bucket on average), so a bucket stays small;
keys carry the number, and those of the old number are deleted one checkpoint after the header has moved on.

A page is whatever else the partition keeps under a name of its own: remembered ids, rows that wait. It goes into a
bucket of two versions as well; one that is gone is deleted a checkpoint later, so a page may come back once after
a crash, and whoever keeps it must know it for old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar
from zlib import crc32

import msgspec

from streams.watch.conditions import Condition
from streams.watch.declare.rule import Rule

SUBJECTS = 128
LEAST = 4
_SEPARATOR = b"\x1f"
_PAGE = b"\x1e"
_ONCE = "ids/"
"""Pages of which a name never comes twice: no older version of them need be remembered."""
_pack = msgspec.msgpack.Encoder().encode


class Kept(Protocol):
    """A partition whose state is kept: of a feed, or of the second stage."""

    partition: int
    offset: int
    base: int

    @property
    def topic(self) -> str:
        """The topic it is a partition of."""

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """(timeline, condition) of all rules."""

    def failed(self, timeline: str, rule: Rule, error: Exception) -> None:
        """Go on without a rule whose records could not be put back."""

    def head(self) -> bytes:
        """The small part of its state."""

    def restore_head(self, raw: bytes) -> None:
        """Put it back; afterwards `conditions` gives fresh ones, to be filled."""

    def pages(self) -> Iterator[tuple[str, bytes | None]]:
        """What changed since the last call of all else that is kept, by name; None: gone."""

    def restore_pages(self, pages: Mapping[str, bytes]) -> None:
        """Put the pages back; the conditions are filled by then."""


Stage = TypeVar("Stage", bound=Kept)


class Header(msgspec.Struct, array_like=True):
    """What is kept once a partition: offset, head, number of buckets by place, where `warnings` stood.

    `log` is the id of the log the offset is of, `base` how many offsets of earlier logs came before it.
    """

    offset: int
    head: bytes
    sizes: dict[bytes, int]
    warned: dict[int, int]
    log: str = ""
    base: int = 0


class Bucket(msgspec.Struct, array_like=True):
    """Some subjects of one rule and timeline, in two versions."""

    offset: int
    records: bytes
    before_offset: int
    before: bytes


_headers = msgspec.msgpack.Decoder(Header)
_buckets = msgspec.msgpack.Decoder(Bucket)
_records = msgspec.msgpack.Decoder(dict[str, list[Any]])
_NOTHING = _pack({})


class Checkpoint(msgspec.Struct, frozen=True):
    """What to write: the buckets first (None deletes), then, once they are acknowledged, the header."""

    offset: int
    buckets: list[tuple[bytes, bytes | None]]
    header: tuple[bytes, bytes]


class StateKeeper(Generic[Stage]):
    """Turns a partition's state into checkpoints and back."""

    def __init__(self, partition: Stage, log: str = "", end: int | None = None) -> None:
        """`log`: the id of the log the partition is of, `end`: where it ends now, where they are known."""
        self.partition, self._log, self._end = partition, log, end
        self.begun_anew = ""
        self._prefix = f"{partition.topic}/{partition.partition}".encode() + _SEPARATOR
        self._sizes: dict[bytes, int] = {}
        self._written: dict[bytes, Bucket] = {}
        self._members: dict[bytes, set[str]] = {}
        self._stale: set[bytes] = set()
        self._offset = -1
        self._sizes_of: dict[bytes, int] = {}
        self.size = 0

    def checkpoint(self, warned: Mapping[int, int]) -> Checkpoint | None:
        """The dirty buckets and the header of this moment; None where nothing was applied since the last one."""
        partition = self.partition
        if partition.offset == self._offset:
            return None
        leftover, self._stale = self._stale, set()
        buckets = {**dict(self._dirty(leftover)), **dict(self._paged())}
        deleted = [(key, None) for key in sorted(leftover - buckets.keys())]
        self._offset = partition.offset
        header = Header(
            partition.offset, partition.head(), dict(self._sizes), dict(warned), self._log, partition.base
        )
        written = [*buckets.items(), *deleted]
        last = (self._prefix, _pack(header))
        self._weigh([*written, last])
        return Checkpoint(partition.offset, written, last)

    def _weigh(self, written: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Keep the number of bytes the state has in its changelog, `size`, up to date."""
        for key, value in written:
            self.size -= self._sizes_of.pop(key, 0)
            if value is not None:
                self._sizes_of[key] = len(key) + len(value)
                self.size += len(key) + len(value)

    def _dirty(self, leftover: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The buckets that changed since the last checkpoint, and the leftovers still in use."""
        places = set()
        for timeline, each in self.partition.conditions():
            place = self._place(timeline, each)
            places.add(place)
            size = self._fit(place, each)
            keys = {key for key in leftover if key.startswith(_numbered(place, size))}
            keys |= self._touched(_numbered(place, size), size, each)
            yield from ((key, self._bucket(key, each)) for key in sorted(keys))
        for place in self._sizes.keys() - places:  # its rule is in force no more
            self._leave(place, self._sizes.pop(place))

    def _paged(self) -> Iterator[tuple[bytes, bytes]]:
        for name, raw in self.partition.pages():
            key = self._prefix + _PAGE + name.encode()
            old = self._written.pop(key, Bucket(-1, _NOTHING, -1, _NOTHING))
            if raw is None:
                self._stale.add(key)
                continue
            bucket = Bucket(self.partition.offset, raw, old.offset, old.records)
            if not name.startswith(_ONCE):
                self._written[key] = Bucket(bucket.offset, raw, -1, _NOTHING)
            yield key, _pack(bucket)

    def _leave(self, place: bytes, size: int) -> None:
        """Leave a place's buckets to be deleted at the next checkpoint."""
        old = [key for key in self._members if key.startswith(_numbered(place, size))]
        for key in old:
            del self._members[key]
            self._written.pop(key, None)
        self._stale.update(old)

    def _fit(self, place: bytes, condition: Condition) -> int:
        """The number of buckets; where it must grow, all subjects move and the old buckets are left over."""
        size = self._sizes.setdefault(place, LEAST)
        wanted = size
        while len(condition.records) > SUBJECTS * wanted:
            wanted *= 2
        if wanted > size:
            self._leave(place, size)
            self._sizes[place] = wanted
            condition.touched.update(condition.records)
        return wanted

    def _touched(self, prefix: bytes, size: int, condition: Condition) -> set[bytes]:
        keys = set()
        for subject in condition.touched:
            key = prefix + str(crc32(subject.encode()) % size).encode()
            keys.add(key)
            members = self._members.setdefault(key, set())
            if subject in condition.records:
                members.add(subject)
            else:
                members.discard(subject)
        condition.touched.clear()
        return keys

    def _bucket(self, key: bytes, condition: Condition) -> bytes:
        records = _pack({name: condition.records[name] for name in sorted(self._members.get(key, ()))})
        old = self._written.get(key, Bucket(-1, _NOTHING, -1, _NOTHING))
        bucket = Bucket(self.partition.offset, records, old.offset, old.records)
        self._written[key] = bucket
        return _pack(bucket)

    def _place(self, timeline: str, condition: Condition) -> bytes:
        return self._prefix + f"{condition.rule.id}@{timeline}".encode() + _SEPARATOR

    def restore(self, stored: Mapping[bytes, bytes]) -> dict[int, int]:
        """Put a partition's state back; return where `warnings` stood when it was written.

        What is of another log is another world, and so is what is further than the log goes: the partition begins
        anew (`begun_anew` says why), and all warnings there are must be known then.
        """
        raw = stored.get(self._prefix)
        self._weigh([(key, value) for key, value in stored.items() if key.startswith(self._prefix)])
        found = {key: _buckets.decode(value) for key, value in stored.items() if self._owns(key)}
        if raw is None:
            self._stale = set(found)
            return {}
        header = _headers.decode(raw)
        self.begun_anew = self._another(header)
        if self.begun_anew:
            self.partition.base = header.base + header.offset + 1
            self._stale = set(found)
            return {}
        self._log = self._log or header.log
        self.partition.base = header.base
        self.partition.restore_head(header.head)
        self._offset = self.partition.offset = header.offset
        self._stale = {key for key, bucket in found.items() if bucket.offset > header.offset}
        for timeline, each in self.partition.conditions():
            place = self._place(timeline, each)
            self._restore_condition(timeline, place, each, header.sizes.get(place, LEAST), found)
        self.partition.restore_pages(dict(self._restored_pages(found)))
        return header.warned

    def _another(self, header: Header) -> str:
        """Why what was kept is not of this log; empty where it is."""
        if self._log and header.log not in ("", self._log):
            return "the topic was made anew"
        if self._end is not None and header.offset >= self._end:
            return (
                f"it was judged up to offset {header.offset}, but the log ends at {self._end}: an older copy"
            )
        return ""

    def _restored_pages(self, found: Mapping[bytes, Bucket]) -> Iterator[tuple[str, bytes]]:
        prefix = self._prefix + _PAGE
        for key, bucket in found.items():
            if not key.startswith(prefix):
                continue
            offset, raw = bucket.offset, bucket.records
            if key in self._stale:
                offset, raw = bucket.before_offset, bucket.before
            if offset < 0:
                continue
            name = key.removeprefix(prefix).decode()
            if not name.startswith(_ONCE):
                self._written[key] = Bucket(offset, raw, -1, _NOTHING)
            yield name, raw

    def _owns(self, key: bytes) -> bool:
        return key.startswith(self._prefix) and key != self._prefix

    def _restore_condition(
        self, timeline: str, place: bytes, condition: Condition, size: int, found: Mapping[bytes, Bucket]
    ) -> None:
        self._sizes[place] = size
        for number in range(size):
            key = _numbered(place, size) + str(number).encode()
            bucket = found.get(key)
            if bucket is None:
                continue
            if key in self._stale:
                bucket = Bucket(bucket.before_offset, bucket.before, -1, _NOTHING)
            self._written[key] = bucket
            records = _records.decode(bucket.records)
            self._members[key] = set(records)
            condition.records.update(records)
        try:
            condition.restored()
        except Exception as error:
            self.partition.failed(timeline, condition.rule, error)


def _numbered(place: bytes, size: int) -> bytes:
    return place + f"{size}:".encode()
