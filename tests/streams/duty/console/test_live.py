"""News for live pages: each browser is told which cases changed, or that there is more than it was told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from streams.console.access import LIVE, page
from streams.console.cases import routes
from streams.console.live import MOST, Hub, Sees, Touched
from streams.console.service import QUERY_SLOTS, REFRESH_SLOTS
from tests.streams.duty.console.house import House, until


def nothing(seq: int | None) -> tuple[int, tuple[Touched, ...]]:
    return 0, ()


def touched(*cases: int, region: str = "330110") -> tuple[Touched, ...]:
    return tuple(Touched(case, "ecology-duty", region, None) for case in cases)


async def everything() -> Sees | None:
    return lambda _: True


async def heard(stream: AsyncIterator[str]) -> dict[str, object]:
    event = await anext(stream)
    told: dict[str, object] = json.loads(event.split("data: ")[1])
    return told


def test_a_browser_that_is_slow_is_told_that_there_is_more_never_less() -> None:
    async def run() -> None:
        hub = Hub(nothing)
        stream = hub.listen(everything)
        assert (await anext(stream)).startswith("retry:")
        waiting = asyncio.create_task(heard(stream))
        await asyncio.sleep(0)
        hub.tell(1, touched(5))
        assert await waiting == {"seq": 1, "cases": [5], "more": False}
        hub.tell(2, touched(6))
        hub.tell(3, touched(7))
        assert await heard(stream) == {"seq": 3, "cases": [], "more": True}, "6 and 7 changed"
        hub.tell(4, touched(*range(MOST + 1)))
        assert (await heard(stream))["more"] is True
        hub.stop()
        hub.tell(5, touched(8))
        assert [event async for event in stream] == [], "a stop is not overtaken by news"

    asyncio.run(run())


def test_nobody_hears_of_cases_he_may_not_see_nor_at_all_once_he_is_out() -> None:
    async def run() -> None:
        hub, seen = Hub(nothing), ["330110"]

        async def sees() -> Sees | None:
            return (lambda it: it.region in seen) if seen else None

        stream = hub.listen(sees)
        await anext(stream)
        waiting = asyncio.create_task(heard(stream))
        await asyncio.sleep(0)
        hub.tell(1, touched(5, region="330200"))
        await asyncio.sleep(0.05)
        assert not waiting.done(), "not even that there was something"
        hub.tell(2, touched(6) + touched(7, region="330200"))
        assert await waiting == {"seq": 2, "cases": [6], "more": False}
        seen.clear()
        assert [event async for event in hub.listen(sees)] == ["retry: 2000\n\n"]

    asyncio.run(run())


def test_many_browsers_are_told_one_after_another() -> None:
    async def run() -> None:
        hub = Hub(nothing, interval=10)
        streams = [hub.listen(everything) for _ in range(20)]
        for stream in streams:
            assert (await anext(stream)).startswith("retry:")
        tasks = [asyncio.create_task(heard(stream)) for stream in streams]
        await asyncio.sleep(0)
        hub.tell(1, touched(5))
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert done and waiting, "told at once, all would ask for their pages at once"
        assert {task.result()["seq"] for task in (await asyncio.wait(tasks))[0]} == {1}

    asyncio.run(run())


def test_a_page_that_keeps_itself_up_to_date_waits_for_its_turn_and_a_click_does_not(house: House) -> None:
    house.officer("zhang", "ecology-duty", "330100")
    deps = house.console.deps
    endpoint = page(deps, lambda visit: Response(visit.actor.who))
    with house.visitor("zhang") as client:
        cookie = f"{deps.cookie}={client.cookies[deps.cookie]}"

    def request(**headers: str) -> Request:
        sent = [(name.encode(), value.encode()) for name, value in {"cookie": cookie, **headers}.items()]
        return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": sent})

    async def run() -> None:
        async with AsyncExitStack() as others:
            for _ in range(REFRESH_SLOTS):
                await others.enter_async_context(deps.refresh_slots)
            looking = asyncio.create_task(endpoint(request(**{LIVE.lower(): "1"})))
            assert (await endpoint(request())).body == b"zhang"
            assert not looking.done()
        assert (await looking).body == b"zhang"

    asyncio.run(run())


def test_pages_that_ask_the_warehouse_hold_up_no_others_and_who_is_nobody_waits_for_no_place(
    house: House,
) -> None:
    house.officer("zhang", "ecology-duty", "330100")
    case = house.warn(1)
    deps = replace(
        house.console.deps,
        refresh_slots=asyncio.Semaphore(REFRESH_SLOTS),
        query_slots=asyncio.Semaphore(QUERY_SLOTS),
    )
    endpoints = {route.path: route.endpoint for route in routes(deps)}
    with house.visitor("zhang") as client:
        mine = f"{deps.cookie}={client.cookies[deps.cookie]}"

    def look(path: str, cookie: str = mine) -> asyncio.Task[Response]:
        headers = [(b"cookie", cookie.encode()), (LIVE.lower().encode(), b"1")]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
        request = Request({**scope, "path_params": {"case": case}})
        return asyncio.create_task(endpoints[path](request))

    async def run() -> None:
        async with AsyncExitStack() as slow:
            for _ in range(QUERY_SLOTS):
                await slow.enter_async_context(deps.query_slots)
            waiting = look("/cases/{case:int}")
            assert (await look("/cases")).status_code == 200
            assert (await look("/cases/{case:int}", "nobody=1")).status_code == 303
            assert not waiting.done()
        assert (await waiting).status_code == 200

    asyncio.run(run())


def test_streams_of_a_server_that_restarts_end_and_begin_anew(house: House) -> None:
    house.officer("zhang", "ecology-duty", "330100")
    hub = house.console.deps.hub
    with house.visitor("zhang") as client:
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            until(lambda: hub.listening == 1)
            hub.stop()
            assert [line for line in lines if line] == []
        with client.stream("GET", "/events") as stream:
            assert next(stream.iter_lines()).startswith("retry:")
        until(lambda: hub.listening == 0)
    with house.visitor() as nobody:
        assert nobody.get("/events").status_code == 401


def test_events_name_no_case_of_another_region(house: House) -> None:
    house.officer("zhang", "ecology-duty", "330100")
    house.officer("ningbo", "ecology-duty", "330200")
    with house.visitor("zhang") as client, client.stream("GET", "/events") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        until(lambda: house.console.deps.hub.listening > 0)
        house.warn(701, region="330203", subject="1701A")
        mine = house.warn(702, region="330110", subject="1702A")
        told = next(line for line in lines if line.startswith("data:"))
        assert json.loads(told.removeprefix("data:"))["cases"] in ([mine], [])
