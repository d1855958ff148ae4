"""How fast the console answers while a burst of warnings comes in: one JSON object a line.

Visitors of their own processes' threads ask for the list, a case, the one screen and the rules in turn, while
10,000 cases are there and more are opened at 170 a second (10,000 a minute). Baseline: the same visitors
asking for `/healthz`, which touches the database and renders nothing.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import quantiles

import httpx

from tests.streams.duty.console.house import PASSWORD, House, house_open, settings_for, warning

CASES, BURST_A_SECOND, SECONDS, VISITORS = 10_000, 170, 20, 8
PAGES = ("/cases?whose=all", "/cases/{case}", "/screen", "/rules", "/cases?whose=all&level=red")


def visit(
    address: str, cookie: str, token: str, seconds: float, seed: int, only: str
) -> list[tuple[str, float]]:
    """Ask for pages one after another, with a pause as of a person who is in a hurry; the milliseconds of each."""
    rng, found = random.Random(seed), []
    end = time.monotonic() + seconds
    with httpx.Client(base_url=address, cookies={cookie: token}, trust_env=False, timeout=30) as client:
        while time.monotonic() < end:
            page = only or rng.choice(PAGES)
            begun = time.perf_counter()
            answer = client.get(page.format(case=rng.randint(1, CASES)))
            found.append((page, (time.perf_counter() - begun) * 1000))
            assert answer.status_code == 200, (page, answer.status_code)
            time.sleep(rng.uniform(0.2, 0.8))
    return found


def visitors(house: House, seconds: float, only: str = "") -> dict[str, list[float]]:
    """So many visitors in another process, so that they take no time of the console's interpreter."""
    token = house.console.parts.accounts.sign_in("head", PASSWORD, house.clock())
    given = json.dumps([house.address, house.console.parts.cookie, token, seconds, only])
    said = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_console", given],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    result: dict[str, list[float]] = json.loads(said)
    return result


def ask(address: str, cookie: str, token: str, seconds: float, only: str) -> None:
    """The other process: all visitors at once; prints the milliseconds by page."""
    rows: dict[str, list[float]] = {}
    lock = threading.Lock()

    def one(seed: int) -> None:
        for page, took in visit(address, cookie, token, seconds, seed, only):
            with lock:
                rows.setdefault(page, []).append(took)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(rows))


def burst(house: House, stop: threading.Event) -> list[int]:
    """Open cases at the rate of the burst, in transactions of a tenth of a second, until told to stop."""
    opened = [0]

    def run() -> None:
        number = CASES
        counties = [region.code for region in house.console.parts.regions.counties]
        while not stop.wait(0.1):
            batch = range(number, number + BURST_A_SECOND // 10)
            house.hear([warning(n, region=counties[n % len(counties)]) for n in batch])
            number += len(batch)
            opened[0] += len(batch)

    threading.Thread(target=run, daemon=True).start()
    return opened


def fill(house: House) -> None:
    """A province after a very bad day."""
    counties = [region.code for region in house.console.parts.regions.counties]
    levels = ("red", "orange", "yellow", "yellow", "blue", "blue", "blue", "blue")
    for start in range(0, CASES, 500):
        house.hear(
            [
                warning(n, region=counties[n % len(counties)], level=levels[n % len(levels)])
                for n in range(start, start + 500)
            ]
        )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, house_open(settings_for(Path(home))) as house:
        house.officer("head", "supervisor", "330000")
        fill(house)
        base = visitors(house, SECONDS / 4, "/healthz")["/healthz"]
        stop = threading.Event()
        opened = burst(house, stop)
        rows = visitors(house, SECONDS)
        stop.set()
    baseline = quantiles(base, n=20)[18]
    for page, took in [*sorted(rows.items()), ("all pages", [t for each in rows.values() for t in each])]:
        p95 = quantiles(took, n=20)[18]
        line = {
            "name": "console",
            "what": f"{page} beside a burst of warnings, {VISITORS} visitors",
            "requests": len(took),
            "p50_ms": round(quantiles(took, n=2)[0], 1),
            "p95_ms": round(p95, 1),
            "target_p95_ms": 300,
            "opened_a_second": round(opened[0] / SECONDS),
            "healthz_p95_ms": round(baseline, 1),
            "ratio": round(p95 / baseline, 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("["):
        ask(*json.loads(sys.argv[1]))
    else:
        main()
