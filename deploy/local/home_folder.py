"""The home of a stack is for its owner alone: what stands in it was sent in confidence."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from deploy.local.process import CannotStart
from schemas.settings import PREFIX

OWN = 0o700
UMASK = 0o077
"""What nobody else may do with whatever a program of the stack makes."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def close_home(home: Path, say: Callable[[str], None]) -> None:
    """Make the home, or close it and what stands directly in it to other accounts; says so where it was open.

    CannotStart where it cannot be written, or is a folder that many share, such as /tmp.
    """
    try:
        home.mkdir(mode=OWN, parents=True, exist_ok=True)
        was = home.stat()
        if was.st_mode & (stat.S_ISVTX | stat.S_IWOTH):
            raise CannotStart(
                f"the home {home} is a folder that others write to; set {PREFIX}HOME to one of its own"
            )
        inside = [path for path in home.iterdir() if not path.is_symlink()]
        for path in (home, *inside):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & OTHERS:
                path.chmod(mode & ~OTHERS)
    except OSError as error:
        raise CannotStart(
            f"the home {home} cannot be written ({error.strerror}); set {PREFIX}HOME"
        ) from error
    if was.st_mode & OTHERS:
        say(
            f"home {home}: closed to the other accounts of this machine (it was {stat.S_IMODE(was.st_mode):04o})"
        )


def close_what_is_made() -> None:
    """From now on whatever this process makes is for its owner alone."""
    os.umask(UMASK)
