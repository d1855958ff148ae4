"""Secrets: made once, kept, for their owner's eyes only."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import count
from pathlib import Path

import pytest

from deploy.environment import as_environment, inherited, settings_from
from deploy.local.secrets import departments, ensure_secrets
from schemas.errors import Misdeclared
from schemas.settings import Settings


def test_made_once_and_kept(tmp_path: Path) -> None:
    numbers = count()
    path = ensure_secrets(tmp_path, lambda: f"t{next(numbers)}")
    first = path.read_text()
    ensure_secrets(tmp_path, lambda: f"t{next(numbers)}")
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_missing_ones_are_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"LIAOWANG_BI_PASSWORD": "mine"}')
    ensure_secrets(tmp_path)
    settings = settings_from({"LIAOWANG_HOME": str(tmp_path)})
    assert settings.bi_password == "mine"
    assert settings.admin_password


GIVEN = {"duty_database_url", "oidc_client_secret", "channel_secrets", "region_accounts"}
"""What others choose; there is none of ours to make."""


def test_every_secret_setting_gets_a_value(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    settings = settings_from({"LIAOWANG_HOME": str(tmp_path)})
    made = {field.name for field in fields(Settings) if not field.repr} - GIVEN
    assert all(getattr(settings, name) for name in made) and "console_key" in made
    assert set(settings.tokens()) == set(departments())
    assert len(set(settings.tokens().values())) == len(departments())


def test_environment_goes_over_the_file(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    given = {"LIAOWANG_HOME": str(tmp_path), "LIAOWANG_BI_PASSWORD": "from the environment"}
    assert settings_from(given).bi_password == "from the environment"


@pytest.mark.parametrize("text", ["{", "[1]", '{"LIAOWANG_KAFKA_PORT": 1}'])
def test_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(Misdeclared, match=r"secrets\.json"):
        settings_from({"LIAOWANG_HOME": str(tmp_path)})


def test_settings_survive_the_way_through_an_environment(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    settings = settings_from({"LIAOWANG_HOME": str(tmp_path), "LIAOWANG_KAFKA_PORT": "1234"})
    assert settings_from(as_environment(settings)) == settings


def test_what_a_child_inherits_holds_no_secret_and_reports_nothing(tmp_path: Path) -> None:
    secrets = json.loads(ensure_secrets(tmp_path).read_text())
    given = inherited(settings_from({"LIAOWANG_HOME": str(tmp_path)}))
    assert not set(secrets.values()) & set(given.values())
    assert given["GX_ANALYTICS_ENABLED"] == "false"
    assert given["LIAOWANG_HOME"] == str(tmp_path)
