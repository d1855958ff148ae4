"""`liaowang apply`: a running stack takes the declarations as the files say now, and goes on meanwhile.

Warehouse and topics are brought to form; the gateway takes the new ones without ending a connection; then each
program that reads what has changed is started again, one after another, and begins where it stood. Kafka and the
warehouse are not touched, so events are taken in and kept all the while.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from deploy.environment import load_settings
from deploy.local.control import Control, Process
from deploy.local.form import TELLER, bring_to_form
from deploy.local.health import restart
from deploy.local.process import CannotStart
from deploy.local.readers import behind, readers_of, write_behind
from deploy.local.secrets import ensure_secrets
from deploy.local.services import SERVERS, SERVICES, Service
from deploy.local.supervisor import alone, await_services
from schemas.in_use import contents, files_of, in_use
from schemas.settings import HOST, Settings
from streams import aside
from streams.intake.gateway import stamp_of

Say = Callable[[str], None]
GATEWAY = "gateway"
TAKE_SECONDS, ASK_SECONDS = 60.0, 5.0
"""How long the gateway may take to have them, and one asking whether it has."""


def apply(settings: Settings, say: Say) -> bool:
    """Give what runs the declarations of now; False where it had them.

    CannotStart where the stack is not up, and in the end where programs did not come back: it names them, and the
    next `apply` tries those again. Declarations that are wrong are set aside, as `up` does it.
    """
    home, control = settings.home, Control(settings.home)
    processes = control.processes()
    if processes is None:
        raise CannotStart("nothing is up; `liaowang up` starts it with the declarations of now")
    with alone(home):
        departments = set(settings.tokens())
        ensure_secrets(home, files=files_of(settings))
        settings = load_settings()
        before, still = contents(in_use(settings)), behind(home, processes)
        names = readers_of(before, contents(files_of(settings)))
        write_behind(home, {*still, *names})
        bring_to_form(settings, say)
        if aside.read(home, TELLER) and contents(in_use(settings)) == before:
            write_behind(home, still)
            names = []
        waiting = {*still, *names} | ({GATEWAY} if set(settings.tokens()) != departments else set())
        return _give(settings, control, [each for each in SERVICES if each.name in waiting], say)


def _give(settings: Settings, control: Control, services: list[Service], say: Say) -> bool:
    """Give them to these programs, in their order; what cannot have them now is told and stays owed."""
    failed: dict[str, str] = {}
    if settings.regional() and any(each in SERVERS for each in services):
        say("users of regions see views that are new after `liaowang down`, then `up`")
    for service in services:
        if service in SERVERS:
            continue
        process = (control.processes() or {}).get(service.name)
        if process is None or not process.up:
            continue  # it reads them when it starts
        told = (
            _in_place(settings, service, process) if service.in_place else _again(settings, control, service)
        )
        if told:
            failed[service.name] = told
        else:
            say(f"{service.name} has them")
    write_behind(settings.home, failed)
    if failed:
        rest = "everything else has them; `liaowang apply` tries these again"
        raise CannotStart("\n".join([*failed.values(), rest]))
    return bool(services)


def give_gateway(settings: Settings) -> str:
    """Have a gateway that is up take tokens and departments of now; why it has not, empty where it has."""
    process = (Control(settings.home).processes() or {}).get(GATEWAY)
    (service,) = (each for each in SERVICES if each.name == GATEWAY)
    return _in_place(settings, service, process) if process is not None and process.up else ""


def _again(settings: Settings, control: Control, service: Service) -> str:
    """Start a program again and wait until it is well, where it is waited for at all; why it is not."""
    restart(control, service.name)
    return "\n".join(await_services(settings, control, [service])) if service.awaited else ""


def _in_place(settings: Settings, service: Service, process: Process) -> str:
    """Have a program take them while it runs, and wait until it says so; why it does not."""
    wanted, until = stamp_of(settings), time.monotonic() + TAKE_SECONDS
    tokens = list(settings.tokens().values())
    address = f"http://{HOST}:{service.port(settings)}{service.path}"
    os.kill(process.pid, signal.SIGHUP)
    while time.monotonic() < until:
        if wanted in (_told(address, token) for token in tokens):
            return ""
        time.sleep(0.2)
    log = settings.home / "logs" / f"{service.name}.log"
    return f"{service.name} has not taken them in {TAKE_SECONDS:.0f} s (more in {log})"


def _told(address: str, token: str) -> str:
    """The declarations it says it has; empty where it says nothing, or does not know the token yet."""
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=ASK_SECONDS) as answer:
            return _of(answer.read())
    except (
        urllib.error.HTTPError
    ) as error:  # it is not well for another reason: what it has it says all the same
        with error:
            return _of(error.read(10_000))
    except OSError:
        return ""


def _of(raw: bytes) -> str:
    try:
        return str(json.loads(raw).get("declarations", ""))
    except ValueError:
        return ""
