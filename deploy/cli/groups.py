"""Groups of many commands, each of which is imported when it is asked for."""

from __future__ import annotations

from deploy.cli.lazy import group

RULES = {
    "list": "rules.rules.list_",
    "lint": "rules.rules.lint",
    "test": "rules.rules.test",
    "schema": "rules.rules.schema",
    "run": "rules.run.run",
    "publish": "rules.published.publish",
    "diff": "rules.published.diff",
    "history": "rules.published.history",
    "retire": "rules.published.retire",
    "baseline": "rules.published.baseline",
    "usual": "rules.baseline.usual",
    "backtest": "rules.backtest.backtest",
    "review": "rules.review.review",
}
DUTY = {
    **{
        name: f"duty.cases.{name}"
        for name in ("cases", "show", "ack", "start", "dispose", "confirm", "close", "reopen")
    },
    **{
        name: f"duty.cases.{name}"
        for name in ("comment", "reassign", "escalate", "merge", "attach", "feedback")
    },
    "who": "duty.who.who",
    **{name: f"duty.roster.{name}" for name in ("holes", "shifts", "calendar")},
    **{name: f"duty.roster.{name}" for name in ("override", "overrides", "withdraw", "swap", "handover")},
    "replays": "duty.replays.replays",
    "token": "duty.officers.token",
    "receiver": "duty.duty.receiver",
    "pushes": "duty.duty.pushes",
    "revive": "duty.duty.revive",
    "refill": "duty.duty.refill_",
    "officer": "duty.officers.officer",
    "silence": "duty.channels.silence",
    "channels": "duty.channels.channels",
    "notifications": "duty.channels.notifications",
}

rules = group(RULES, "The early-warning rules.")
duty = group(DUTY, "Cases, roster, officers; pushes of warnings.")
