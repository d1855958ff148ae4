"""The ClickHouse server inside the chdb-core wheel, reached through the extension module's own entry point.

`_chdb.query` runs clickhouse-local's LocalServer, in which `SYSTEM START LISTEN` opens the real native and
HTTP handlers. A last statement reads a FIFO and so keeps the server up; closing the FIFO ends it cleanly.
This is a private entry point of the wheel: whoever starts it must test what came up (`warehouse.self_test`).
"""

from __future__ import annotations

import ctypes
import errno
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from deploy.local.no_python import blind
from deploy.local.process import CannotStart
from deploy.local.warehouse_config import START_STATEMENTS

WHEEL = "chdb-core"
MODULE = "_chdb"
_RTLD_DEEPBIND = 8


def changed(what: str) -> CannotStart:
    """Make the error for a wheel that does otherwise than this project relies on."""
    return CannotStart(
        f"warehouse: {WHEEL} {importlib.metadata.version(WHEEL)} does not serve as expected: {what}; "
        f"install the locked requirements again (make setup)"
    )


def library() -> Path:
    """The file of the extension module, in the folder of the package chdb."""
    package = importlib.util.find_spec("chdb")
    if package is None or package.origin is None:
        raise changed("the package chdb is not there")
    path = Path(package.origin).parent / f"{MODULE}.abi3.so"
    if not path.exists():
        raise changed(f"{path.name} is not there")
    return path


def load_module() -> Any:
    """The extension module itself; `import chdb` would open an engine of its own at import."""
    path = library()
    if sys.platform == "linux":  # as chdb itself does: its allocator must win over libstdc++'s
        ctypes.CDLL(str(path), mode=sys.getdlopenflags() | _RTLD_DEEPBIND)
    loader = importlib.machinery.ExtensionFileLoader(MODULE, str(path))
    spec = importlib.util.spec_from_file_location(MODULE, path, loader=loader)
    if spec is None:
        raise changed(f"{path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    if not hasattr(module, "query"):
        raise changed(f"{MODULE}.query is not there")
    return module


class Engine:
    """One server in this process, in a thread of its own, with the working directory as its configuration.

    `blind`: whether it looks for no Python object of this process, for which it would die (`no_python.py`).
    """

    def __init__(self, folder: Path) -> None:
        self._data, self._fifo = folder / "data", folder / "stop"
        self._module = load_module()
        self.blind = blind(library())
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._hold: int | None = None
        self.ended = ""

    def start(self) -> None:
        """Begin to serve; it serves when `serving` says so."""
        self._fifo.unlink(missing_ok=True)
        os.mkfifo(self._fifo, 0o600)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._thread.is_alive()

    @property
    def serving(self) -> bool:
        """Whether the start is through: its last statement then reads the FIFO, held open from here."""
        if self._hold is None:
            self._hold = _open(self._fifo)
        return self.alive and self._hold is not None

    def stop(self, seconds: float) -> bool:
        """End the server cleanly; whether it ended in time."""
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            if self.serving and self._hold is not None:
                os.close(self._hold)
                self._hold = None
                self._thread.join(deadline - time.monotonic())
            self._thread.join(0.05)
        return not self.alive

    def _serve(self) -> None:
        statements = "; ".join(START_STATEMENTS).format(stop=self._fifo)
        try:
            result = self._module.query(statements, "TabSeparated", path=self._data.name)
            self.ended = " ".join(str(result.error_message()).split())
        except RuntimeError as error:
            self.ended = " ".join(str(error).split())


def _open(fifo: Path) -> int | None:
    """The FIFO opened for writing, or None when nothing reads it (yet, or any more)."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return None
        raise
