"""The courier brings every push to a real receiver, whatever it answers, and the red ones first."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from deploy.ports import free_port
from schemas.errors import Misdeclared
from streams.duty.systems.courier import LONGEST_NAP, Removed
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.push import Push
from streams.duty.systems.receiver import Receiver, Trouble, serving
from streams.duty.systems.store import Store
from streams.duty.systems.webhook import Webhook
from tests.streams.duty.full_disk import full_disk
from tests.streams.duty.parts import (
    KEY,
    SPEED,
    Aside,
    Desk,
    delivering,
    desk_open,
    fast_clock,
    in_outbox,
    mixed_pushes,
    push,
    until,
)


def test_every_push_arrives_and_red_before_orange_before_yellow_before_blue(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        desk = Desk()
        outbox.add(mixed_pushes(80), time.time())
        async with desk_open(desk) as port, delivering(outbox, port, time.time, concurrency=1):
            await until(lambda: outbox.counts()["delivered"] == 80)
        numbers = [int(key.removeprefix("w-")) for key in desk.keys]
        assert numbers == [n for rest in (3, 2, 1, 0) for n in range(80) if n % 4 == rest]

    in_outbox(tmp_path, work)


def test_a_receiver_that_fails_half_the_time_gets_everything_once_by_key(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        clock, store = fast_clock(), Store(tmp_path / "receiver.sqlite")
        receiver = Receiver(store, KEY, clock, trouble=Trouble(fail_share=0.5), rng=Random(3))
        outbox.add(mixed_pushes(120), clock())
        async with serving(receiver, 0) as port, delivering(outbox, port, clock):
            await until(lambda: outbox.counts()["delivered"] == 120)
        pushes, copies = store.count()
        assert pushes == 120 and copies > 0
        assert max(row["attempts"] for row in outbox.last(120)) > 1
        store.close()

    in_outbox(tmp_path, work)


def test_a_receiver_that_is_away_and_comes_back_gets_everything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "liaowang.push")

    async def work(outbox: Outbox) -> None:
        clock, port, desk = fast_clock(), free_port(), Desk()
        outbox.add(mixed_pushes(50), clock())
        async with delivering(outbox, port, clock):
            await until(lambda: any(row["last_error"] for row in outbox.last(50)))
            await asyncio.sleep(0.5)
            async with desk_open(desk, port):
                await until(lambda: outbox.counts()["delivered"] >= 20)
            outbox.add([push(n) for n in range(50, 60)], clock())
            await asyncio.sleep(0.5)
            async with desk_open(desk, port):
                await until(lambda: outbox.counts()["delivered"] == 60)
        assert set(desk.keys) == {f"w-{n}" for n in range(60)}

    in_outbox(tmp_path, work)
    said = [record.getMessage().split(": ")[0].rsplit(" ", 1)[-1] for record in caplog.records]
    assert said in (["away", "back"], ["away", "back", "away", "back"]), caplog.text


def test_an_absent_receiver_is_not_stormed(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        outbox.add(mixed_pushes(200), time.time())
        async with delivering(outbox, free_port(), time.time):
            await asyncio.sleep(1.5)
        assert sum(row["attempts"] for row in outbox.last(200)) <= 8 + 5

    in_outbox(tmp_path, work)


def test_a_refused_push_is_dead_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        desk = Desk(lambda n: (404, {}) if n == 1 else (204, {}))
        outbox.add([push(1, "red"), push(2)], time.time())
        async with desk_open(desk) as port, delivering(outbox, port, time.time, concurrency=1):
            await until(lambda: outbox.counts() == {"pending": 0, "delivered": 1, "dead": 1})
            await asyncio.sleep(0.2)
        assert desk.keys == ["w-1", "w-2"]
        assert outbox.last(2)[1]["last_error"] == "HTTP 404 so says the desk"

    in_outbox(tmp_path, work)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        elsewhere = Desk()
        async with desk_open(elsewhere) as other:
            desk = Desk(lambda _: (307, {"Location": f"http://127.0.0.1:{other}/warnings"}))
            outbox.add([push(1)], time.time())
            async with desk_open(desk) as port, delivering(outbox, port, time.time):
                await until(lambda: outbox.counts()["dead"] == 1)
        assert elsewhere.keys == []

    in_outbox(tmp_path, work)


def test_retry_after_holds_back_everything_as_long_as_asked(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        clock = fast_clock()
        desk = Desk(lambda n: (429, {"Retry-After": "20"}) if n == 1 else (200, {}))
        outbox.add([push(1, "red"), push(2), push(3)], clock())
        async with desk_open(desk) as port, delivering(outbox, port, clock, concurrency=1):
            await until(lambda: outbox.counts()["delivered"] == 3)
        assert desk.times[1] - desk.times[0] >= 20 / SPEED * 0.95
        assert desk.keys == ["w-1", "w-1", "w-2", "w-3"]

    in_outbox(tmp_path, work)


def test_a_receiver_that_is_too_slow_is_tried_again(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        clock, store = fast_clock(), Store(tmp_path / "receiver.sqlite")
        trouble = Trouble(delay=0.3)
        receiver = Receiver(store, KEY, clock, trouble=trouble)
        outbox.add([push(1)], clock())
        async with serving(receiver, 0) as port:
            async with delivering(outbox, port, clock, timeout=0.1):
                await until(lambda: outbox.last(1)[0]["attempts"] >= 2)
            async with delivering(outbox, port, clock, timeout=5.0):
                await until(lambda: outbox.counts()["delivered"] == 1)
        assert store.count()[0] == 1
        store.close()

    in_outbox(tmp_path, work)


def test_news_is_delivered_at_once(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        desk = Desk()
        async with desk_open(desk) as port, delivering(outbox, port, time.time) as courier:
            for number in range(10):
                await asyncio.sleep(0.05)
                outbox.add([push(number)], time.time())
                courier.wake()
            await until(lambda: outbox.counts()["delivered"] == 10)
        delays = [row["delivered_at"] - row["created"] for row in outbox.last(10)]
        assert sorted(delays)[5] < 0.5

    in_outbox(tmp_path, work)


def test_stopping_finishes_what_is_under_way(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        store = Store(tmp_path / "receiver.sqlite")
        receiver = Receiver(store, KEY, time.time, trouble=Trouble(delay=0.4))
        outbox.add([push(n) for n in range(4)], time.time())
        async with serving(receiver, 0) as port, delivering(outbox, port, time.time, concurrency=4):
            await until(lambda: receiver.posts == 4)
        assert outbox.counts()["delivered"] == 4
        store.close()

    in_outbox(tmp_path, work)


def test_without_a_key_nothing_can_be_signed() -> None:
    with pytest.raises(Misdeclared, match="WEBHOOK_KEY"):
        Webhook("http://127.0.0.1:1/", "", 1)


STRANGE = ("a\nb", "a\rb", "a\0b", "a\x7fb", "甲\t乙", "x" * 9000)


def test_an_id_of_any_characters_arrives_encoded_with_its_payload_as_it_is(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        store, aside = Store(tmp_path / "receiver.sqlite"), Aside()
        found = [Push(f"r|{text}", "red", msgspec.json.encode({"id": f"r|{text}"})) for text in STRANGE]
        outbox.add([push(1), *found], time.time())
        receiver = Receiver(store, KEY, time.time)
        async with serving(receiver, 0) as port, delivering(outbox, port, time.time, aside=aside):
            await until(lambda: outbox.counts()["delivered"] == 1 + len(STRANGE))
        taken = {row["push"].get("id"): row["key"] for row in store.newest(100)}
        assert {f"r|{text}" for text in STRANGE} <= set(taken)
        assert all(key == f"r|{text}" for text in STRANGE[:-1] if (key := taken[f"r|{text}"]))
        assert taken[f"r|{STRANGE[-1]}"].startswith("sha256=") and aside == []
        store.close()

    in_outbox(tmp_path, work)


@pytest.mark.parametrize("broken", [{"payload": "text"}, {"attempts": "many"}], ids=str)
def test_a_push_that_cannot_be_sent_is_dead_and_set_aside_and_stops_no_other(
    tmp_path: Path, broken: dict[str, str]
) -> None:
    async def work(outbox: Outbox) -> None:
        desk, aside = Desk(), Aside()
        outbox.add([push(0, "red"), *mixed_pushes(8)[1:]], time.time())
        with closing(sqlite3.connect(outbox.path)) as connection, connection:
            for column, value in broken.items():
                connection.execute(f"UPDATE push SET {column} = ? WHERE id = 'w-0'", (value,))
        async with desk_open(desk) as port, delivering(outbox, port, time.time, aside=aside):
            await until(lambda: outbox.counts() == {"pending": 0, "delivered": 7, "dead": 1})
        assert [what for what, _ in aside] == ["push w-0"]
        last = next(row for row in outbox.last(8) if row["id"] == "w-0")
        assert last["last_error"] == f"it cannot be sent: {aside[0][1]}"

    in_outbox(tmp_path, work)


def test_on_a_full_disk_nothing_goes_out_twice_and_afterwards_everything_is_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[str] = []

    async def work(outbox: Outbox) -> None:
        desk = Desk()
        outbox.add([push(n) for n in range(400)], time.time())
        with full_disk(outbox._engine) as room:
            async with (
                desk_open(desk) as port,
                delivering(outbox, port, time.time, concurrency=4, held=waits.append),
            ):
                await until(lambda: "database or disk is full; pushes wait" in caplog.text)
                await asyncio.sleep(2)
                assert len(desk.keys) < 100, "what cannot be marked is not followed by more"
                assert "disk is full" in waits[-1], "and it is said for what is waited, as long as it is"
                room()
                await until(lambda: outbox.counts()["delivered"] == 400)
                await until(lambda: waits[-1] == "")
        assert len(desk.keys) == len(set(desk.keys)) == 400, "none was sent twice"

    in_outbox(tmp_path, work)
    said = [
        record.getMessage().rpartition("; ")[2] for record in caplog.records if record.name == "liaowang.push"
    ]
    assert said[0] == "pushes wait" and len(said) == 2 and "takes pushes again" in said[1]


def test_a_receiver_that_refuses_is_waited_for_until_it_takes_something(tmp_path: Path) -> None:
    waits: list[str] = []

    async def work(outbox: Outbox) -> None:
        clock, store = fast_clock(), Store(tmp_path / "receiver.sqlite")
        outbox.add([push(1)], clock())
        receiver = Receiver(store, KEY, clock, trouble=Trouble(fail_share=1.0), rng=Random(3))
        async with serving(receiver, 0) as port, delivering(outbox, port, clock, answered=waits.append):
            await until(lambda: bool(waits) and "receiver http" in waits[-1])
        assert "HTTP 500" in waits[-1], "with what it said"
        async with desk_open(Desk()) as port, delivering(outbox, port, clock, answered=waits.append):
            await until(lambda: outbox.counts()["delivered"] == 1 and waits[-1] == "")

    in_outbox(tmp_path, work)


def test_an_outbox_that_is_removed_under_way_ends_the_courier_with_what_to_do(tmp_path: Path) -> None:
    async def work(outbox: Outbox) -> None:
        async with desk_open(Desk()) as port:
            with pytest.raises(Removed, match="removed or replaced while it was in use"):
                async with delivering(outbox, port, time.time):
                    outbox.path.unlink()
                    await asyncio.sleep(2 * LONGEST_NAP)

    in_outbox(tmp_path, work)
