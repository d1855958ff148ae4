"""One behaviour, two databases: every test that takes `database` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.regions import Regions, load_regions
from streams.duty.database.database import Database
from streams.duty.home import seed
from streams.duty.rosters.desk import EXAMPLE, Desk
from streams.duty.rosters.roster_yaml import load_roster
from tests.streams.duty.databases import missing, postgresql
from tests.streams.duty.moments import NOW

TEMPLATE = "duty_template"
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def regions() -> Regions:
    return load_regions()


@pytest.fixture(scope="session")
def desk(regions: Regions) -> Desk:
    """The desk of the example roster."""
    return Desk(load_roster(EXAMPLE / "roster.yaml", regions), regions)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a real PostgreSQL; a test that needs it is skipped where there is none."""
    if missing():
        pytest.skip(missing())
    with postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, regions: Regions) -> Path:
    """A migrated SQLite file with the example's officers."""
    path = tmp_path_factory.mktemp("template") / "duty.sqlite"
    _prepare(f"sqlite:///{path}", regions)
    return path


@pytest.fixture(scope="session")
def postgresql_template(cluster: str, regions: Regions) -> str:
    """The same in PostgreSQL: the name of a database to copy."""
    _admin(cluster, f"CREATE DATABASE {TEMPLATE}")
    _prepare(str(cluster).replace("/postgres?", f"/{TEMPLATE}?"), regions)
    return TEMPLATE


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh SQLite file."""
    path = tmp_path / "duty.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(cluster: str, postgresql_template: str) -> str:
    """The address of a fresh database of PostgreSQL."""
    name = f"duty_{next(_NUMBERS)}"
    _admin(cluster, f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    return cluster.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh duty database: migrated, with the example's officers, no cases."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def _prepare(url: str, regions: Regions) -> None:
    database = Database(url)
    database.migrate()
    with database.writing() as session:
        seed(session, NOW, regions)
    database.close()


def _admin(cluster: str, statement: str) -> None:
    engine = sa.create_engine(
        sa.make_url(cluster).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
