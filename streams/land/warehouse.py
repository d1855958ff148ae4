"""The warehouse as land sees it: insert columns, read the ledger, know a topic's log epoch. A thin shell."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ErrorCodes, ServerException, TypeMismatchError

from schemas.chain import UNBROKEN
from schemas.errors import LiaowangError, Unavailable
from streams.land.columns import Columns
from streams.land.ledger import LedgerEntry, LogEpoch, Standing, union

_MARKS = "mapApply((k, v) -> (k, toUnixTimestamp64Milli(v)), {})"
_WHOLE = f"""
    SELECT partition, min(first), max(last), sum(accepted), sum(rejected), sum(control),
           {_MARKS.format("argMax(watermarks, last)")}, {UNBROKEN}
    FROM landing.ledger FINAL
    WHERE topic = %(topic)s AND log_epoch IN %(epochs)s
    GROUP BY partition
"""
_ENTRIES = f"""
    SELECT first, last, accepted, rejected, control, {_MARKS.format("watermarks")}
    FROM landing.ledger FINAL
    WHERE topic = %(topic)s AND log_epoch IN %(epochs)s AND partition = %(partition)s
"""


FAULTS = (TypeMismatchError, struct.error, ValueError, TypeError, ArithmeticError, AttributeError)
"""What the driver raises over values it cannot write."""
_FAULT_CODES = {
    ErrorCodes.CANNOT_PARSE_TEXT,
    ErrorCodes.CANNOT_PARSE_DATE,
    ErrorCodes.CANNOT_PARSE_DATETIME,
    ErrorCodes.CANNOT_PARSE_NUMBER,
    ErrorCodes.INCORRECT_DATA,
    ErrorCodes.ARGUMENT_OUT_OF_BOUND,
    ErrorCodes.CANNOT_CONVERT_TYPE,
    ErrorCodes.TOO_LARGE_STRING_SIZE,
    ErrorCodes.TOO_LARGE_ARRAY_SIZE,
    ErrorCodes.TYPE_MISMATCH,
    ErrorCodes.CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN,
    ErrorCodes.VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE,
    407,  # DECIMAL_OVERFLOW
    469,  # VIOLATED_CONSTRAINT
    691,  # UNKNOWN_ELEMENT_OF_ENUM
}
"""What the server says of values; anything else (a table that is away, memory, a disk) may pass."""


_VALUES = " Column values:"
"""From here on the server tells values of the row, which may be personal."""


class Unstorable(LiaowangError):
    """A row of an insert can never be stored, through its own fault; says why.

    `kind` is whose word it is, `said` what a driver or a server says: that may quote the row.
    """

    def __init__(self, said: str, kind: str = "") -> None:
        super().__init__(f"{kind}: {said}" if kind else said)
        self.said, self.kind = said, kind


class Warehouse:
    """One connection, for one caller at a time. Whatever the server or the network refuses is Unavailable.

    But for values that no repetition makes fit: an insert of such is Unstorable. After any error the next call
    has a connection of its own.
    """

    def __init__(self, connect: Mapping[str, Any]) -> None:
        self._connect = dict(connect) | {
            "connect_timeout": 5,
            "send_receive_timeout": 120,
            "sync_request_timeout": 5,
        }
        self._client: Client | None = None

    def insert(self, table: str, columns: Columns) -> None:
        """Insert columns of equal length into `landing.<table>`; returns when the server has stored them."""
        names = ", ".join(f"`{name}`" for name in columns)
        try:
            self._run(
                f"INSERT INTO landing.`{table}` ({names}) VALUES", list(columns.values()), columnar=True
            )
        except FAULTS as error:
            raise Unstorable(str(error), type(error).__name__) from error
        except Unavailable as error:
            cause = error.__cause__
            if isinstance(cause, ServerException) and cause.code in _FAULT_CODES:
                kind, _, said = _reason(cause).partition(_VALUES)[0].partition(": ")
                raise Unstorable(said, f"warehouse: {kind}") from error
            raise

    def standings(self, topic: str, epochs: Sequence[int]) -> dict[int, Standing]:
        """The union of the ledger's intervals by partition. Long ledgers are summed up by the server."""
        found: dict[int, Standing] = {}
        for partition, *entry, unbroken in self._run(_WHOLE, {"topic": topic, "epochs": tuple(epochs)}):
            entries = [LedgerEntry(*entry)]
            if not unbroken:
                given = {"topic": topic, "epochs": tuple(epochs), "partition": partition}
                entries = [LedgerEntry(*row) for row in self._run(_ENTRIES, given)]
            standing = union(entries)
            if standing:
                found[partition] = standing
        return found

    def rows(self, query: str, given: Mapping[str, Any], **settings: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return list(self._run(query, dict(given), settings=settings or None))

    def log_epochs(self, topic: str) -> list[LogEpoch]:
        """The log epochs of a topic that are on record."""
        rows = self._run(
            "SELECT topic_id, log_epoch FROM landing.epoch FINAL WHERE topic = %(topic)s ORDER BY log_epoch",
            {"topic": topic},
        )
        return [LogEpoch(*row) for row in rows]

    def record(self, topic: str, log_epoch: LogEpoch) -> None:
        """Put a new log epoch of a topic on record."""
        self.insert(
            "epoch", {"topic": [topic], "topic_id": [log_epoch.topic_id], "log_epoch": [log_epoch.number]}
        )

    def ping(self) -> None:
        """Return when the warehouse answers."""
        self._run("SELECT 1", {})

    def close(self) -> None:
        """End the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()

    def _run(self, query: str, given: Any, **how: Any) -> Any:
        try:
            if self._client is None:
                self._client = Client(**self._connect)
            return self._client.execute(query, given, **how)
        except ServerException as error:
            self.close()
            raise Unavailable(f"warehouse: {_reason(error)}") from error
        except TypeMismatchError:
            self.close()
            raise
        except (OSError, EOFError, Error) as error:
            self.close()
            raise Unavailable(f"warehouse: {error}") from error
        except Exception:
            self.close()
            raise


def _reason(error: ServerException) -> str:
    first = str(error.message).split("Stack trace:")[0].strip().splitlines()[0]
    return f"code {error.code}: {first.removeprefix('DB::Exception: ')}"
