"""The push worker: warnings go from their topic to the outbox (`reader`), then to the webhook (`courier`).

Beside that the notifier tells officers what the duty service has left for them, by their channels.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from secrets import token_hex

from schemas.errors import Unavailable
from schemas.regions import Regions, load_regions
from schemas.settings import Settings
from streams.aside import Aside
from streams.duty.database.database import Database
from streams.duty.faults import SetAside
from streams.duty.heartbeat import Heartbeat
from streams.duty.home import open_database
from streams.duty.inbox.reader import Reader
from streams.duty.notify.channels.home import open_channels
from streams.duty.notify.channels.sender import Sender
from streams.duty.notify.notifications import ConsoleLinks
from streams.duty.notify.notifier import Notifier
from streams.duty.systems.courier import CONCURRENCY, Courier
from streams.duty.systems.outbox import open_outbox
from streams.duty.systems.push_inbox import PushInbox
from streams.duty.systems.webhook import Webhook
from streams.duty.together import together
from streams.retrying import Outage, pause
from streams.stopping import stop_on_signals
from streams.waits import Held, Waits
from streams.worker import heartbeat, start_logging


def outbox_path(settings: Settings) -> Path:
    """The outbox of this home."""
    return settings.home / "duty" / "outbox.sqlite"


def main(settings: Settings) -> None:
    """Push warnings until SIGTERM or SIGINT; a second worker on the same home is Unavailable."""
    start_logging()
    # They write a line each time they try again; this worker says once that the broker is away.
    for library in ("aiokafka", "kafka"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    with _alone(settings.home / "duty"):
        asyncio.run(_run(settings, time.time, Random()))


async def _run(settings: Settings, clock: Callable[[], float], rng: Random) -> None:
    stop = stop_on_signals()
    aside = Aside(settings.home, "push", clock).add
    beats = Heartbeat(heartbeat(settings, "push"), time.monotonic, ("reader", "courier", "notifier"))
    waits = Waits(settings.home, "push", clock)
    outbox = open_outbox(outbox_path(settings), clock, lambda said: aside("the outbox", said))
    try:
        async with Webhook(settings.webhook, settings.webhook_key, CONCURRENCY) as webhook:
            courier = Courier(
                outbox, webhook, clock, rng,
                aside=aside, beat=beats.of("courier"), held=waits.of("courier"), answered=waits.of("webhook"),
            )  # fmt: skip
            reader = Reader(
                settings,
                "push",
                PushInbox(outbox, clock, aside),
                courier.wake,
                time.monotonic,
                rng,
                keeps="the outbox",
                now=clock,
                aside=aside,
                beat=beats.of("reader"),
                held=waits.of("reader"),
            )
            await together(
                courier=courier.run(stop),
                reader=reader.run(stop),
                notifier=_notify(
                    settings, clock, rng, stop, aside, beats.of("notifier"), waits.of("notifier")
                ),
            )
    finally:
        outbox.close()


async def _notify(
    settings: Settings,
    clock: Callable[[], float],
    rng: Random,
    stop: asyncio.Event,
    aside: SetAside,
    beat: Callable[[], None],
    held: Held,
) -> None:
    """Tell officers what there is to tell until `stop`; a database that is away at the start is waited for."""
    regions = load_regions()
    channels, secrets = open_channels(settings)
    database = await _opened(settings, clock, regions, rng, stop, beat, held)
    if database is None:
        return
    links = ConsoleLinks(settings.console, settings.console_key)
    try:
        async with Sender(secrets, lambda: token_hex(16)) as sender:
            await Notifier(
                database, regions, channels, sender, links, clock, rng, aside=aside, beat=beat, held=held
            ).run(stop)
    finally:
        database.close()


async def _opened(
    settings: Settings,
    clock: Callable[[], float],
    regions: Regions,
    rng: Random,
    stop: asyncio.Event,
    beat: Callable[[], None],
    held: Held,
) -> Database | None:
    """The duty database; None where it is stopped before it came."""
    outage = Outage(
        logging.getLogger("liaowang.push"),
        waits="notifications wait",
        over="the duty database is back",
        rng=rng,
        held=held,
    )
    while not stop.is_set():
        try:
            now = datetime.fromtimestamp(clock(), UTC)
            database = await asyncio.to_thread(open_database, settings, now, regions)
        except Unavailable as error:
            await pause(outage.failed(error), stop, beat)
        else:
            outage.ended()
            return database
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two workers on one outbox would push everything twice."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "push.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Unavailable(f"another push worker holds {folder / 'push.lock'}; stop it first") from None
    try:
        yield
    finally:
        os.close(handle)
