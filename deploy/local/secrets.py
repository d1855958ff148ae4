"""The secrets of a local stack: made at the first start, kept in `<home>/secrets.json` for its owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.environment import SECRETS, read_secrets
from schemas.contract import load_contracts
from schemas.department_use import senders
from schemas.errors import LiaowangError, Misdeclared
from schemas.in_use import FILES, Roots, departments_of, taken
from schemas.settings import PREFIX

SINGLE = (
    *(
        "admin_password",
        "service_password",
        "bi_password",
        "personal_password",
        "webhook_key",
        "pseudonym_key",
    ),
    *("console_admin_password", "console_key"),
)
TOKENS = f"{PREFIX}DEPARTMENT_TOKENS"


def ensure_secrets(
    home: Path, token: Callable[[], str] = secrets.token_urlsafe, files: Roots = FILES
) -> Path:
    """Make what is missing of the secrets and keep what is there; the file, readable by its owner only."""
    known = read_secrets(home)
    wanted = complete(known, token, departments(home, files))
    if wanted != known:
        write_secrets(home, wanted)
    return home / SECRETS


def write_secrets(home: Path, wanted: Mapping[str, str]) -> None:
    """Write the file, whole and for its owner only; the one of before stays where it cannot be."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / SECRETS
    fresh = path.with_name(f"{SECRETS}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(wanted, file, indent=2)
        fresh.replace(path)
    except OSError as error:
        raise LiaowangError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)


def complete(
    known: Mapping[str, str], token: Callable[[], str], named_by_contracts: Sequence[str]
) -> dict[str, str]:
    """Every secret as a setting: a password a user, the key of the webhook, a token a department with a feed."""
    single = {name: known.get(name) or token() for name in (f"{PREFIX}{each.upper()}" for each in SINGLE)}
    pairs = [pair for pair in known.get(TOKENS, "").split(",") if pair]
    named = {pair.partition("=")[0] for pair in pairs}
    pairs += [f"{department}={token()}" for department in named_by_contracts if department not in named]
    return {**known, **single, TOKENS: ",".join(pairs)}


def departments(home: Path | None = None, files: Roots = FILES) -> list[str]:
    """Who sends feeds from outside, as the files say, or where one is wrong those in use."""
    try:
        return senders(load_contracts(files.feeds).values(), departments_of(files))
    except Misdeclared:
        kept = taken(home) if home else None
        if kept is None:
            raise
        return senders(load_contracts(kept.feeds).values(), departments_of(kept))
