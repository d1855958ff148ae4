"""The SQL that builds the table of a feed: landing, up to a vector of offsets -> built and quarantine. Pure.

Every statement reads one span of days. Small external tables come with it: `dropped` and `renamed` (what
corrections decided) and `stray` (later copies of an event that lie on another day than the first).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from dagster_project.days.ledger import End
from quality.rows import RowRule, broken, quote, reasons
from schemas.contract import Contract
from schemas.tables import built_columns

EXTERNAL = {
    "dropped": [("source", "String"), ("id", "String")],
    "renamed": [("source", "String"), ("id", "String"), ("original", "String")],
    "stray": [("event_day", "Date"), ("source", "String"), ("id", "String")],
}
_PLACE = "log_epoch, partition, offset"
_KEY = "sipHash64(source, id)"
_PLACE_KEY = "toUInt64(log_epoch) * 65536 + partition"


@dataclass(frozen=True)
class FeedSql:
    """Statements for one feed and one vector of ends; `days` arguments are inclusive."""

    contract: Contract
    vector: tuple[End, ...]
    rules: tuple[RowRule, ...]

    @property
    def landing(self) -> str:
        """The table read."""
        return f"landing.{self.contract.table}"

    @property
    def built(self) -> str:
        """The table written."""
        return f"built.{self.contract.table}"

    def counts(self, first: date, last: date) -> str:
        """Landed copies by day: (day, rows)."""
        return (
            f"SELECT event_day, count() FROM {self.landing} FINAL WHERE {self._within(first, last)}"
            " GROUP BY event_day ORDER BY event_day"
        )

    def corrections(self) -> str:
        """All copies of all corrections and of what they name, for `corrections.resolve`.

        A row that was landed twice may come twice: it is the same event at the same place.
        """
        found = f"FROM {self.landing} WHERE corrects != '' AND {self._read}"
        return (
            f"SELECT source, id, corrects, event_day, arrived, {_PLACE} FROM {self.landing}"
            f" WHERE {self._read}"
            f" AND (source, id) IN (SELECT source, id {found} UNION ALL SELECT source, corrects {found})"
        )

    def repeated(self, first: date, last: date) -> str:
        """A row if there is anything for `elsewhere` to find: it reads the whole table several times."""
        return f"SELECT * FROM ({self._keys(first, last)}) LIMIT 1"

    def elsewhere(self, first: date, last: date) -> str:
        """Copies of events that stand on several days, one of them in the span."""
        return (
            f"SELECT source, id, event_day, {_PLACE} FROM {self.landing} FINAL"
            f" WHERE {self._read} AND {_KEY} IN ({self._keys(first, last)})"
        )

    def _keys(self, first: date, last: date) -> str:
        """Keys of events that may stand on several days, one of them in the span."""
        key, within, inside = _KEY, self._within(first, last), _days(first, last)
        mine = f"SELECT {key} FROM {self.landing} WHERE {within}"
        outside = (
            f"SELECT {key} FROM {self.landing} WHERE NOT ({inside}) AND {self._read} AND {key} IN ({mine})"
        )
        if first < last:
            outside += (
                f" UNION ALL SELECT {key} FROM {self.landing} WHERE {within}"
                f" GROUP BY {key} HAVING min(event_day) != max(event_day)"
            )
        return outside

    def insert(self, build_id: str, first: date, last: date) -> str:
        """Write the rows of the span that break no row rule."""
        columns = [name for name, _ in built_columns(self.contract)]
        picked = [f"_l.`{name}`" for name in columns[1:]]
        picked[columns.index("id") - 1] = "if(_r.original != '', _r.original, _l.id)"
        return (
            f"INSERT INTO {self.built} ({', '.join(f'`{name}`' for name in columns)})"
            f" SELECT {quote(build_id)}, {', '.join(picked)}"
            f" FROM ({self._kept(first, last)} AND NOT ({broken(self.rules)})) AS _l"
            " LEFT ANY JOIN renamed AS _r ON _l.source = _r.source AND _l.id = _r.id"
        )

    def suspects(self, first: date, last: date) -> str:
        """How many landed copies break a row rule; 0 spares the quarantine its work."""
        return (
            f"SELECT count() FROM {self.landing} WHERE {self._within(first, last)} AND ({broken(self.rules)})"
        )

    def quarantine(self, build_id: str, first: date, last: date) -> str:
        """Write the rows of the span that break a row rule, with the reasons."""
        return (
            "INSERT INTO quality.quarantine"
            f" SELECT {quote(build_id)}, {quote(self.contract.table)}, event_day, {_PLACE},"
            f" arrived, source, id, {reasons(self.rules)}, raw"
            f" FROM ({self._kept(first, last)}) WHERE {broken(self.rules)}"
        )

    def contents(self, build_id: str, first: date, last: date) -> str:
        """What was built by day: (day, rows, corrected, content hash, first and last offset by place).

        The hash is of the events alone: neither their order, nor their place in the log, nor when they
        arrived. A place is `log_epoch * 65536 + partition`.
        """
        names = ["source", "id", "time", *(field.name for field in self.contract.fields)]
        row = ", ".join(
            f"_t.`{name}`" for name in names
        )  # no field begins so: it may be called as a name here
        by_place = (
            f"SELECT event_day, {_PLACE_KEY} AS place, count() AS n, countIf(corrects != '') AS m,"
            f" groupBitXor(sipHash64(tuple({row}))) AS x, sum(cityHash64(tuple({row}))) AS s,"
            " min(offset) AS low, max(offset) AS high"
            f" FROM {self.built} AS _t WHERE build_id = {quote(build_id)} AND {_days(first, last)}"
            " GROUP BY event_day, place"
        )
        return (
            "SELECT event_day, sum(n), sum(m),"
            " concat(toString(sum(n)), '-', hex(groupBitXor(x)), '-', hex(sum(s))),"
            " minMap(map(place, low)), maxMap(map(place, high))"
            f" FROM ({by_place}) GROUP BY event_day ORDER BY event_day"
        )

    def accepted(self, floors: Iterable[End] = ()) -> str:
        """Landed events by partition from the floors up to the vector's ends: (log epoch, partition, rows)."""
        above = f" AND NOT ({below(floors)})" if (floors := list(floors)) else ""
        return (
            f"SELECT log_epoch, partition, count() FROM {self.landing} FINAL WHERE {self._read}{above}"
            " GROUP BY log_epoch, partition"
        )

    @property
    def _read(self) -> str:
        return below(self.vector)

    def _within(self, first: date, last: date) -> str:
        return f"{_days(first, last)} AND {self._read}"

    def _kept(self, first: date, last: date) -> str:
        """First copy of each event, but those that corrections replaced; open for further conditions."""
        copies = (
            f"SELECT * FROM {self.landing} FINAL WHERE {self._within(first, last)}"
            f" ORDER BY event_day, {_PLACE} LIMIT 1 BY event_day, source, id"
        )
        return (
            f"SELECT * FROM ({copies}) WHERE (source, id) NOT IN (SELECT source, id FROM dropped)"
            " AND (event_day, source, id) NOT IN (SELECT event_day, source, id FROM stray)"
        )


def below(vector: Iterable[End]) -> str:
    """SQL: whether a row stands below its partition's end."""
    places = [(end.place, end.stop) for end in vector]
    if not places:
        return "0"
    keys = ", ".join(str(key) for key, _ in places)
    stops = ", ".join(str(stop) for _, stop in places)
    return f"offset < transform({_PLACE_KEY}, [{keys}], [{stops}]::Array(UInt64), 0::UInt64)"


def content_hash(row: str) -> str:
    """SQL aggregate: a hash of the rows whatever their order; the same rows give the same text."""
    return (
        f"concat(toString(count()), '-', hex(groupBitXor(sipHash64(tuple({row})))), '-',"
        f" hex(sum(cityHash64(tuple({row})))))"
    )


def _days(first: date, last: date) -> str:
    return f"event_day BETWEEN '{first}' AND '{last}'"
