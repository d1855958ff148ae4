"""The configuration of supervisord for one home. Pure; it holds no secret."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from deploy.local.ends import ends_path
from deploy.local.process import worker_command
from deploy.local.services import SERVERS, SERVICES, Service


def socket_path(home: Path) -> Path:
    """Where supervisord of a home listens."""
    return home / "run" / "supervisor.sock"


def code_socket(home: Path) -> Path:
    """Where the program listens that has Dagster's project; only who may enter the home can ask it."""
    return home.absolute() / "run" / "dagster.sock"


def supervisor_config(home: Path, python: str, services: Iterable[Service] = SERVICES) -> str:
    """The text of supervisord.conf; nothing in it starts by itself, `liaowang up` starts things in order."""
    text = "\n".join([_head(home), *(_program(service, home, python) for service in services)])
    return text


def _head(home: Path) -> str:
    return f"""[unix_http_server]
file = {_plain(socket_path(home))}
chmod = 0700

[supervisord]
identifier = liaowang
logfile = {_plain(home / "logs" / "supervisor.log")}
logfile_maxbytes = 10MB
logfile_backups = 3
pidfile = {_plain(home / "run" / "supervisor.pid")}
childlogdir = {_plain(home / "logs")}
umask = 077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:ends]
supervisor.rpcinterface_factory = deploy.local.ends:make_recorder
path = {_plain(ends_path(home))}
"""


def _program(service: Service, home: Path, python: str) -> str:
    command = shlex.join(worker_command(service.name, python))
    return f"""[program:{service.name}]
command = {_plain(command)}
autostart = false
autorestart = true
startsecs = 5
startretries = 10
stopsignal = TERM
stopwaitsecs = {service.stop_seconds}
stopasgroup = {"false" if service in SERVERS else "true"}
killasgroup = true
priority = {10 if service in SERVERS else 20}
redirect_stderr = true
stdout_logfile = {_plain(home / "logs" / f"{service.name}.log")}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


def _plain(value: object) -> str:
    """A value in which supervisord expands nothing."""
    return str(value).replace("%", "%%")
