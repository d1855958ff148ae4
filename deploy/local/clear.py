"""What an earlier run of a home has left behind: it is waited for, and ended where it does not end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.local.proc import Found, orphans, supervisors
from deploy.local.process import CannotStart
from deploy.local.supervisor_conf import socket_path
from streams.retrying import until

END_TIMEOUT = 15.0
"""Seconds to wait before what is left is told to end, then four times as long: a broker closes its log."""
Say = Callable[[str], None]


def clear_away(home: Path, say: Say, timeout: float = END_TIMEOUT) -> None:
    """See to it that nothing of an earlier run of this home is left: wait for it to end, then end it.

    What a supervisor has started ends by itself when the supervisor died, and keeps ports and folders until then.
    CannotStart where a supervisor of this home runs and does not answer: it may yet start things.
    """
    silent = supervisors(home / "supervisord.conf")
    if silent:
        raise CannotStart(
            f"the {silent[0]} of this home runs and does not answer; look at {home / 'logs' / 'supervisor.log'}, "
            f"or end it: kill -9 {silent[0].pid}"
        )
    address = f"unix://{socket_path(home)}"
    left = orphans(address)
    if left:
        say(f"waiting for what an earlier run has left to end: {_names(left)}")
    left = _wait(address, left, timeout)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if left:
            say(f"still there, ended by {sign.name}: {_names(left)}")
            for each in left:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, sign)
            left = _wait(address, left, 4 * timeout)
    if left:
        raise CannotStart(f"an earlier run has left {_names(left)}; end it, then `liaowang up`")


def _wait(address: str, left: list[Found], timeout: float) -> list[Found]:
    """What is left of it after so many seconds at most."""
    until(lambda: not left or not orphans(address), timeout)
    return orphans(address) if left else left


def _names(found: list[Found]) -> str:
    return ", ".join(map(str, found))
