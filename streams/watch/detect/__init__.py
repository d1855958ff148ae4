"""Statistical surge detection: pure methods, exact to their published definitions.

`make` gives a method with its parameters; `detect` judges a series; `step` judges point by point with the same
result. docs/detect.md has formulas, sources and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.errors import Misdeclared
from streams.watch.detect.cusum import Cusum
from streams.watch.detect.detector import Detector, Judged, Point, State, Verdict, When, detect
from streams.watch.detect.ears import EARS
from streams.watch.detect.ewma import Ewma
from streams.watch.detect.farrington import Farrington, FarringtonFlexible
from streams.watch.detect.parameters import Option, options, read

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
    if method not in METHODS:
        raise Misdeclared(where, "method", f"{method!r} is none; there are " + ", ".join(METHODS))
    found: Detector = read(METHODS[method], given, where)
    return found


__all__ = [
    "METHODS",
    "Detector", "Judged", "Option", "Point", "State", "Verdict", "When", "detect", "make", "options",
]  # fmt: skip
