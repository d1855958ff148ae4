"""The warehouse as builds use it: statements in, rows out; Unavailable where it does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from schemas.errors import Misdeclared, Unavailable
from schemas.settings import PREFIX, Settings

SESSION = {
    "max_partitions_per_insert_block": 0,
    "do_not_merge_across_partitions_select_final": 1,
    "join_use_nulls": 0,
    "max_memory_usage": 4_000_000_000,
    "insert_block_size": 10_000_000,  # rows a block: one insert is one block, so one release is one part
    "server_side_params": True,
}
REFUSALS = (192, 193, 516)  # no such user, wrong password, one of both
FULL = (75, 243)
"""Cannot write to a file, not enough space: a matter of the machine, not of the data."""
THROWN = 395
REFUSED = re.compile(r"release (\d+) (does not exist; [a-z0-9 ]+|has expired)")
"""What a view of a release says where it is not to be had (`dagster_project.mart.barrier`)."""
External = Mapping[str, tuple[Sequence[tuple[str, str]], Sequence[Sequence[Any]]]]


class Warehouse:
    """One connection as user `service`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def rows(self, sql: str, external: External | None = None, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement with server-side parameters and small external tables; its rows."""
        tables = [
            {"name": name, "structure": list(structure), "data": _data(structure, rows)}
            for name, (structure, rows) in (external or {}).items()
        ]
        with answering():
            return list(self._client.execute(sql, parameters or None, external_tables=tables or None))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows as one block; nothing is sent where there are none."""
        if not rows:
            return
        names = ", ".join(f"`{column}`" for column in columns)
        with answering():
            self._client.execute(
                f"INSERT INTO {table} ({names}) VALUES",
                [tuple(row) for row in rows],
            )


@contextmanager
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    """A connection inside the block."""
    client = Client(**settings.warehouse("service"), settings=SESSION, send_receive_timeout=1800)
    try:
        yield Warehouse(client)
    finally:
        client.disconnect()


def _data(structure: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    names = [name for name, _ in structure]
    return [dict(zip(names, row, strict=True)) for row in rows]


@contextmanager
def answering() -> Iterator[None]:
    """What the driver raises inside, as our errors: Unavailable where the warehouse is away."""
    try:
        yield
    except (NetworkError, SocketTimeoutError, EOFError, ConnectionError) as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise Unavailable(f"the warehouse does not answer ({reason}); liaowang status tells more") from error
    except ServerException as error:
        if error.code == THROWN and (refused := REFUSED.search(error.message)):
            raise Misdeclared("release", refused[1], refused[2]) from error
        if error.code in FULL or "No space left on device" in error.message:
            raise Unavailable(
                "the warehouse cannot write: its disk is full; free space, then the same again"
            ) from error
        if error.code not in REFUSALS:
            raise
        raise Misdeclared(
            "settings",
            f"{PREFIX}SERVICE_PASSWORD",
            "the warehouse does not know it; it was started with another",
        ) from error
