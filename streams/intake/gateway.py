"""The HTTP gateway: departments post batches of events; 202 means that all of them are stored.

POST /v1/feeds/{feed}/events  one CloudEvent, a JSON array of them, or one a line, with a bearer token
GET  /healthz                 200 while the broker can be reached, 503 while it cannot; with a token the reason

All or nothing: any event that breaks its contract refuses the whole batch with 422 and one entry a fault
(index, id, field, rule, value). A feed takes each of its major versions, by the event's type; answers to an older
one have the headers Deprecation and Sunset, and after its last day it is 410. `timeline` is reserved for replays,
and ticks for the ticker. 503 means that the broker did not acknowledge everything: post the same batch again, the
ids keep it from counting twice.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from schemas.contract import Contract, load_contracts
from schemas.department_use import strange_tokens
from schemas.errors import Misdeclared, Unavailable
from schemas.in_use import departments_of, in_use
from schemas.settings import Settings
from streams.bounded import Crowded
from streams.http_guard import OK, UNWELL, Guard, guard_of, hosts_of
from streams.http_middleware import guarding
from streams.intake.acknowledged import AcknowledgedProducer
from streams.intake.batch import MAX_ITEMS, Malformed, TooMany, split_batch
from streams.intake.broker_health import BrokerHealth
from streams.intake.encoding import Broken, TooLarge, Unsupported, decoded
from streams.intake.journal import log_as_json
from streams.intake.rights import Rights
from streams.intake.served import AT_ONCE, BODY_SECONDS, Feed, Refused, Served, serve
from streams.intake.stamp import stamp_of, write_stamp
from streams.intake.taking import Judged, judge_batch
from streams.intake.upgrading import destinations
from streams.patient_aiohttp import serving
from streams.stopping import stop_on_signals

log = logging.getLogger(__name__)

MAX_BODY = 8 * 1024 * 1024
THREADS = 8
SHUTDOWN_SECONDS = 60.0
LARGE, LARGE_AT_ONCE = 1024 * 1024, 2
"""Bodies of more bytes are taken apart two at a time: one of crumbs takes ten times its size meanwhile."""
_STATUS = {Unsupported: 415, Broken: 400, TooLarge: 413}
JOURNAL = web.RequestKey("journal", dict[str, Any])


class Gateway:
    """Takes batches for all feeds; `application` is what an HTTP server runs."""

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        tokens: Mapping[str, str],
        producer: AcknowledgedProducer,
        broker: BrokerHealth,
        now: Callable[[], datetime],
        guard: Guard | None = None,
        stamp: str = "",
        rights: Rights | None = None,
    ) -> None:
        self._producer, self._broker, self._now = producer, broker, now
        self._guard = guard or Guard(hosts_of())
        self._threads = ThreadPoolExecutor(THREADS, "gateway")
        self._large = BoundedSemaphore(LARGE_AT_ONCE)
        self._served = serve(contracts, tokens, stamp, rights)

    def take(
        self,
        contracts: Mapping[str, Contract],
        tokens: Mapping[str, str],
        stamp: str = "",
        rights: Rights | None = None,
    ) -> None:
        """Serve these feeds from now on, for these departments; a batch under way ends as it began.

        `stamp` is what `/healthz` says of them, so that whoever has them taken can see that they are.
        """
        self._served = serve(contracts, tokens, stamp, rights, self._served.places)

    def application(self) -> web.Application:
        """Make the web application; while it runs the broker is probed, and in the end all is flushed."""
        app = web.Application(
            client_max_size=MAX_BODY,
            middlewares=[_journal, guarding(self._guard)],
            handler_args={"auto_decompress": False},  # aiohttp's own would take any amount of memory
        )
        app.router.add_post("/v1/feeds/{feed}/events", self._post)
        app.router.add_get("/healthz", self._health)
        app.cleanup_ctx.append(self._background)
        return app

    async def _background(self, _: web.Application) -> AsyncIterator[None]:
        stop = asyncio.Event()
        probing = asyncio.create_task(self._broker.run(stop))
        yield
        stop.set()
        await probing
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._producer.close)

    async def _post(self, request: web.Request) -> web.Response:
        served = self._served
        department = served.department(request.headers.get("Authorization", ""))
        feed = served.feed(request.match_info["feed"], department)
        request[JOURNAL] = {"feed": feed.contract.feed, "department": department}
        try:
            async with served.places[department].one():
                body = await _read(request)
                encoding = request.headers.get("Content-Encoding", "")
                take = partial(self._take, served, department, feed, body, encoding)
                taken = await asyncio.get_running_loop().run_in_executor(self._threads, take)
        except Crowded:
            raise Refused(503, f"more than {AT_ONCE} batches of {department} at once; try again") from None
        accepted, older = sum(len(records) for _, records in taken.parts), taken.older
        request[JOURNAL] |= {"bytes": len(body), "accepted": accepted} | ({"older": older} if older else {})
        return web.json_response({"accepted": accepted}, status=202, headers=taken.headers)

    async def _health(self, request: web.Request) -> web.Response:
        health = self._broker.health
        code = 200 if health.well else 503
        served = self._served
        if not served.owners(request.headers.get("Authorization", "")):
            return web.json_response(OK if health.well else UNWELL, status=code)
        status = "ok" if health.well else "degraded" if health.failures else "starting"
        told = {"status": status, "broker": health.as_json(), "declarations": served.stamp}
        return web.json_response(told, status=code)

    def _take(self, served: Served, department: str, feed: Feed, body: bytes, encoding: str) -> Judged:
        """Check and store one batch (in a thread); returns what is stored."""
        try:
            with self._large if encoding or len(body) > LARGE else nullcontext():
                items = split_batch(_plain(encoding, body))
        except Malformed as error:
            raise Refused(400, str(error)) from None
        except TooMany as error:
            raise Refused(413, f"{error}; at most {MAX_ITEMS} a batch") from None
        judged = judge_batch(served, department, feed, items, self._now())
        if judged.faults:
            rejected = [fault.as_json() for fault in judged.faults]
            broken = f"{len(rejected)} of {len(items)} events break the contract; nothing is stored"
            raise Refused(422, broken, judged.headers, rejected=rejected)
        try:
            for part, records in judged.parts:
                for topic, mine in destinations(part.contract, part.upgrades, records):
                    self._producer.write(topic, mine)
        except Unavailable as error:
            self._broker.batch(str(error))
            log.warning("not stored", extra={"fields": {"feed": feed.contract.feed, "error": str(error)}})
            raise Refused(503, "the broker did not store the batch; post the same again") from error
        self._broker.batch()
        return judged


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Refused(408, f"the body did not come within {BODY_SECONDS:.0f} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, f"the body has more than {MAX_BODY} bytes") from None
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise Refused(400, f"the body cannot be read: {error}") from None


def _plain(encoding: str, body: bytes) -> bytes:
    try:
        return decoded(encoding, body, MAX_BODY)
    except (Unsupported, Broken, TooLarge) as error:
        raise Refused(_STATUS[type(error)], str(error)) from None


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _journal(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One log line a request, without bodies and tokens; refusals become answers."""
    begun = asyncio.get_running_loop().time()
    try:
        response = await handler(request)
    except Refused as refused:
        response = refused.response()
        request[JOURNAL] = request.get(JOURNAL, {}) | {"error": str(refused)}
    except web.HTTPException as error:
        response = web.json_response({"error": error.reason}, status=error.status, headers=_allowed(error))
    except Exception:
        log.exception("a request failed by a fault of the gateway itself")
        response = web.json_response({"error": "a fault of the gateway; its log says more"}, status=500)
    milliseconds = round((asyncio.get_running_loop().time() - begun) * 1000, 1)
    fields = {
        "method": request.method,
        "path": request.path[:200],
        "status": response.status,
        "ms": milliseconds,
    }
    log.info("request", extra={"fields": fields | request.get(JOURNAL, {})})
    return response


def main(settings: Settings, again: Callable[[], Settings] | None = None) -> None:
    """Run the gateway in the foreground until SIGTERM or SIGINT.

    SIGHUP: serve the declarations and tokens there are now, by the settings that `again` reads; those of before
    where they are wrong. Nobody's connection ends by it.
    """
    log_as_json(sys.stdout)
    contracts, told = load_contracts(in_use(settings).feeds), stamp_of(settings)
    producer = AcknowledgedProducer(settings.kafka)
    now = partial(datetime.now, UTC)
    broker, rights = BrokerHealth(settings.kafka, now), _rights(settings)
    gateway = Gateway(contracts, settings.tokens(), producer, broker, now, guard_of(settings), told, rights)
    write_stamp(settings, "gateway", told)
    try:
        asyncio.run(_serve(gateway, settings.gateway_port, again))
    except OSError as error:
        raise Misdeclared("settings", "LIAOWANG_GATEWAY_PORT", f"{settings.gateway_port}: {error}") from error


def _rights(settings: Settings) -> Rights:
    """The rights as the declarations in use have them; the log names tokens that open nothing."""
    departments = departments_of(in_use(settings))
    for told in strange_tokens(settings.tokens(), departments):
        log.warning(told)
    return Rights(departments)


async def _serve(gateway: Gateway, port: int, again: Callable[[], Settings] | None) -> None:
    stop, loop = stop_on_signals(), asyncio.get_running_loop()
    one = ThreadPoolExecutor(1, "declarations")  # of two takings the later one counts
    if again is not None:
        loop.add_signal_handler(signal.SIGHUP, partial(loop.run_in_executor, one, take_again, gateway, again))
    async with serving(gateway.application(), port, shutdown=SHUTDOWN_SECONDS):
        await stop.wait()


def take_again(gateway: Gateway, again: Callable[[], Settings]) -> None:
    """Have a gateway serve what there is now; where that is wrong, what it served before, and the log says why."""
    try:
        settings = again()
        told, contracts = stamp_of(settings), load_contracts(in_use(settings).feeds)
        gateway.take(contracts, settings.tokens(), told, _rights(settings))
        write_stamp(settings, "gateway", told)
    except Exception:  # a fault of one of them takes no feed of before away
        log.exception("the declarations of now cannot be taken; those of before go on")
    else:
        log.info("declarations taken", extra={"fields": {"feeds": len(contracts)}})
