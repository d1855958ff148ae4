"""Which files this process may open from now on: Linux Landlock, without privileges, for good.

The rules hold for the calling thread and whatever it starts later, so they are set before the first thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = (1 << bit for bit in range(4, 9))
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = (
    1 << bit for bit in range(9, 16)
)
_KNOWN_BITS = {2: 14, 3: 15, 4: 15}
"""How many access rights an ABI knows; later ones know all of these 16."""
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_RECORD = _WRITE_FILE | _TRUNCATE | _READ_DIR | _MAKE_REG | _REMOVE_FILE
_WRITE = _RECORD | _READ_FILE | _REMOVE_DIR | _MAKE_DIR | _MAKE_FIFO | _MAKE_SYM | _REFER


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def available() -> bool:
    """Whether this kernel can confine: Landlock of ABI 2 on, as before it forbade every move between folders."""
    return _abi() >= min(_KNOWN_BITS)


def confine(read: Sequence[Path], write: Sequence[Path], record: Sequence[Path] = ()) -> bool:
    """Open from now on only what lies beneath these paths; False, and nothing done, where the kernel cannot.

    What is beneath `record` can be written and not read. A path that is not there is left out. RuntimeError when
    other threads run already, as the rules would not hold for them.
    """
    if not available():
        return False
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("confine: other threads run already")
    known = (1 << _KNOWN_BITS.get(_abi(), 16)) - 1
    handled = _Ruleset(known)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(ctypes.sizeof(handled)), 0)
    try:
        for paths, access in ((read, _READ), (write, _WRITE), (record, _RECORD)):
            _allow(ruleset, paths, access & known)
        if _libc().prctl(_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _allow(ruleset: int, paths: Iterable[Path], access: int) -> None:
    for path in paths:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue
        folder = path.is_dir()
        rule = _Beneath(access if folder else access & _FILE_ONLY, handle)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        if folder:  # a file stays open: one in /proc that nobody holds is made anew, and the rule is lost
            os.close(handle)


def _abi() -> int:
    """The version of Landlock this kernel has switched on; 0 without it."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def _call(number: int, *arguments: object) -> int:
    """Make a system call; OSError when it fails."""
    result = int(_libc().syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return result


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc
