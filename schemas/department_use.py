"""Where departments are named: contracts, indicators, indices, tokens; each must be one that is declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from schemas.contract import Contract, load_contracts
from schemas.declaration import read_yaml
from schemas.departments import Departments
from schemas.errors import together
from schemas.in_use import Roots, departments_of
from schemas.topics import feed_topic

Named = tuple[str, Path, str]
"""An id, the file that names it, and the key there."""
CONTRACT_KEY, OWNER_KEY = "customProperties.department", "owner"


def require_departments(roots: Roots) -> Departments:
    """The departments of these declarations; Misdeclared tells of each file that names another one."""
    departments = departments_of(roots)
    of_feeds = named_by_contracts(load_contracts(roots.feeds))
    check_named(departments, [*of_feeds, *named_by_figures(roots)])
    return departments


def check_named(departments: Departments, named: Collection[Named]) -> None:
    """Misdeclared where one of these is no department, with file and line of each."""
    wrong = [error for id, path, key in named if (error := departments.wrong(id, path, key))]
    if wrong:
        raise together(wrong)


def named_by_contracts(contracts: Mapping[str, Contract]) -> list[Named]:
    """What the contracts name."""
    return [(contract.department, contract.path, CONTRACT_KEY) for contract in contracts.values()]


def named_by_figures(roots: Roots) -> Iterator[Named]:
    """What indicators and indices name as their owner; of a file that is wrong otherwise its reader tells."""
    for root in (roots.indicators, roots.indexes):
        for path in sorted(root.glob("*/*.yaml")):
            owner = read_yaml(path).at(OWNER_KEY).value
            if isinstance(owner, str):
                yield owner, path, OWNER_KEY


def figures_of(roots: Roots) -> dict[str, str]:
    """Who answers for which indicator and index, by id."""
    return {f"{path.parent.name}.{path.stem}": owner for owner, path, _ in named_by_figures(roots)}


def senders(contracts: Collection[Contract], departments: Departments) -> list[str]:
    """Who sends feeds from outside, and so needs a token: their departments, and the offices of these."""
    owners = {each.department for each in contracts if each.topic == feed_topic(each.family, each.major)}
    offices = {each.id for each in departments if owners & set(departments.with_above(each.id))}
    return sorted(owners | offices)


def strange_tokens(tokens: Collection[str], departments: Departments) -> list[str]:
    """What is said of tokens whose department is not declared."""
    return [f"the token of {id}: {departments.unknown(id)}" for id in tokens if id not in departments]
