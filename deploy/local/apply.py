"""`liaowang apply`: a running stack takes the declarations as the files say now, and goes on meanwhile.

Warehouse and topics are brought to form; then each program that reads what has changed is started again, one
after another, and begins where it stood. Gateway and ticker come last and take it while they run, without ending a
connection: what is let in, those behind can read. Rules are published in the end, when `watch` has the feeds they
are about. Kafka and the warehouse are not touched, so events are taken in and kept all the while.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from deploy.environment import load_settings
from deploy.local.control import Control, Process
from deploy.local.form import bring_to_form, publish_rules
from deploy.local.health import restart
from deploy.local.process import CannotStart
from deploy.local.readers import write_behind
from deploy.local.secrets import ensure_secrets
from deploy.local.services import SERVERS, SERVICES, Service
from deploy.local.supervisor import alone, await_services
from schemas.in_use import files_of
from schemas.settings import Settings
from streams.intake.stamp import read_stamp, stamp_of
from streams.retrying import until

Say = Callable[[str], None]
GATEWAY = "gateway"
TAKE_SECONDS = 60.0
"""How long a program may take to have them while it runs."""
BUILDER, BUILD_SECONDS = "dagster-code", 900.0
"""Whose children builds are, and how long one that is under way is waited for."""
_ORDER = sorted(SERVICES, key=lambda service: service.in_place)


def apply(settings: Settings, say: Say) -> bool:
    """Give what runs the declarations of now; False where it had them.

    CannotStart where the stack is not up, and in the end where programs did not come back: it names them, and the
    next `apply` tries those again. Declarations that are wrong are set aside, as `up` does it.
    """
    home, control = settings.home, Control(settings.home)
    if control.processes() is None:
        raise CannotStart("nothing is up; `liaowang up` starts it with the declarations of now")
    with alone(home):
        departments = set(settings.tokens())
        ensure_secrets(home, files=files_of(settings))
        settings = load_settings()
        formed = bring_to_form(settings, say)
        named = set(formed.behind)
        if set(settings.tokens()) != departments:
            named.add(GATEWAY)
        failed = _give(settings, control, [each for each in _ORDER if each.name in named], say)
        publish_rules(settings, say, formed, failed)
        if failed:
            rest = "everything else has them; `liaowang apply` tries these again"
            raise CannotStart("\n".join([*failed.values(), rest]))
    return bool(named)


def _give(settings: Settings, control: Control, services: list[Service], say: Say) -> dict[str, str]:
    """Give them to these programs, one after another; what cannot have them now stays owed: why, by name."""
    failed: dict[str, str] = {}
    if settings.regional() and any(each in SERVERS for each in services):
        say("users of regions see views that are new after `liaowang down`, then `up`")
    for service in services:
        if service in SERVERS:
            continue
        process = (control.processes() or {}).get(service.name)
        if process is None or not process.up:
            continue  # it reads them when it starts
        if service.in_place:
            told = _in_place(settings, control, service)
        else:
            told = _busy(settings, service, process, say) or _again(settings, control, service)
        if told:
            failed[service.name] = told
        else:
            say(f"{service.name} has them")
    write_behind(settings.home, failed)
    return failed


def _busy(settings: Settings, service: Service, process: Process, say: Say) -> str:
    """Wait until no build is under way that would end with this program; why it cannot be started again now."""
    if service.name != BUILDER:
        return ""
    from dagster_project.orchestrate.runs import under_way

    if not under_way(settings.home, process.started):
        return ""
    say(f"{service.name} is building; it has them when that is over")
    if until(lambda: not under_way(settings.home, process.started), BUILD_SECONDS, 1.0):
        return ""
    return f"{service.name} has been building for {BUILD_SECONDS:.0f} s and was left to it"


def give_gateway(settings: Settings) -> str:
    """Have a gateway that is up take tokens and departments of now; why it has not, empty where it has."""
    control = Control(settings.home)
    process = (control.processes() or {}).get(GATEWAY)
    (service,) = (each for each in SERVICES if each.name == GATEWAY)
    return _in_place(settings, control, service) if process is not None and process.up else ""


def _again(settings: Settings, control: Control, service: Service) -> str:
    """Start a program again and wait until it is well, where it is waited for at all; why it is not."""
    restart(control, service.name)
    return "\n".join(await_services(settings, control, [service])) if service.awaited else ""


def _in_place(settings: Settings, control: Control, service: Service) -> str:
    """Have a program take them while it runs, and wait until it says so; why it does not."""
    if told := await_services(settings, control, [service]):  # one that is starting would end by the signal
        return "\n".join(told)
    wanted = stamp_of(settings)
    process = (control.processes() or {}).get(service.name)
    with suppress(ProcessLookupError):  # what has just ended reads them when it starts
        if process is not None and process.up:
            os.kill(process.pid, signal.SIGHUP)
    if until(lambda: read_stamp(settings.home, service.name) == wanted, TAKE_SECONDS):
        return ""
    log = settings.home / "logs" / f"{service.name}.log"
    return f"{service.name} has not taken them in {TAKE_SECONDS:.0f} s (more in {log})"
