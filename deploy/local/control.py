"""Talk to the supervisord of a home over its unix socket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from supervisor.states import ProcessStates, getProcessStateDescription
from supervisor.xmlrpc import Faults, SupervisorTransport

from deploy.local.process import CannotStart
from deploy.local.supervisor_conf import socket_path

STOPPED = {ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.FATAL}
_HARMLESS = {Faults.ALREADY_STARTED, Faults.NOT_RUNNING, Faults.SHUTDOWN_STATE}


@dataclass(frozen=True)
class Process:
    """One program as supervisord sees it; times in seconds since the epoch, 0 for never."""

    name: str
    code: int
    pid: int
    started: float
    stopped: float
    now: float
    said: str

    @property
    def state(self) -> str:
        """Its state in supervisord's words, in lower case."""
        return str(getProcessStateDescription(self.code)).lower()

    @property
    def up(self) -> bool:
        """Whether a process of it exists."""
        return self.code in (ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.STOPPING)

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more by itself."""
        return self.code in STOPPED

    @property
    def failed(self) -> bool:
        """Whether supervisord has given it up."""
        return bool(self.code == ProcessStates.FATAL)

    @property
    def since(self) -> float:
        """Since when it is in its state, as far as is known."""
        return self.started if self.up else self.stopped

    @property
    def uptime(self) -> float:
        """Seconds since its process started."""
        return max(0.0, self.now - self.started) if self.up else 0.0


class Silent(CannotStart):
    """No supervisor answers: it has ended, or is about to."""


class Control:
    """The supervisord of one home; each call is one connection."""

    def __init__(self, home: Path) -> None:
        self._socket = socket_path(home)

    def processes(self) -> dict[str, Process] | None:
        """All programs by name, or None when no supervisord answers."""
        if not self._socket.exists():
            return None
        try:
            infos = self._call("getAllProcessInfo")
        except Silent:
            return None
        return {info["name"]: _process(info) for info in infos}

    def pid(self) -> int:
        """The process id of supervisord."""
        return int(self._call("getPID"))

    def start(self, names: Iterable[str]) -> None:
        """Start these programs, without waiting; those that run stay as they are."""
        self._each("startProcess", names)

    def stop(self, names: Iterable[str]) -> None:
        """Stop these programs, without waiting."""
        self._each("stopProcess", names)

    def shutdown(self) -> None:
        """Have supervisord stop what still runs and end."""
        self._call("shutdown")

    def _each(self, method: str, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._call(method, name, False)
            except Fault as fault:
                if fault.faultCode not in _HARMLESS:
                    raise CannotStart(
                        f"{name}: the supervisor refuses ({fault.faultString}); `liaowang down`, then `up` again"
                    ) from fault

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException, ProtocolError, ExpatError) as error:
            said = str(error) or type(error).__name__
            raise Silent(f"the supervisor does not answer ({said}); run `liaowang up` again") from error


def _process(info: dict[str, Any]) -> Process:
    return Process(
        name=info["name"],
        code=info["state"],
        pid=info["pid"],
        started=float(info["start"]),
        stopped=float(info["stop"]),
        now=float(info["now"]),
        said=info["spawnerr"],
    )
