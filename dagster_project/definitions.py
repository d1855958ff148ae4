"""The composition root of Dagster: settings from the environment over `<home>/secrets.json`.

Only here does this package know of `deploy`: the function that reviews rules is the one that the command calls.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from dagster_project.orchestrate.project import make_definitions
from dagster_project.orchestrate.reviews import Found
from schemas.errors import Misdeclared
from schemas.settings import PREFIX, Settings


def load_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of this process; an absolute home."""
    home = Settings.from_mapping(environment).home.absolute()
    return Settings.from_mapping({**_secrets(home), **environment, f"{PREFIX}HOME": str(home)})


def _secrets(home: Path) -> dict[str, str]:
    path = home / "secrets.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise Misdeclared(str(path), "file", f"is not a JSON mapping ({error})") from None


def review(settings: Settings, first: date, last: date) -> Found:
    """Review all rules on these days; what it needs is imported by a run of it, not by every load."""
    from deploy.rule_history.kept_review import review_days

    return review_days(settings, first, last)


defs = make_definitions(load_settings(os.environ), review=review)
