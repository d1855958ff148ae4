"""The real Kafka and the real warehouse for the tests that need them: once a session, on free ports."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator

import hypothesis
import pytest

with warnings.catch_warnings():  # kafka-python reads its message schemas in a way that Python has deprecated
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    import kafka.admin
    from kafka.net import KafkaNetSocket

from deploy.environment import load_settings, settings_from
from deploy.local.kafka import kafka_running
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.settings import PREFIX, Settings

PORTS = (
    "kafka_port",
    "kafka_controller_port",
    "warehouse_port",
    "warehouse_http_port",
    "gateway_port",
    "receiver_port",
    "docs_port",
    "dagster_port",
    "duty_port",
    "console_port",
    "metrics_port",
    "ticker_port",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python import the rest of itself, too; no test fails for being slow.

    Where `CI` is set, Hypothesis draws the same examples at every run (its own profile of that name).
    """
    hypothesis.settings.register_profile(
        "untimed",
        hypothesis.settings.default,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("untimed")
    KafkaNetSocket.socket = lambda self, *of: Dropped(*of)
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


class Dropped(socket.socket):
    """A socket that is closed when nobody holds it any more.

    kafka-python drops one that is just connecting when its client is closed, which Python would tell of at some
    later test. Clients that are not closed are still told of, by the pair of sockets each has beside.
    """

    def __del__(self) -> None:
        self.close()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of this test session: a home of its own, free ports, fresh secrets, shared jars."""
    home = tmp_path_factory.mktemp("home")
    ensure_secrets(home)
    ports = {f"{PREFIX}{name.upper()}": str(free_port()) for name in PORTS}
    jars = {f"{PREFIX}KAFKA_LIBS": str(load_settings().kafka_jars)}
    return settings_from({f"{PREFIX}HOME": str(home), **ports, **jars})


@pytest.fixture(scope="session")
def kafka(settings: Settings) -> Iterator[str]:
    """The address of a real broker, without topics."""
    with kafka_running(settings):
        yield settings.kafka


@pytest.fixture(scope="session")
def warehouse(settings: Settings) -> Iterator[Settings]:
    """The settings of a real warehouse, migrated."""
    with warehouse_running(settings):
        migrate(settings)
        yield settings


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in a browser, and let them come last: its driver leaves an event loop running in its thread.

    `make test` runs them in a process of their own, the others in two side by side.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
