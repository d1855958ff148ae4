"""A programme that has grown: 65 feeds of 4 partitions, 140 rules, 140 indicators, as `growth.py` writes them.

`make bench-growth` measures each part in turn; `make bench-growth PARTS="definitions commands"` only those:

- `definitions`: seconds until Dagster has the project;
- `commands`: `rules lint` of one rule, `status`, `duty who`, the fastest of three each;
- `late`: what the look for late days takes on 30 days of 200,000 events;
- `night`: all assets of one of these days, in one run;
- `up`: seconds until a stack that has been up before is up, and what it does at rest: processor and memory (PSS);
- `watch`: five rules of one feed, and 200 rules over 20 feeds.

`late`, `night` and `up` run in a home with 30 days behind it (`growth_ledger.py`). Beside each figure stands what
bare work takes in the same run, so that a slow or busy machine is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dagster_project.build.index import all_figures
from dagster_project.build.reopened_days import ends_of, mark, reopened
from dagster_project.warehouse import warehouse
from deploy.environment import load_settings, settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from schemas.contract import load_contracts
from schemas.fields import SHANGHAI
from schemas.in_use import files_of
from schemas.settings import PREFIX, Settings
from tests.benchmarks import bench_watch, bench_watch_many
from tests.benchmarks.growth import own_key, write_declarations
from tests.benchmarks.growth_ledger import EVENTS, copied, fill
from tests.benchmarks.growth_rest import pss, used
from tests.benchmarks.house import say
from tests.benchmarks.stack import RESULT

PASS = (sys.executable, "-c", "pass")
YARD_MIB = 256
LIAOWANG = [sys.executable, "-c", "from deploy.cli import main; main()"]
NOT_WELL = 3
TRIES = 3
REST_SECONDS, SETTLE_SECONDS = 60.0, 60.0
DEFINITIONS = (
    "import time; begun = time.perf_counter(), time.process_time();"
    " from dagster_project.definitions import defs;"
    " keys = defs.get_repository_def().asset_graph.get_all_asset_keys();"
    " print(time.perf_counter() - begun[0], time.process_time() - begun[1], len(keys))"
)


@dataclass
class Home:
    """A home of its own that has these declarations, and a month up to `last` behind it once it is `filled`."""

    folder: Path
    environment: dict[str, str]
    last: date
    filled: bool = False

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return settings_from(self.environment)

    def fill(self) -> None:
        """Put the month into its warehouse, where that has not been done."""
        if not self.filled:
            fill(self.settings, self.last)
            self.filled = True

    def run(self, *command: str, code: int = 0) -> str:
        """What a command says; it must end with this code."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )
        if done.returncode != code:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def seconds(self, *command: str, code: int = 0) -> float:
        """How long a command of the CLI takes."""
        begun = time.perf_counter()
        self.run(*LIAOWANG, *command, code=code)
        return time.perf_counter() - begun


@contextmanager
def grown() -> Iterator[Home]:
    """A home on free ports; gone afterwards, and whatever runs in it."""
    with TemporaryDirectory(prefix="liaowang-bench-") as folder:
        home = Path(folder) / "home"
        ensure_secrets(home)
        ports = {each.name: free_port() for each in fields(Settings) if each.name.endswith("_port")}
        given = {
            "home": home,
            "declarations": write_declarations(Path(folder) / "declarations"),
            "kafka_libs": load_settings().kafka_jars,
            **ports,
        }
        rest = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        environment = rest | {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
        yield Home(home, environment, datetime.now(SHANGHAI).date() - timedelta(days=1))


def yardstick() -> dict[str, Any]:
    """Seconds of a fixed amount of work, as the baseline of what has none of its own."""
    block, begun = b"x" * (1 << 20), time.perf_counter()
    digest = sha256()
    for _ in range(YARD_MIB):
        digest.update(block)
    return {
        "baseline": round(time.perf_counter() - begun, 2),
        "baseline_name": f"SHA-256 of {YARD_MIB} MiB in this process, s",
    }


def definitions(home: Home) -> None:
    """The project as Dagster loads it: declarations, assets, column lineage, schedules."""
    home.run(sys.executable, "-c", DEFINITIONS)  # the first look traces columns, and keeps them
    wall, cpu, keys = map(float, home.run(sys.executable, "-c", DEFINITIONS).split())
    say(
        "growth, definitions",
        value=round(wall, 1),
        unit="s",
        target=3,
        **yardstick(),
        cpu_s=round(cpu, 1),
        assets=int(keys),
    )


def commands(home: Home) -> None:
    """Commands that need one file, or none, of a stack that is down."""
    one = next(id for id, _ in own_key())
    asked = {
        "rules lint": (("rules", "lint", one), 0),
        "status": (("status",), NOT_WELL),
        "who": (("duty", "who", "--role", "duty-desk", "--region", "330106"), 0),
    }
    bare = min(_seconds(lambda: home.run(*PASS)) for _ in range(TRIES))
    for name, (command, code) in asked.items():
        home.seconds(*command, code=code)  # the first look makes what a home needs
        best = min(home.seconds(*command, code=code) for _ in range(TRIES))
        say(
            f"growth, {name}",
            value=round(best, 2),
            unit="s",
            target=1.5,
            baseline=round(bare, 2),
            baseline_name="python -c pass",
        )


def late(home: Home) -> None:
    """What the sensor of late days does each minute: where topics end, what they say, which days to reopen."""
    home.fill()
    roots = files_of(home.settings)
    contracts = list(load_contracts(roots.feeds).values())
    figures = list(all_figures([contract.table for contract in contracts], roots).values())
    with warehouse_running(home.settings), warehouse(home.settings) as open:

        def look() -> None:
            vectors = ends_of(open, contracts)
            mark(open, vectors, contracts, figures)
            plan = reopened(open, contracts, figures, home.last + timedelta(days=1), vectors=vectors)
            assert not plan.days, f"nothing is late, yet these are to be reopened: {plan.days}"

        tables = ("landing.ledger", "landing.changed_day", "release.pointer", "release.build")
        bare = min(
            _seconds(
                lambda: [open.rows(f"SELECT count() FROM {table} WHERE NOT ignore(*)") for table in tables]
            )
            for _ in range(TRIES)
        )
        best = min(_seconds(look) for _ in range(TRIES))
        counted = {table: open.rows(f"SELECT count() FROM {table}")[0][0] for table in tables}
    say(
        "growth, look for late days",
        value=round(best, 2),
        unit="s",
        target=0.5,
        baseline=round(bare, 2),
        baseline_name="SELECT count() over all columns of the same tables",
        rows=counted,
    )


def night(home: Home) -> None:
    """All assets of one day, in a process of its own."""
    home.fill()
    contracts = [
        each
        for each in load_contracts(files_of(home.settings).feeds).values()
        if not each.feed.startswith("duty.")
    ]
    with warehouse_running(home.settings):
        with warehouse(home.settings) as open:
            begun = time.perf_counter()
            for contract in contracts:
                open.rows(copied(contract, "'plain'", f"event_day = '{home.last}'"))
            bare = time.perf_counter() - begun
        command = (sys.executable, "-m", "tests.benchmarks.growth_night", home.last.isoformat())
        told = json.loads(home.run(*command).partition(RESULT)[2].splitlines()[0])
    assert told["published"] == told["tables"] and not told["failed"], told
    say(
        "growth, night of all assets",
        value=round(told.pop("wall"), 1),
        unit="s",
        target=120,
        baseline=round(bare, 2),
        baseline_name="INSERT SELECT of the same rows, table by table, nothing checked",
        events=EVENTS * len(contracts),
        **told,
    )


def up(home: Home) -> None:
    """The stack: its first start, one with everything made, and at rest."""
    home.fill()
    try:
        first = home.seconds("up")
        home.seconds("down")
        again = home.seconds("up")
        say(
            "growth, up",
            value=round(again, 1),
            unit="s",
            target=25,
            **yardstick(),
            first_start_s=round(first, 1),
        )
        time.sleep(SETTLE_SECONDS)
        before, begun = used(home.folder), time.monotonic()
        time.sleep(REST_SECONDS)
        seconds = time.monotonic() - begun
        shares = {name: (now - before.get(name, 0.0)) / seconds for name, now in used(home.folder).items()}
        memory = pss(home.folder)
    finally:
        home.seconds("down")
    busiest = sorted(shares, key=lambda name: -shares[name])[:5]
    say(
        "growth, idle processor",
        value=round(100 * sum(shares.values()), 1),
        unit="% of a core",
        target=30,
        **yardstick(),
        busiest={name: round(100 * shares[name], 1) for name in busiest},
    )
    largest = sorted(memory, key=lambda name: -memory[name])[:5]
    say(
        "growth, idle memory",
        value=round(sum(memory.values()) / 2**30, 2),
        unit="GiB of PSS",
        target=3,
        **yardstick(),
        largest_mib={name: memory[name] >> 20 for name in largest},
    )


def watch(home: Home) -> None:
    """Few rules, and rules and feeds by the dozen, under load; each prints its own line."""
    bench_watch.main()
    bench_watch_many.main()


def _seconds(what: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


PARTS: dict[str, Callable[[Home], None]] = {
    each.__name__: each for each in (definitions, commands, late, night, up, watch)
}


def main(names: list[str]) -> None:
    """Measure these parts, or all, and print a line for each figure."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with grown() as home:
        for name in names or PARTS:
            PARTS[name](home)


if __name__ == "__main__":
    main(sys.argv[1:])
