"""Contracts of a folder that are read when they are asked for: who needs one feed does not wait for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.contract import Contract, load_contract


class ContractFiles(Mapping[str, Contract]):
    """The contracts under a folder by feed, sorted; each is read once, when it is first asked for.

    What one of them says wrong is Misdeclared then. Whether two share a topic or table is not looked at.
    """

    def __init__(self, root: Path) -> None:
        self._places = {f"{path.parent.name}.{path.stem}": path for path in root.glob("*/*.yaml")}
        self._read: dict[str, Contract] = {}

    def __getitem__(self, feed: str) -> Contract:
        if feed not in self._read:
            self._read[feed] = load_contract(self._places[feed])
        return self._read[feed]

    def __contains__(self, feed: object) -> bool:
        return feed in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._places))

    def __len__(self) -> int:
        return len(self._places)
