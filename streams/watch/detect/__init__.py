"""Statistical surge detection: pure methods, exact to their published definitions.

`make` gives a method with its parameters; `detect` judges a series; `step` judges point by point with the same
result. docs/detect.md has formulas, sources and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.errors import Misdeclared
from streams.watch.detect.cusum import Cusum
from streams.watch.detect.detector import Detector, Judged, Point, State, Verdict, When, detect, stepper
from streams.watch.detect.ears import EARS
from streams.watch.detect.ewma import Ewma
from streams.watch.detect.farrington import Farrington, FarringtonFlexible
from streams.watch.detect.parameters import Option, for_rules, options, plain, read

METHODS: dict[str, type[Any]] = {
    **EARS,
    "ewma": Ewma,
    "cusum": Cusum,
    "farrington": Farrington,
    "farrington-flexible": FarringtonFlexible,
}
"""Every method by the name it has in commands and rules."""


def make(method: str, given: Mapping[str, Any], where: str) -> Detector:
    """A method with the parameters given; Misdeclared (at `where`) where its name or a parameter is wrong."""
    found: Detector = read(METHODS[known_as(method, where)], given, where)
    return found


def known_as(name: str, where: str) -> str:
    """The name of a method however it is written: `farringtonFlexible` is `farrington-flexible`."""
    for known in METHODS:
        if plain(known) == plain(name):
            return known
    raise Misdeclared(where, "method", f"{name!r} is none; there are " + ", ".join(METHODS))


__all__ = [
    "METHODS",
    "Detector",
    "Judged",
    "Option",
    "Point",
    "State",
    "Verdict",
    "When",
    "detect",
    "for_rules",
    "known_as",
    "make",
    "options",
    "stepper",
]  # fmt: skip
