"""SQL of sums that are the same in whatever order threads and parts bring the values.

A server adds floats in any order, and their last bits with it. As whole numbers of 10^-12 in 256 bits they have
one sum, as long as that fits: values below MOST do for 10^14 rows, and so do squares of those below MOST_SQUARED.
"""

from __future__ import annotations

PARTS = 10**12
"""Values are added as whole parts, so many to one."""
MOST, MOST_SQUARED = "1e50", "1e19"


def whole(column: str) -> str:
    """A column as whole parts; widened first, so that no integer overflows."""
    return f"toInt256(round(toFloat64({column}) * 1e12))"


def fits(column: str, most: str = MOST) -> str:
    """Whether a value is finite and so small that it can be added as whole parts."""
    return f"(isFinite(toFloat64({column})) AND abs(toFloat64({column})) < {most})"


def exact_sum(column: str) -> str:
    """The sum of a column as a float; where a value does not fit, floats are added as they come."""
    value, usual = f"toFloat64({column})", fits(column)
    parts = whole(f"if({usual}, {value}, 0)")
    return f"if(countIf(NOT {usual}) = 0, toFloat64(sum({parts})) / 1e12, sum({value}))"
