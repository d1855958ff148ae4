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
SELECT source, uniq(id) AS events, max(arrived) AS last FROM landing.{table}
WHERE arrived > {{since:DateTime64(3)}} AND timeline = '' GROUP BY source ORDER BY events DESC, source"""


def update_sender_tasks(
    warehouse: Warehouse, contract: Contract, newest: str, build_id: str, now: datetime
) -> Task | None:
    """Open the task of an older major version, or resolve it; what changed, None where nothing is to be said."""
    sunset, name = contract.sunset, contract.feed
    if sunset is None or now < sunset.since:
        return None
    sent = warehouse.rows(_SENT.format(table=contract.table), since=now - timedelta(days=DAYS))
    if sent:
        last = max(row[2] for row in sent).astimezone(SHANGHAI)
        finding = Finding(
            Found.STILL_SENT,
            {
                "type": contract.event_type,
                "events": sum(row[1] for row in sent),
                "sources": len(sent),
                "days": DAYS,
                "until": str(sunset.last_day),
                "newest": newest,
            },
        )
        rows = tuple(
            {"source": source, "events": events, "last": f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"}
            for source, events, at in sent[:SHOWN]
        )
        task = Task(
            *(
                name,
                OPEN,
                contract.department,
                contract.table,
                last.date(),
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
