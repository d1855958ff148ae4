"""planted.json: everything that was planted and what must come of it, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.generate.model import Anomaly, Dirt, Span, Tally


def planted(span: Span, anomalies: tuple[Anomaly, ...], tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """The content of planted.json; times are ISO 8601 with offset, line numbers begin at 1."""
    return {
        "span": {
            "days": span.days,
            "seed": span.seed,
            "from": span.start.date().isoformat(),
            "until": span.until.isoformat(),
            "tag": span.tag,
        },
        "anomalies": [_anomaly(anomaly) for anomaly in anomalies],
        "dirt": [_dirt(line, dirt) for tally in tallies.values() for line, dirt in tally.dirt],
        "counts": {feed: _counts(tally) for feed, tally in tallies.items()},
    }


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "rule": anomaly.rule,
        "subject": anomaly.subject,
        "level": anomaly.level,
        "opened_at": anomaly.opened_at.isoformat(),
        "recovered_at": anomaly.recovered_at.isoformat() if anomaly.recovered_at else None,
        "onset": anomaly.onset.isoformat(),
        "peak": anomaly.peak,
    }


def _dirt(line: int, dirt: Dirt) -> dict[str, Any]:
    rejected = {"rejected": {"field": dirt.field, "rule": dirt.rule}}
    return {
        "feed": dirt.feed,
        "kind": dirt.kind,
        "line": line,
        "id": dirt.id,
        "source": dirt.source,
        "time": dirt.time.isoformat(),
        "expected": rejected if dirt.outcome == "rejected" else {dirt.outcome: True},
    }


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "lines": tally.lines,
        "valid_unique": tally.valid_unique,
        "duplicates": tally.duplicates,
        "rejected": tally.rejected,
        "late": tally.late,
    }
