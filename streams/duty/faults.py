"""Whose fault an error is: the item's that was worked on, a peer's, or the program's. Pure.

The item's is set aside and the rest goes on; a peer's (broker, database, receiver) is waited for with growing
pauses; the program's ends it with a line in the log, so that the supervisor and `status` show it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from enum import StrEnum

import aiohttp
import msgspec
from aiokafka import errors as broker
from sqlalchemy import exc

from schemas.errors import LiaowangError, Misdeclared, Rejected, Unavailable
from streams.duty.refusals import Refused
from streams.duty.words import one_line

MOST_IN_A_ROW = 100
"""So many items in a row, without one that went well, that fail in a way that might be the program's."""
REASON_LENGTH = 300
_BROKEN_FILE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REFUSED_BY_BROKER = (
    broker.MessageSizeTooLargeError,
    broker.RecordListTooLargeError,
    broker.InvalidTopicError,
    broker.CorruptRecordException,
)

SetAside = Callable[[str, str], None]
"""Records an item that was set aside: what it is or where it stands, and why."""


class Fault(StrEnum):
    """Whose fault it is. `value` is an item's, too: it says something wrong, and no bug looks like that."""

    value = "value"
    item = "item"
    peer = "peer"
    program = "program"


class BrokenFile(Unavailable):
    """A database's file is no database any more, or parts of it are missing."""


class ProgramFault(LiaowangError):
    """An error of the program itself: it ends, since going on would set aside everything."""


def fault_of(error: BaseException) -> Fault:
    """Whose fault an error is that came up while one item was worked on."""
    for kinds, fault in _KINDS:
        if isinstance(error, kinds):
            return fault
    if isinstance(error, exc.DBAPIError):
        return _of_database(error)
    if isinstance(error, exc.StatementError):  # a value that could not even be given to the driver
        return Fault.item
    if isinstance(error, sqlite3.DatabaseError) and _is_broken_file(error):
        return Fault.peer
    return Fault.program


_KINDS: tuple[tuple[tuple[type[BaseException], ...], Fault], ...] = (
    ((Misdeclared, ProgramFault), Fault.program),
    ((Rejected, Refused, exc.DataError, UnicodeError, *_REFUSED_BY_BROKER), Fault.value),
    ((Unavailable, exc.OperationalError, sqlite3.OperationalError), Fault.peer),
    ((broker.KafkaError, aiohttp.ClientError, OSError), Fault.peer),
    ((exc.IntegrityError, sqlite3.IntegrityError), Fault.item),
    ((ValueError, TypeError, LookupError, ArithmeticError, AttributeError), Fault.item),
    ((RecursionError, msgspec.MsgspecError), Fault.item),
)
"""The first that fits counts: `UnicodeError` is a `ValueError`, `aiohttp.InvalidURL` both of two kinds."""


def _of_database(error: exc.DBAPIError) -> Fault:
    """A statement that is wrong is the program's; a connection or a file that is broken is the database's."""
    if isinstance(error, exc.ProgrammingError):
        return Fault.program
    return Fault.peer


def _is_broken_file(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN_FILE


def away(what: str, error: BaseException) -> Unavailable:
    """An error of a database as Unavailable: what is away, and why; BrokenFile where it will not come back."""
    cause = getattr(error, "orig", None) or error
    kind = BrokenFile if _is_broken_file(cause) else Unavailable
    return kind(f"{what}: {one_line(cause)}")


def told(error: BaseException) -> str:
    """What an error says as one short line, with its kind where the words alone say too little."""
    said = one_line(str(getattr(error, "orig", None) or error).partition("\n")[0])
    name = type(error).__name__
    return (said if isinstance(error, LiaowangError) else f"{name}: {said}" if said else name)[:REASON_LENGTH]


class Doubt:
    """Counts items that fail in a row; ProgramFault where they are so many that it can be no item's fault.

    What a value says wrong by itself (`Fault.value`) never counts: a station may send a thousand of these.
    """

    def __init__(self, most: int = MOST_IN_A_ROW) -> None:
        self._most, self._row = most, 0

    def good(self) -> None:
        """One went well."""
        self._row = 0

    def blame(self, error: BaseException) -> str:
        """The reason for setting an item aside; any error that is not the item's own is raised again."""
        fault = fault_of(error)
        if fault not in (Fault.value, Fault.item):
            raise error
        if fault is Fault.item:
            self._row += 1
            if self._row >= self._most:
                raise ProgramFault(f"{self._row} items in a row failed, the last by {told(error)}") from error
        return told(error)
