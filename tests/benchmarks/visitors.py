"""Visitors of the console as a process of their own, for `bench_console`; it imports nothing of the platform.

Printed are `ready` once everything is there to begin, and at the end the milliseconds by what was asked. Visitors
stand for people at other machines: what they cost comes off the machine that is measured, so they cost little.
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

VISITORS, WATCHING = 8, 20
READY = "ready"
EPISODE = re.compile(r'href="/cases/(\d+)"')
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Key:
    """What an officer comes with: the cookie of a session, and a token for the API."""

    cookie: str
    session: str
    token: str


def timed(rows: dict[str, list[float]], name: str, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer; its milliseconds go to the rows. 409: somebody else was faster."""
    begun = time.perf_counter()
    answer = ask()
    rows.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
    assert answer.status_code in (200, 303, 409), (name, answer.status_code, answer.text[:300])
    return answer


def client_of(address: str, key: Key) -> httpx.Client:
    """A browser; without the certificates that it would read and does not need here."""
    cookies = {key.cookie: key.session}
    return httpx.Client(base_url=address, cookies=cookies, trust_env=False, timeout=60, verify=False)


class Visitor:
    """An officer in a hurry: looks at his cases, opens one, takes it, looks at the screen."""

    def __init__(self, address: str, key: Key, seed: int) -> None:
        self.rng, self.key = random.Random(seed), key
        self.rows: dict[str, list[float]] = {}
        self.web = client_of(address, key)

    def round(self) -> None:
        """One thing an officer does."""
        bearer = {"Authorization": f"Bearer {self.key.token}"}
        what = self.rng.choice(("look", "look", "take", "take by api", "screen", "api", "rules", "roster"))
        if what in ("look", "take", "take by api"):
            page = timed(self.rows, "my cases", lambda: self.web.get("/cases?state=new")).text
            cases = EPISODE.findall(page)
            if not cases:
                return
            case = self.rng.choice(cases)
            shown = timed(self.rows, "case page", lambda: self.web.get(f"/cases/{case}")).text
            if what == "take":
                form = {"csrf": CSRF.findall(shown)[0]}
                path = f"/cases/{case}/acknowledge"
                timed(self.rows, "acknowledge (form)", lambda: self.web.post(path, data=form))
            elif what == "take by api":
                path = f"/api/v1/cases/{case}/acknowledge"
                timed(self.rows, "acknowledge (API)", lambda: self.web.post(path, headers=bearer))
        elif what == "api":
            path = "/api/v1/cases?open=true&limit=50"
            timed(self.rows, "API list", lambda: self.web.get(path, headers=bearer))
        else:
            path = {"screen": "/screen", "rules": "/rules", "roster": "/roster"}[what]
            timed(
                self.rows,
                {"screen": "one screen", "rules": "rules", "roster": "roster"}[what],
                lambda: self.web.get(path),
            )

    def run(self, end: float) -> None:
        """Until then, with a pause after each, as of a person in a hurry."""
        while time.monotonic() < end:
            self.round()
            time.sleep(self.rng.uniform(0.3, 1.0))


def watch(
    address: str, key: Key, path: str, end: float, rows: dict[str, list[float]], lock: threading.Lock
) -> None:
    """A page that is only open: news come by its stream, and it fetches itself as seldom as `live.js` does."""
    took: dict[str, list[float]] = {}
    last = 0.0
    with (
        suppress(httpx.TransportError),
        client_of(address, key) as client,
        client.stream("GET", "/events") as stream,
    ):
        for line in stream.iter_lines():
            if time.monotonic() > end:
                break
            if line.startswith("event: change") and time.monotonic() - last > 2:
                timed(took, "open pages", lambda: client.get(path, headers={"X-Live": "1"}))
                last = time.monotonic()
    with lock:
        rows.setdefault("open pages", []).extend(took.get("open pages", []))


def ask(address: str, keys: list[Key], seconds: float) -> dict[str, list[float]]:
    """All of them at once; the milliseconds by what was asked."""
    rows: dict[str, list[float]] = {}
    lock, end = threading.Lock(), time.monotonic() + seconds
    visitors = [Visitor(address, keys[seed % len(keys)], seed) for seed in range(VISITORS)]
    threads = [threading.Thread(target=each.run, args=(end,)) for each in visitors]
    threads += [
        threading.Thread(
            target=watch,
            args=(address, keys[n % len(keys)], ("/screen", "/cases")[n % 2], end, rows, lock),
            daemon=True,
        )
        for n in range(WATCHING)
    ]
    for thread in threads:
        thread.start()
    for thread in threads[:VISITORS]:
        thread.join()
    for thread in threads[VISITORS:]:
        thread.join(5)
    for visitor in visitors:
        for name, took in visitor.rows.items():
            rows.setdefault(name, []).extend(took)
    return rows


if __name__ == "__main__":
    print(READY, flush=True)
    where, given, lasts = json.loads(sys.stdin.readline())
    print(json.dumps(ask(where, [Key(*each) for each in given], lasts)))
