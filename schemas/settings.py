"""One frozen object of all settings, made from a mapping (the environment plus the secrets file)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from schemas.errors import Misdeclared
from schemas.texts import LANGUAGES

PREFIX = "LIAOWANG_"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """Every setting of the platform; `LIAOWANG_<NAME>` in upper case sets `<name>`.

    `kafka_libs` is a folder for Kafka's jars that several homes may share; unset, the home has its own.
    `declarations` is a folder of declarations other than those of this installation.
    `language` is that of the commands' findings and progress: `en` or `zh`.
    `trusted_proxy`: addresses, joined by commas, whose `X-Forwarded-…` headers are believed; nobody's without it.
    `warehouse_cluster` names a cluster of ClickHouse; `warehouse_cluster_path` is its tables' place in Keeper.
    Ports are TCP ports on 127.0.0.1. Passwords, tokens and keys come from the secrets file of the home
    (made at first start) and never stand in a repr.
    """

    home: Path = Path(".liaowang")
    kafka_libs: Path = Path()
    declarations: Path = Path()
    language: str = "en"
    kafka_port: int = 19092
    kafka_controller_port: int = 19093
    warehouse_port: int = 19000
    warehouse_http_port: int = 18123
    gateway_port: int = 18080
    receiver_port: int = 18090
    docs_port: int = 18070
    dagster_port: int = 13000
    duty_port: int = 18061
    console_port: int = 18060
    metrics_port: int = 18062
    ticker_port: int = 18063
    partitions: int = 4
    tick_seconds: float = 5.0
    release_days: int = 400
    webhook_url: str = ""
    openlineage_url: str = ""
    ranking_period: str = "month"
    warehouse_cluster: str = ""
    warehouse_cluster_path: str = "/clickhouse/tables"
    duty_database_url: str = field(default="", repr=False)
    console_url: str = ""
    trusted_proxy: str = ""
    cap_sender: str = "liaowang@localhost"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_claim: str = "preferred_username"
    oidc_client_secret: str = field(default="", repr=False)
    console_admin_password: str = field(default="", repr=False)
    console_key: str = field(default="", repr=False)
    admin_password: str = field(default="", repr=False)
    service_password: str = field(default="", repr=False)
    bi_password: str = field(default="", repr=False)
    pseudonym_key: str = field(default="", repr=False)
    personal_password: str = field(default="", repr=False)
    region_accounts: str = field(default="", repr=False)
    webhook_key: str = field(default="", repr=False)
    department_tokens: str = field(default="", repr=False)
    channel_secrets: str = field(default="", repr=False)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str]) -> Settings:
        """Make the settings from `LIAOWANG_…` entries; an unreadable or unknown one is Misdeclared."""
        known = {f.name: f for f in fields(cls)}
        given: dict[str, Any] = {}
        for key, text in mapping.items():
            if not key.startswith(PREFIX):
                continue
            name = key.removeprefix(PREFIX).lower()
            if name not in known:
                raise Misdeclared("settings", key, f"no such setting; there are {', '.join(sorted(known))}")
            given[name] = _convert(key, text, type(known[name].default))
            if name.endswith("_port") and not 0 < given[name] < 65536:
                raise Misdeclared("settings", key, f"{text} is no port; 1 to 65535 are")
            if name == "language" and text not in LANGUAGES:
                raise Misdeclared("settings", key, f"{text!r} is none of {', '.join(LANGUAGES)}")
        return cls(**given)

    @property
    def kafka(self) -> str:
        """The broker's address, `host:port`."""
        return f"{HOST}:{self.kafka_port}"

    @property
    def kafka_jars(self) -> Path:
        """The folder of Kafka's jars: the set one, or `<home>/kafka/libs`."""
        return (self.home / "kafka" / "libs" if self.kafka_libs == Path() else self.kafka_libs).absolute()

    @property
    def webhook(self) -> str:
        """Where warnings are pushed: the set address, or the local receiver."""
        return self.webhook_url or f"http://{HOST}:{self.receiver_port}/warnings"

    @property
    def duty_database(self) -> str:
        """SQLAlchemy URL of the state of duty: the set one (PostgreSQL), or a SQLite file of the home."""
        return self.duty_database_url or f"sqlite:///{self.home.absolute() / 'duty' / 'duty.sqlite'}"

    @property
    def console(self) -> str:
        """The console's address as browsers know it, without a slash at its end."""
        return (self.console_url or f"http://{HOST}:{self.console_port}").rstrip("/")

    def warehouse(self, user: str) -> dict[str, Any]:
        """Arguments for `clickhouse_driver.Client` as `admin`, `service`, `bi`, `personal` or `bi_<region>`."""
        regional = {f"bi_{region}": password for region, password in self.regional().items()}
        password = {
            "admin": self.admin_password,
            "service": self.service_password,
            "bi": self.bi_password,
            "personal": self.personal_password,
            **regional,
        }[user]
        return {"host": HOST, "port": self.warehouse_port, "user": user, "password": password}

    def tokens(self) -> dict[str, str]:
        """Department -> bearer token, from `department=token,…`."""
        return _pairs("DEPARTMENT_TOKENS", self.department_tokens)

    def regional(self) -> dict[str, str]:
        """Region code -> password of its own user `bi_<code>`, from `330110=password,…`."""
        return _pairs("REGION_ACCOUNTS", self.region_accounts)


def _pairs(name: str, text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(",") if item]
    for key, _, value in pairs:
        if not key or not value:
            raise Misdeclared("settings", f"{PREFIX}{name}", "must be key=secret, joined by commas")
    return {key: value for key, _, value in pairs}


def _convert(key: str, text: str, kind: type[Any]) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise Misdeclared("settings", key, f"{text!r} is not {kind.__name__}") from None
