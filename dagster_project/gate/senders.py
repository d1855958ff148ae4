"""Who still sends an older major version: a task of its department, open until a week has passed without any.

It withholds no day: what is sent so is taken as promised until the version's last day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dagster_project.gate.tasks import COLUMNS, OPEN, RESOLVED, Task, named
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract
from schemas.fields import SHANGHAI
from schemas.findings import Finding, Found

DAYS = 7
"""So long after the last event of a sender he is taken to have moved."""
SHOWN = 20
_SENT = """
SELECT source, events, last, count() OVER (), sum(events) OVER (), max(last) OVER () FROM
(
SELECT source, uniq(id) AS events, max(arrived) AS last FROM landing.{table}
WHERE arrived > {{since:DateTime64(3)}} AND timeline = '' GROUP BY source
)
ORDER BY events DESC, source LIMIT {shown}"""
"""The busiest, each beside the totals of all: a sender may name a source for each of his events."""


def update_sender_tasks(
    warehouse: Warehouse, contract: Contract, newest: str, build_id: str, now: datetime
) -> Task | None:
    """Open the task of an older major version, or resolve it; what changed, None where nothing is to be said."""
    sunset, name = contract.sunset, contract.feed
    if sunset is None or now < sunset.since:
        return None
    sent = warehouse.rows(_SENT.format(table=contract.table, shown=SHOWN), since=now - timedelta(days=DAYS))
    if sent:
        sources, events, last = sent[0][3:]
        finding = Finding(
            Found.STILL_SENT,
            {
                "type": contract.event_type,
                "events": events,
                "sources": sources,
                "days": DAYS,
                "until": str(sunset.last_day),
                "newest": newest,
            },
        )
        rows = tuple(
            {"source": source, "events": number, "last": f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"}
            for source, number, at, *_ in sent
        )
        task = Task(
            *(
                name,
                OPEN,
                contract.department,
                contract.table,
                last.astimezone(SHANGHAI).date(),
                build_id,
                (finding,),
                rows,
                "",
                now,
            )
        )
    else:
        standing = [item for item in named(warehouse, [name]) if item.state == OPEN]
        if not standing:
            return None
        note = f"nothing in {DAYS} days"
        task = Task(**vars(standing[0]) | {"state": RESOLVED, "note": note, "at": now})
    warehouse.insert("quality.task", COLUMNS, [task.row])
    return task
