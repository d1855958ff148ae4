"""The secrets of a local stack: made at the first start, kept in `<home>/secrets.json` for its owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from deploy.environment import SECRETS, read_secrets
from schemas.settings import PREFIX

DEPARTMENTS = ("ecology", "health", "governance")
SINGLE = ("admin_password", "service_password", "bi_password", "webhook_key")


def ensure_secrets(home: Path, token: Callable[[], str] = secrets.token_urlsafe) -> Path:
    """Make what is missing of the secrets and keep what is there; the file, readable by its owner only."""
    path = home / SECRETS
    known = read_secrets(home)
    made = {key: value for key, value in make_secrets(token).items() if key not in known}
    if made:
        home.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{SECRETS}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({**known, **made}, file, indent=2)
        fresh.replace(path)
    return path


def make_secrets(token: Callable[[], str]) -> dict[str, str]:
    """Every secret as a setting: a password a user, the key of the webhook, a token a department."""
    tokens = ",".join(f"{department}={token()}" for department in DEPARTMENTS)
    single = {f"{PREFIX}{name.upper()}": token() for name in SINGLE}
    return {**single, f"{PREFIX}DEPARTMENT_TOKENS": tokens}
