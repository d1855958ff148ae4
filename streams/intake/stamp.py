"""Which declarations a program that takes them while it runs has now, told in a file of the home."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path

from schemas.atomic_write import write_atomically
from schemas.in_use import contents, in_use
from schemas.settings import Settings


def stamp_of(settings: Settings) -> str:
    """What a program says that has them: the same for the same contracts and departments in use and tokens.

    Made with a key of the home, so that whoever is told it cannot try tokens against it.
    """
    told = hmac.new(settings.service_password.encode(), digestmod=sha256)
    for department, token in sorted(settings.tokens().items()):
        told.update(f"{department}={token}\0".encode())
    found = contents(in_use(settings))
    for name, raw in sorted((found["feeds"] | found["departments"]).items()):
        told.update(name.encode() + b"\0" + raw)
    return told.hexdigest()[:16]


def write_stamp(settings: Settings, service: str, stamp: str) -> None:
    """Have whoever waits for it see that a service has the declarations of this stamp."""
    path = _path(settings.home, service)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, stamp.encode())


def read_stamp(home: Path, service: str) -> str:
    """The stamp of what a service has; empty where it has not said."""
    try:
        return _path(home, service).read_text()
    except FileNotFoundError:
        return ""


def _path(home: Path, service: str) -> Path:
    return home / "run" / f"{service}.declarations"
