"""Groups of many commands, each of which is imported when it is asked for."""

from __future__ import annotations

from deploy.cli.lazy import group

RULES = {
    "list": "rules.list_",
    "lint": "rules.lint",
    "test": "rules.test",
    "schema": "rules.schema",
    "run": "rules_run.run",
    "publish": "published.publish",
    "diff": "published.diff",
    "history": "published.history",
    "retire": "published.retire",
    "baseline": "published.baseline",
    "usual": "usual.usual",
    "backtest": "backtest.backtest",
    "review": "review.review",
}
DUTY = {
    **{
        name: f"duty_cases.{name}"
        for name in ("cases", "show", "ack", "start", "dispose", "confirm", "close", "reopen")
    },
    **{
        name: f"duty_cases.{name}"
        for name in ("comment", "reassign", "escalate", "merge", "attach", "feedback")
    },
    "who": "duty_who.who",
    **{name: f"duty_roster.{name}" for name in ("holes", "shifts", "calendar")},
    **{name: f"duty_roster.{name}" for name in ("override", "overrides", "withdraw", "swap", "handover")},
    "replays": "duty_replays.replays",
    "token": "duty_officers.token",
    "receiver": "duty.receiver",
    "pushes": "duty.pushes",
    "revive": "duty.revive",
    "refill": "duty.refill_",
    "officer": "duty_officers.officer",
    "silence": "channels.silence",
    "channels": "channels.channels",
    "notifications": "channels.notifications",
}

rules = group(RULES, "The early-warning rules.")
duty = group(DUTY, "Cases, roster, officers; pushes of warnings.")
