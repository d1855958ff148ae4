"""What a department's token opens: its own feeds and those of what it is part of, of its own regions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.contract import Contract
from schemas.departments import Departments
from schemas.regions import load_regions
from schemas.upgrade import Upgrader

REGION = "region"


@dataclass(frozen=True)
class Scope:
    """Of which regions a department may send a feed: those of `codes`, as the events' `column` says."""

    column: str
    codes: frozenset[str]

    def outside(self, data: Mapping[str, Any]) -> str | None:
        """The region of an event that is none of them, as it is told; None where it is one."""
        value = data.get(self.column)
        return None if value in self.codes else str(value or "")


@dataclass(frozen=True)
class Rights:
    """The rights of all departments, as the declaration has them; an undeclared one has its own feeds."""

    departments: Departments = field(default_factory=lambda: Departments({}))

    def refusal(self, department: str, contract: Contract) -> str:
        """Why a department does not send a feed; empty where it does."""
        owner = contract.department
        if not self.departments.may_send(department, owner):
            return f"the feed belongs to the department {owner}, not {department}"
        if owner != department and self._codes[department] is not None and not _column(contract):
            return f"the feed says no region, so {owner} sends it itself, not {department}"
        return ""

    def scope(self, department: str, contract: Contract) -> Scope | None:
        """Of which regions a department sends a feed that it may send; None for all of them."""
        codes, column = self._codes.get(department), _column(contract)
        return None if codes is None or not column else Scope(column, codes)

    def scopes(self, department: str, steps: Sequence[Upgrader]) -> list[Scope | None]:
        """Of which regions copies of its events may be, by step; None where their own region has been asked."""
        found = [self.scope(department, step.new) for step in steps]
        for at, step in enumerate(steps):
            if not step.carries(_column(step.old), _column(step.new)):
                return [*([None] * at), *found[at:]]
        return [None] * len(steps)

    @cached_property
    def _codes(self) -> dict[str, frozenset[str] | None]:
        regions = load_regions()
        return {each.id: self.departments.scope(each.id, regions) for each in self.departments}


def _column(contract: Contract) -> str:
    """The field that says whose an event is; empty where there is none."""
    own = {each.name for each in contract.fields if each.kind == "string"}
    return contract.region_field or (REGION if REGION in own else "")
