"""The foreground process of one service: `python -m deploy.local.workers NAME`, or `liaowang worker NAME`."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from deploy.environment import load_settings
from deploy.local.home_folder import close_what_is_made
from deploy.local.process import SUPERVISED, end_with_parent
from deploy.local.services import SERVICES
from schemas.errors import LiaowangError, Misdeclared
from schemas.settings import Settings

FAILED, INTERRUPTED = 1, 130


def run_worker(name: str, settings: Settings) -> None:
    """Run one service in this process until it is told to stop; an unknown name is Misdeclared."""
    service = next((service for service in SERVICES if service.name == name), None)
    if service is None:
        names = ", ".join(service.name for service in SERVICES)
        raise Misdeclared("worker", name, f"no such service; there are {names}")
    close_what_is_made()
    os.nice(service.nice)
    module, function = service.run.split(":")
    program = getattr(import_module(module), function)
    if service.in_place:
        program(settings, load_settings)
    else:
        program(settings)


def main(arguments: list[str]) -> int:
    """Run the service that is named; the exit code. With --supervised it ends when its parent ends."""
    if SUPERVISED in arguments:
        end_with_parent()
    name = next((argument for argument in arguments if argument != SUPERVISED), "")
    try:
        run_worker(name, load_settings())
    except LiaowangError as error:
        said = f"worker: {name}: {error}" if SUPERVISED in arguments else str(error)
        print(said, file=sys.stderr, flush=True)  # in a log it must be told from what was warned of before
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
