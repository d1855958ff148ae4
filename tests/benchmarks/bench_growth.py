"""A programme that has grown: 65 feeds of 4 partitions, 140 rules, 140 indicators, as `growth.py` writes them.

`make bench-growth` measures each part in turn; `make bench-growth PARTS="definitions commands"` only those:

- `definitions`: seconds until Dagster has the project;
- `commands`: `rules lint` of one rule, `status`, `duty who`, the fastest of three each;
- `up`: seconds until a stack that has been up before is up, and what it does at rest: processor and memory (PSS);
- `watch`: 200 rules over 20 feeds, the same as `bench_watch_many`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.environment import load_settings
from deploy.local.control import Control
from deploy.local.proc import PROC, worked
from deploy.ports import free_port
from schemas.settings import PREFIX, Settings
from tests.benchmarks import bench_watch_many
from tests.benchmarks.growth import own_key, write_declarations
from tests.benchmarks.house import say

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


@dataclass(frozen=True)
class Home:
    """A home of its own that has these declarations."""

    folder: Path
    environment: dict[str, str]

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
        ports = {each.name: free_port() for each in fields(Settings) if each.name.endswith("_port")}
        given = {
            "home": home,
            "declarations": write_declarations(Path(folder) / "declarations"),
            "kafka_libs": load_settings().kafka_jars,
            **ports,
        }
        rest = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        yield Home(home, rest | {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()})


def definitions(home: Home) -> None:
    """The project as Dagster loads it: declarations, assets, column lineage, schedules."""
    wall, cpu, keys = map(float, home.run(sys.executable, "-c", DEFINITIONS).split())
    say(
        "growth, definitions", value=round(wall, 1), unit="s", target=3, cpu_s=round(cpu, 1), assets=int(keys)
    )


def commands(home: Home) -> None:
    """Commands that need one file, or none, of a stack that is down."""
    one = next(id for id, _ in own_key())
    asked = {
        "rules lint": (("rules", "lint", one), 0),
        "status": (("status",), NOT_WELL),
        "who": (("duty", "who", "--role", "duty-desk", "--region", "330106"), 0),
    }
    for name, (command, code) in asked.items():
        home.seconds(*command, code=code)  # the first look makes what a home needs
        best = min(home.seconds(*command, code=code) for _ in range(TRIES))
        say(f"growth, {name}", value=round(best, 2), unit="s", target=1.5)


def up(home: Home) -> None:
    """The stack: its first start, one with everything made, and at rest."""
    try:
        first = home.seconds("up")
        home.seconds("down")
        again = home.seconds("up")
        say("growth, up", value=round(again, 1), unit="s", target=25, first_start_s=round(first, 1))
        time.sleep(SETTLE_SECONDS)
        used, begun = _used(home), time.monotonic()
        time.sleep(REST_SECONDS)
        seconds = time.monotonic() - begun
        shares = {name: (now - used.get(name, 0.0)) / seconds for name, now in _used(home).items()}
        memory = _memory(home)
    finally:
        home.seconds("down")
    busiest = sorted(shares, key=lambda name: -shares[name])[:5]
    say(
        "growth, idle processor",
        value=round(100 * sum(shares.values()), 1),
        unit="% of a core",
        target=30,
        busiest={name: round(100 * shares[name], 1) for name in busiest},
    )
    largest = sorted(memory, key=lambda name: -memory[name])[:5]
    say(
        "growth, idle memory",
        value=round(sum(memory.values()) / 2**30, 2),
        unit="GiB of PSS",
        target=3,
        largest_mib={name: memory[name] >> 20 for name in largest},
    )


def watch(home: Home) -> None:
    """Rules and feeds by the dozen under load."""
    bench_watch_many.main()


def _pids(home: Home) -> dict[str, int]:
    """The programs of the stack by name; the supervisor is what they all have been started by."""
    processes = Control(home.folder).processes() or {}
    return {name: each.pid for name, each in processes.items() if each.up and each.pid}


def _used(home: Home) -> dict[str, float]:
    pids = _pids(home) | {"supervisor": Control(home.folder).pid()}
    used = worked(set(pids.values()))
    return {name: used[pid] for name, pid in pids.items()}


def _memory(home: Home) -> dict[str, int]:
    """Proportional set size in bytes by program, with whatever it has started."""
    names = {pid: name for name, pid in _pids(home).items()} | {Control(home.folder).pid(): "supervisor"}
    found = dict.fromkeys(names.values(), 0)
    for each in PROC.iterdir():
        name = _program(each, names) if each.name.isdigit() else None
        if name is not None:
            found[name] += _pss(each)
    return found


def _program(process: Path, names: dict[int, str]) -> str | None:
    """The program a process belongs to: its own, or that of the nearest who started it."""
    pid = int(process.name)
    while pid and pid not in names:
        try:
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return None
    return names.get(pid)


def _pss(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10


PARTS: dict[str, Callable[[Home], None]] = {
    each.__name__: each for each in (definitions, commands, up, watch)
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
