"""The loops of one program: they run together, and where one ends with an error, all end with its reason."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from schemas.errors import LiaowangError
from streams.duty.faults import Fault, ProgramFault, fault_of, told

log = logging.getLogger("liaowang")


async def together(**loops: Coroutine[Any, Any, None]) -> None:
    """Run loops by name until all have ended; the first error cancels the others and is raised as one of ours."""
    try:
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                group.create_task(_named(name, loop))
    except* Exception as errors:
        raise _first(errors) from errors


async def _named(name: str, loop: Coroutine[Any, Any, None]) -> None:
    try:
        await loop
    except LiaowangError:
        raise
    except Exception as error:
        if fault_of(error) is not Fault.peer:
            log.critical("%s ends by a fault of the program", name, exc_info=error)
        raise ProgramFault(f"{name} ended: {told(error)}") from error


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else ProgramFault(told(error))
