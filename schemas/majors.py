"""The major versions of one feed that are live side by side: which is the newest, which comes after which. Pure.

The newest is known by the feed's own name, an older one by its event type: `ecology.air-quality.v1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from schemas.upgrade import Upgrader, origins_of

_ENDED = ("deprecated", "retired")


def named(contracts: Mapping[str, Contract], name: str) -> Contract | None:
    """The contract of this name: a feed, or one of its major versions by event type; None where there is none."""
    found = contracts.get(name)
    if found is None:
        newest = contracts.get(name.rpartition(".v")[0])
        found = newest if newest is not None and newest.event_type == name else None
    return found


def majors(contracts: Iterable[Contract], family: str) -> list[Contract]:
    """All major versions of a feed, the newest first."""
    mine = [contract for contract in contracts if contract.family == family]
    return sorted(mine, key=lambda contract: -contract.major)


def newer(contracts: Iterable[Contract], contract: Contract) -> Contract | None:
    """The next major version after this one that is declared."""
    later = [each for each in majors(contracts, contract.family) if each.major > contract.major]
    return later[-1] if later else None


def upgraders(contracts: Mapping[str, Contract], contract: Contract) -> tuple[Upgrader, ...]:
    """What events of this version go through, one after another, to be events of newer ones too."""
    return tuple(_steps(list(contracts.values()), contract))


def _steps(contracts: list[Contract], contract: Contract) -> Iterator[Upgrader]:
    later = newer(contracts, contract)
    while contract.upgrade is not None and later is not None:
        yield Upgrader(contract, later)
        contract, later = later, newer(contracts, later)


def check_majors(contracts: Mapping[str, Contract]) -> None:
    """Misdeclared where an older major version stands alone, is not older, or cannot become the next one."""
    for contract in contracts.values():
        if not contract.older:
            continue
        where, newest = str(contract.path), contracts.get(contract.family)
        if newest is None:
            told = f"stands beside no {contract.family}: the newest major version keeps the feed's own file"
            raise Misdeclared(where, "version", told)
        if contract.major >= newest.major:
            told = f"is no older major version than that of {newest.path.name}, {newest.version}"
            raise Misdeclared(where, "version", f"{contract.version} {told}")
        if contract.status not in _ENDED:
            raise Misdeclared(where, "status", f"of an older major version must be {' or '.join(_ENDED)}")
        later = newer(contracts.values(), contract)
        if contract.upgrade is not None and later is not None:
            if contract.department != later.department:
                told = f"is {contract.department}, that of {later.event_type} is {later.department}"
                raise Misdeclared(where, "department", f"{told}; they may differ only without `upgrade`")
            origins_of(contract, later)
