"""Takes from the engine its way to this process' Python objects: whoever asks for one is told there is none.

The wheel's table function `python('name')` looks for an object in a table that sessions of a network have not got:
the engine dies of it, asked by anybody who may ask it anything, and before any grant or setting is looked at. So
the lookup is replaced, in memory alone, by one that finds nothing (ADR 98). What stands there is compared first:
of a wheel that has it elsewhere nothing is touched.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

PLACE = 0xEB48740
"""Where the wheel has `getQueryableObj(result, table, name)`, from the beginning of its file in memory."""
STANDS = bytes.fromhex("41574156534989d74889f34989fee86d16feff4889df")
FINDS_NOTHING = bytes.fromhex("48c707000000004889f8c3")
"""*result = nullptr; return result: the caller then says that there is no such object."""


def blind(library: Path, place: int = PLACE, stands: bytes = STANDS) -> bool:
    """Replace the lookup in a library that is loaded; False where it does not stand there, or must not be."""
    base = _base(library)
    if base is None or place + len(stands) > library.stat().st_size:
        return False
    address = base + place
    if not _is_code(address, len(stands)) or ctypes.string_at(address, len(stands)) != stands:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    first = address - address % mmap.PAGESIZE
    size = ctypes.c_size_t(address + len(FINDS_NOTHING) - first)
    if libc.mprotect(ctypes.c_void_p(first), size, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        return False
    ctypes.memmove(address, FINDS_NOTHING, len(FINDS_NOTHING))
    if libc.mprotect(ctypes.c_void_p(first), size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "the engine's code cannot be protected again")
    return True


def _mappings() -> list[tuple[int, int, str, int, str]]:
    """Begin, end, rights, place in the file, file of all that is in memory; none on other systems than Linux."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        span, rights, offset, _, _, *name = line.split(maxsplit=5)
        begin, end = (int(each, 16) for each in span.split("-"))
        found.append((begin, end, rights, int(offset, 16), name[0] if name else ""))
    return found


def _base(library: Path) -> int | None:
    """Where the file begins in memory."""
    path = os.path.realpath(library)
    return next((begin for begin, _, _, offset, name in _mappings() if name == path and not offset), None)


def _is_code(address: int, length: int) -> bool:
    return any(
        begin <= address and address + length <= end and rights.startswith("r-x")
        for begin, end, rights, _, _ in _mappings()
    )
