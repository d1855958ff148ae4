"""The composition root's door to the environment: the settings of this process, secrets included."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from schemas.errors import Misdeclared
from schemas.in_use import Roots, files_of
from schemas.settings import PREFIX, Settings

SECRETS = "secrets.json"
QUIET = {"GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "true"}
"""What keeps the parts from reporting their use to their makers."""


def load_settings() -> Settings:
    """The settings: the environment's `LIAOWANG_…` over `<home>/secrets.json`; an absolute home."""
    return settings_from(os.environ)


def declared() -> Roots:
    """The files of declarations as they stand now: of the folder that is set, or of this installation."""
    return files_of(load_settings())


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The same, from a given mapping; unreadable secrets are Misdeclared."""
    home = Settings.from_mapping(environment).home.absolute()
    return Settings.from_mapping({**read_secrets(home), **environment, f"{PREFIX}HOME": str(home)})


def read_secrets(home: Path) -> dict[str, str]:
    """What `<home>/secrets.json` says, a flat mapping of settings; empty before the first start."""
    path = home / SECRETS
    try:
        secrets = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Misdeclared(
            str(path), "file", f"is not JSON ({error}); delete it and new secrets are made"
        ) from error
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise Misdeclared(str(path), "file", 'must be a flat mapping such as {"LIAOWANG_BI_PASSWORD": "…"}')
    return secrets


def inherited(settings: Settings) -> dict[str, str]:
    """The environment of this process for those it starts: same home, no secrets added, no usage reports."""
    return {**os.environ, **QUIET, f"{PREFIX}HOME": str(settings.home.absolute())}


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment of this process, its `LIAOWANG_…` entries replaced by these settings."""
    rest = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    given = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return rest | {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
