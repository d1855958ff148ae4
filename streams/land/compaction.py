"""The ledger summed up: intervals that follow each other become one, and its union stays as it is.

Only what was written a while ago is merged (`Compactor`), and only where nothing overlaps: every boundary at which
some worker's chain may go on stays a boundary. The merged interval is written first and its parts are deleted
then; a crash between leaves both, which say the same, and the next pass deletes the parts. An interval never
reaches over more than SPAN of arrival, so what retention may have removed is known as closely as its margin.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from streams.land.warehouse import Warehouse

SETTLED = timedelta(minutes=15)
"""What was written so long ago is merged: a worker without a heartbeat for so long is started anew."""
SPAN = timedelta(hours=6)
ROWS = 1_000_000
"""Intervals that one statement looks at, about; of a longer ledger the first ones, the rest in later passes."""
Place = tuple[str, int]  # topic, partition
ReadPosition = Mapping[Place, tuple[int, int]]
"""By place its log epoch and the offset up to which, exclusively, it is written."""

_PLACE = "topic, log_epoch, partition"
_OLD = """(log_epoch < transform(concat(topic, '/', toString(partition)), %(places)s, %(epochs)s, 0)
    OR log_epoch = transform(concat(topic, '/', toString(partition)), %(places)s, %(epochs)s, 0)
    AND {last} < transform(concat(topic, '/', toString(partition)), %(places)s, %(stops)s, 0))"""
_FIRST = f"""
    SELECT * FROM landing.ledger FINAL WHERE topic IN %(topics)s
    ORDER BY {_PLACE}, first, last LIMIT %(most)s BY {_PLACE}"""
_MERGE = f"""
INSERT INTO landing.ledger ({_PLACE}, feed, first, last, accepted, rejected, control, watermarks, arrived_last,
    listed, parts)
SELECT {_PLACE}, any(feed), min(first), max(last), sum(accepted), sum(rejected), sum(control),
    argMax(watermarks, last), argMax(arrived_last, last), min(told), sum(greatest(parts, 1))
FROM
(
    SELECT *, sum(begins) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM
    (
        SELECT *, NOT (free AND lagInFrame(free, 1, 0) OVER v AND first = lagInFrame(last, 1, 0) OVER v + 1
            AND told = lagInFrame(told, 1, 0) OVER v AND span = lagInFrame(span, 1, 0) OVER v) AS begins
        FROM
        (
            SELECT *, listed OR accepted = 0 AS told,
                intDiv(toUnixTimestamp(arrived_last), {SPAN // timedelta(seconds=1)}) AS span,
                {_OLD.format(last="last")}
                AND (row_number() OVER w = 1
                    OR first > max(last) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
                AND leadInFrame(first, 1, toUInt64(-1))
                    OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) > last
                AND row_number() OVER w < %(most)s AS free
            FROM ({_FIRST})
            WINDOW w AS (PARTITION BY {_PLACE} ORDER BY first, last)
        )
        WINDOW v AS (PARTITION BY {_PLACE} ORDER BY first, last ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WINDOW w AS (PARTITION BY {_PLACE} ORDER BY first, last)
)
GROUP BY {_PLACE}, run HAVING count() > 1"""
MERGED_TO = f"""max(if(parts > 0, last + 1, 0)) OVER
    (PARTITION BY {_PLACE} ORDER BY first, last DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"""
"""Where merged intervals before one end, exclusively; one that ends below it is a part of one of them."""
_WITHIN = f"""
SELECT {_PLACE}, first, last FROM
(
    SELECT {_PLACE}, first, last, {MERGED_TO} AS stop FROM ({_FIRST})
)
WHERE last < stop"""
_COUNT = f"SELECT count() FROM ({_WITHIN})"
_DELETE = f"DELETE FROM landing.ledger WHERE topic IN %(topics)s AND ({_PLACE}, first, last) IN ({_WITHIN})"
_SIZES = "SELECT topic, count() FROM landing.ledger WHERE topic IN %(topics)s GROUP BY topic ORDER BY topic"
_UNLISTED = f"""
SELECT DISTINCT topic FROM landing.ledger FINAL
WHERE topic IN %(topics)s AND NOT listed AND accepted > 0 AND {_OLD.format(last="last")}"""
_DAYS = f"""
INSERT INTO landing.changed_day (topic, event_day, log_epoch, partition, last, corrected)
SELECT topic, event_day, log_epoch, partition, max(offset), maxIf(offset + 1, corrects != '') FROM
(
    SELECT %(topic)s AS topic, event_day, log_epoch, partition, offset, corrects FROM landing.{{table}}
    WHERE {_OLD.format(last="offset")}
)
GROUP BY topic, event_day, log_epoch, partition"""
_LISTED = f"""
INSERT INTO landing.ledger SELECT * REPLACE (1 AS listed) FROM
(
    SELECT * FROM landing.ledger FINAL WHERE topic = %(topic)s AND NOT listed AND {_OLD.format(last="last")}
)"""


class Compactor:
    """Knows what was written long enough ago, from what was written at each pass."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, ReadPosition]] = deque()

    def old(self, now: float, written: ReadPosition) -> ReadPosition:
        """What of the places now written had been written a while before `now` (seconds)."""
        self._seen.append((now, dict(written)))
        while len(self._seen) > 1 and now - self._seen[1][0] >= SETTLED.total_seconds():
            self._seen.popleft()
        at, reached = self._seen[0]
        if now - at < SETTLED.total_seconds():
            return {}
        return {
            place: (log_epoch, stop)
            for place, (log_epoch, stop) in reached.items()
            if place in written and written[place][0] == log_epoch
        }


def compact(warehouse: Warehouse, tables: Mapping[str, str], old: ReadPosition) -> None:
    """Sum up what is `old` of these places, and list the days of what was landed by a version that did not.

    `tables` are those of the feeds by topic. Safe to run at any time, by several workers, and to be cut short.
    """
    if not old:
        return
    topics = sorted({topic for topic, _ in old})
    for (topic,) in warehouse.rows(_UNLISTED, _given(topics, old)):
        given = _given([topic], old) | {"topic": topic}
        warehouse.rows(_DAYS.format(table=tables[topic]), given)
        warehouse.rows(_LISTED, given)
    for some in _together(warehouse.rows(_SIZES, {"topics": topics})):
        given = _given(some, old)
        warehouse.rows(_MERGE, given)
        if warehouse.rows(_COUNT, given) != [(0,)]:
            warehouse.rows(_DELETE, given)


def _given(topics: Collection[str], old: ReadPosition) -> dict[str, Any]:
    mine = {place: reached for place, reached in old.items() if place[0] in topics}
    return {
        "topics": tuple(topics),
        "places": [f"{topic}/{partition}" for topic, partition in mine],
        "epochs": [log_epoch for log_epoch, _ in mine.values()],
        "stops": [stop for _, stop in mine.values()],
        "most": max(3, ROWS // max(1, len(mine))),
    }


def _together(sizes: Collection[tuple[Any, ...]]) -> Iterator[list[str]]:
    """Topics in lists that one statement can look at."""
    some: list[str] = []
    held = 0
    for topic, rows in sizes:
        if some and held + rows > ROWS:
            yield some
            some, held = [], 0
        some.append(topic)
        held += rows
    if some:
        yield some
