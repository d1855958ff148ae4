"""Recoverable state of a watched partition: buckets of subjects, and one header written after them.

A bucket's value holds two versions, each with the last offset applied to it. The header is written once its
buckets are acknowledged, and names the offset it stands for; a bucket newer than the header is the trace of a
checkpoint that did not finish, and its older version is taken. So what is restored is the state at the
header's offset exactly, and a replay from there can count nothing twice.

The number of a rule's buckets grows with its subjects (SUBJECTS a bucket on average), so a bucket stays small;
keys carry the number, and those of the old number are deleted one checkpoint after the header has moved on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

import msgspec

from streams.watch.conditions import Condition
from streams.watch.partition import Partition

SUBJECTS = 128
LEAST = 4
_SEPARATOR = b"\x1f"
_pack = msgspec.msgpack.Encoder().encode


class LaneHeader(msgspec.Struct, array_like=True):
    """What a timeline needs besides its buckets: watermark, remembered ids, number of buckets by rule."""

    watermark: int
    seen: dict[str, int]
    sizes: dict[str, int]


class Header(msgspec.Struct, array_like=True):
    """What is kept once a partition: offset, arrival clock, lanes, and where `warnings` stood at the time."""

    offset: int
    arrival: int
    lanes: dict[str, LaneHeader]
    warned: dict[int, int]


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


class StateKeeper:
    """Turns a partition's state into checkpoints and back."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self._prefix = f"{partition.topic}/{partition.partition}".encode() + _SEPARATOR
        self._sizes: dict[bytes, int] = {}
        self._written: dict[bytes, Bucket] = {}
        self._members: dict[bytes, set[str]] = {}
        self._stale: set[bytes] = set()
        self._offset = -1

    def checkpoint(self, warned: Mapping[int, int]) -> Checkpoint | None:
        """The dirty buckets and the header of this moment; None where nothing was applied since the last one."""
        partition = self.partition
        if partition.offset == self._offset:
            return None
        partition.forget_late()
        leftover, self._stale = self._stale, set()
        buckets = dict(self._dirty(leftover))
        deleted = [(key, None) for key in sorted(leftover - buckets.keys())]
        self._offset = partition.offset
        lanes = {
            timeline: LaneHeader(
                lane.watermark,
                lane.seen,
                {_rule_key(each): self._sizes[self._place(timeline, each)] for each in lane.conditions},
            )
            for timeline, lane in partition.lanes.items()
        }
        header = Header(partition.offset, partition.arrival, lanes, dict(warned))
        return Checkpoint(partition.offset, [*buckets.items(), *deleted], (self._prefix, _pack(header)))

    def _dirty(self, leftover: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The buckets that changed since the last checkpoint, and the leftovers still in use."""
        for timeline, lane in self.partition.lanes.items():
            for each in lane.conditions:
                place = self._place(timeline, each)
                size = self._fit(place, each)
                keys = {key for key in leftover if key.startswith(_numbered(place, size))}
                keys |= self._touched(_numbered(place, size), size, each)
                yield from ((key, self._bucket(key, each)) for key in sorted(keys))

    def _fit(self, place: bytes, condition: Condition) -> int:
        """The number of buckets; where it must grow, all subjects move and the old buckets are left over."""
        size = self._sizes.setdefault(place, LEAST)
        wanted = size
        while len(condition.records) > SUBJECTS * wanted:
            wanted *= 2
        if wanted > size:
            old = [key for key in self._members if key.startswith(_numbered(place, size))]
            for key in old:
                del self._members[key]
                self._written.pop(key, None)
            self._stale.update(old)
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
        return self._prefix + f"{_rule_key(condition)}@{timeline}".encode() + _SEPARATOR

    def restore(self, stored: Mapping[bytes, bytes]) -> dict[int, int]:
        """Put a partition's state back; return where `warnings` stood when it was written."""
        raw = stored.get(self._prefix)
        header = _headers.decode(raw) if raw is not None else Header(-1, self.partition.arrival, {}, {})
        self._offset = self.partition.offset = header.offset
        self.partition.arrival = header.arrival
        found = {key: _buckets.decode(value) for key, value in stored.items() if self._owns(key)}
        self._stale = {key for key, bucket in found.items() if bucket.offset > header.offset}
        for timeline, kept in header.lanes.items():
            lane = self.partition.lane(timeline)
            lane.watermark, lane.seen = kept.watermark, kept.seen
            for each in lane.conditions:
                self._restore_condition(timeline, each, kept.sizes.get(_rule_key(each), LEAST), found)
        return header.warned

    def _owns(self, key: bytes) -> bool:
        return key.startswith(self._prefix) and key != self._prefix

    def _restore_condition(
        self, timeline: str, condition: Condition, size: int, found: Mapping[bytes, Bucket]
    ) -> None:
        place = self._place(timeline, condition)
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
        condition.restored()


def _rule_key(condition: Condition) -> str:
    return f"{condition.rule.id}:{condition.rule.kind}"


def _numbered(place: bytes, size: int) -> bytes:
    return place + f"{size}:".encode()
