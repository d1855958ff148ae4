"""The contracts that a home has in use, read again where they have changed and only there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from schemas.contract import Contract, load_contracts
from schemas.in_use import in_use
from schemas.settings import Settings

_Signature = tuple[tuple[str, int, int, int], ...]


class ContractsInUse:
    """Called, it gives the contracts of now: the same object as long as no file has changed. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, Lock()
        self._signature: _Signature | None = None
        self._contracts: Mapping[str, Contract] = {}

    def __call__(self) -> Mapping[str, Contract]:
        """The contracts; Misdeclared where they are wrong."""
        with self._lock:
            folder = in_use(self._settings).feeds
            signature = _signature(folder)
            if signature != self._signature:
                self._contracts = load_contracts(folder)
                self._signature = signature
            return self._contracts


def _signature(folder: Path) -> _Signature:
    """What changes with any file: its name, place on the disk, length and time."""
    found = ((path, path.stat()) for path in sorted(folder.glob("*/*.yaml")))
    return tuple((str(path), each.st_ino, each.st_size, each.st_mtime_ns) for path, each in found)
