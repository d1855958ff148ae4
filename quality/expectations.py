"""Great Expectations' own expectations, registered again as ones that count and do no work twice.

They ask, find and tell the same. What differs is what it costs: the library makes an expectation's configuration
anew each time one of its arguments is asked for, some ninety times a check, and looks for unexpected values by a
statement of its own even where none are to be shown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any

from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.expectations import registry
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation
else:
    Expectation = object

COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""The format of results: counts, and never a value."""


@cache
def expectation_class(kind: str) -> type[Expectation]:
    """The library's expectation of this name, which from now on is made of `Counting` wherever it is asked for."""
    own = registry.get_expectation_impl(kind)
    with _quiet():
        return type(
            own.__name__, (Counting, own), {"__module__": __name__, "_made": PrivateAttr(default=None)}
        )


class Counting(Expectation):
    """What an expectation does otherwise, whatever it is of; it comes before the library's class."""

    __slots__ = ()
    _made: tuple[dict[str, Any], ExpectationConfiguration] | None

    @property
    def configuration(self) -> ExpectationConfiguration:
        """The configuration, made once for the same arguments; each caller has a copy."""
        arguments = dict(self.__dict__)
        if self._made is None or self._made[0] != arguments:
            self._made = (arguments, super().configuration)
        found = copy(self._made[1])
        found.kwargs, found.meta = dict(found.kwargs), dict(found.meta)
        return found

    def get_validation_dependencies(self, *args: Any, **given: Any) -> Any:
        """The metrics to be had; unexpected values are none where none are to be shown."""
        found = super().get_validation_dependencies(*args, **given)
        if self._values in found.metric_configurations and not _shown(found.result_format):
            found.remove_metric_configuration(self._values)
        return found

    def _validate(self, metrics: dict[str, Any], *args: Any, **given: Any) -> Any:
        return super()._validate({self._values: [], **metrics}, *args, **given)  # type: ignore[safe-super]

    @property
    def _values(self) -> str:
        return f"{getattr(self, 'map_metric', '')}.unexpected_values"


def _shown(result_format: Mapping[str, Any]) -> bool:
    """Whether any unexpected values would be told."""
    return result_format["result_format"] == "COMPLETE" or bool(result_format["partial_unexpected_count"])


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings that a declaration is overwritten: it is meant to be."""
    level = registry.logger.level
    registry.logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        registry.logger.setLevel(level)
