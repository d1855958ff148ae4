"""Whose fault an error is: items are set aside, peers waited for, and a program's own fault ends it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa
from aiokafka import errors as broker
from sqlalchemy import exc

from schemas.errors import Misdeclared, Rejected, Unavailable
from streams.duty.faults import BrokenFile, Doubt, Fault, ProgramFault, away, fault_of, told
from streams.duty.refusals import Invalid


def raised(statement: str, **given: Any) -> Exception:
    """The error of a statement on a real database."""
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE t (a INTEGER NOT NULL UNIQUE)"))
            connection.execute(sa.text(statement), given)
    except Exception as error:
        return error
    finally:
        engine.dispose()
    raise AssertionError("it went well")


def of(work: Any) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("it went well")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Rejected("id", "too long", "x"), Fault.value),
        (Invalid("a NUL"), Fault.value),
        (of(lambda: "\ud800".encode()), Fault.value),
        (broker.MessageSizeTooLargeError(), Fault.value),
        (exc.DataError("INSERT", {}, Exception("NUL")), Fault.value),
        (of(lambda: json.loads("{")), Fault.item),
        (of(lambda: {}["title"]), Fault.item),
        (of(lambda: "{x}".format_map({})), Fault.item),
        (of(lambda: 10.0**400), Fault.item),
        (of(lambda: msgspec.json.decode(b"{")), Fault.item),
        (of(lambda: json.loads("[" * 100_000)), Fault.item),
        (raised("INSERT INTO t VALUES (NULL)"), Fault.item),
        (raised("INSERT INTO t VALUES (:a)", a=2**70), Fault.item),
        (Unavailable("the broker"), Fault.peer),
        (broker.KafkaConnectionError(), Fault.peer),
        (broker.RequestTimedOutError(), Fault.peer),
        (aiohttp.ClientConnectionError(), Fault.peer),
        (ConnectionResetError(), Fault.peer),
        (TimeoutError(), Fault.peer),
        (exc.OperationalError("UPDATE", {}, Exception("database or disk is full")), Fault.peer),
        (raised("SELECT * FROM nothing"), Fault.peer),
        (Misdeclared("rules", "id", "wrong"), Fault.program),
        (RuntimeError("a session that is closed"), Fault.program),
        (AssertionError(), Fault.program),
        (NameError(), Fault.program),
        (exc.ProgrammingError("SELECT", {}, Exception("no such column")), Fault.program),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_whose_fault_an_error_is(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_a_broken_file_is_a_peers_and_will_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlite3.DatabaseError) as found:
        sqlite3.connect(path).execute("SELECT * FROM sqlite_master")
    assert fault_of(found.value) is Fault.peer
    error = away("the outbox x", found.value)
    assert isinstance(error, BrokenFile) and str(error) == "the outbox x: file is not a database"


def test_many_that_fail_in_a_row_are_the_programs_fault_and_wrong_values_are_never() -> None:
    doubt = Doubt(most=3)
    for _ in range(50):
        assert doubt.blame(Rejected("id", "too long", "x"))
    for _ in range(5):
        assert doubt.blame(KeyError("title")) == "KeyError: 'title'"
        doubt.good()
    doubt.blame(KeyError("title"))
    doubt.blame(KeyError("title"))
    with pytest.raises(ProgramFault, match="3 items in a row failed, the last by KeyError: 'title'"):
        doubt.blame(KeyError("title"))


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("a bug")])
def test_what_is_not_the_items_fault_is_raised_again(error: Exception) -> None:
    with pytest.raises(type(error)):
        Doubt().blame(error)


def test_an_error_is_told_in_one_short_line() -> None:
    assert told(ValueError("a\nb\0" + "c" * 1000)) == "ValueError: a"
    assert told(ValueError("x" * 1000)) == f"ValueError: {'x' * 288}"
    assert told(AssertionError()) == "AssertionError"
    assert told(Rejected("id", "too long", "x")) == "id: too long: x"
