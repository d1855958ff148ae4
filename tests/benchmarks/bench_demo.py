"""Wall time of `liaowang demo` on generated feeds, in a fresh home, beside that of starting the stack alone.

The demo starts the stack itself, so its baseline is a part of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.environment import as_environment, load_settings
from deploy.ports import free_port
from schemas.settings import Settings

LIAOWANG = [sys.executable, "-c", "from deploy.cli import main; main()"]


def timed(settings: Settings, *command: str) -> float:
    """Seconds a command of the CLI takes; it must succeed."""
    secrets = ("password", "key", "tokens")
    environment = {
        name: value
        for name, value in as_environment(settings).items()
        if not (name.startswith("LIAOWANG_") and name.lower().endswith(secrets))
    }
    begun = time.monotonic()
    subprocess.run(
        [*LIAOWANG, *command],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - begun


def main() -> None:
    """Print one JSON object."""
    base = load_settings()
    ports = {each.name: free_port() for each in fields(Settings) if each.name.endswith("_port")}
    with TemporaryDirectory(prefix="liaowang-bench-") as folder:
        settings = replace(base, home=Path(folder), kafka_libs=base.kafka_jars, **ports)
        try:
            up = timed(settings, "up")
            timed(settings, "down")
            demo = timed(settings, "demo")
            planted = next(Path(folder).glob("generated/*/planted.json"))
            lines = sum(feed["lines"] for feed in json.loads(planted.read_text())["counts"].values())
        finally:
            timed(settings, "down")
    line = {
        "name": "demo", "value": round(demo, 1), "unit": "s", "baseline": round(up, 1),
        "baseline_name": "liaowang up alone, first start", "events": lines,
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
