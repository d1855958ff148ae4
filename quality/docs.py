"""Data Docs: what the gate checked, as pages under `<home>/docs`.

The gate only keeps its results, which takes no time; pages are written later, by whoever comes first. Results
hold counts, never values.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    FilesystemStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from quality.days import write_days

KEPT, RUNS = 200, 3
"""Results whose pages are kept at least, and the newest runs of which all are: one has a result a table."""
INDEX = "index.html"


def keep_result(
    home: Path, build_id: str, label: str, result: ExpectationSuiteValidationResult, now: datetime
) -> str:
    """Keep a result until pages are written; where its page will be. `label` names the table and days."""
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(result.suite_name),
        run_id=RunIdentifier(build_id, now),
        batch_identifier=label,
    )
    with _context(home) as context:
        context.validation_results_store.set(key, result)
    return _page(home, key).relative_to(home / "docs").as_posix()


def write_docs(home: Path) -> int:
    """Write the pages of results and days kept since the last time, and the index; how many. Old results go."""
    with _context(home) as context:
        store = context.validation_results_store
        keys = [key for key in store.list_keys() if isinstance(key, ValidationResultIdentifier)]
        keys.sort(key=lambda key: key.run_id.run_time, reverse=True)
        gone = stale(keys)
        for key in gone:
            store.remove_key(key)  # type: ignore[no-untyped-call]
            _page(home, key).unlink(missing_ok=True)
        new = [key for key in keys if key not in gone and not _page(home, key).exists()]
        if new or not (home / "docs" / INDEX).exists():
            # typed as a list, each kept result is looked for in it
            context.build_data_docs(resource_identifiers=set(new) or None)  # type: ignore[arg-type]
        write_days(home)
    return len(new)


def stale(keys: Sequence[ValidationResultIdentifier]) -> set[ValidationResultIdentifier]:
    """Of results, the newest first, those that go: beyond KEPT, but none of the newest RUNS runs."""
    recent = set(list(dict.fromkeys(key.run_id.run_name for key in keys))[:RUNS])
    return {key for key in keys[KEPT:] if key.run_id.run_name not in recent}


def _page(home: Path, key: ValidationResultIdentifier) -> Path:
    *folders, name = key.to_tuple()  # type: ignore[no-untyped-call]
    return home.joinpath("docs", "validations", *folders, f"{name}.html")


@contextmanager
def _context(home: Path) -> Iterator[AbstractDataContext]:
    """A context over the files of this home, for one process at a time."""
    folder = home.absolute() / "gx"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _files(home.absolute())


@lru_cache(maxsize=1)
def _files(home: Path) -> AbstractDataContext:
    """The context itself, made once a process: what it tells is read from the files each time."""
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(home / "docs"),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    config = DataContextConfig(
        store_backend_defaults=FilesystemStoreBackendDefaults(root_directory=str(home / "gx")),
        data_docs_sites={"liaowang": site},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)
