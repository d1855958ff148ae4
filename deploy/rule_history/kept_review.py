"""A review whose figures are kept: what `liaowang rules review` and Dagster's asset `rule_review` both call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from dagster_project.mart.rule_quality import store
from dagster_project.warehouse import warehouse
from deploy.rule_history.review import Asked, Outcome, Progress, review
from deploy.rules.files import history
from schemas.contract import Contract, load_contracts
from schemas.in_use import in_use
from schemas.settings import Settings


def review_and_keep(
    settings: Settings,
    contracts: Mapping[str, Contract],
    asked: Asked,
    now: datetime,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Review by the rules published so far, and have the figures replace those of before for these days."""
    found = review(settings, contracts, history(settings), asked, now, progress)
    with warehouse(settings) as open:
        store(open, found.days, found.warnings)
    return found


def review_days(settings: Settings, first: date, last: date) -> Outcome:
    """The same of all rules on these days, by the contracts that the home has in use."""
    contracts = load_contracts(in_use(settings).feeds)
    return review_and_keep(settings, contracts, Asked(first, last), datetime.now(UTC))


def unknown_rule_epochs(found: Outcome) -> str:
    """What is to be noted of ticks that name rules which are not there; empty where there are none."""
    if not found.unknown:
        return ""
    named = ", ".join(map(str, found.unknown[:5])) + (", …" if len(found.unknown) > 5 else "")
    return (
        f"landed ticks name rules of epoch {named}, and those were never published on this topic of rules: "
        "they are passed over"
    )
