"""Exponential, logarithm, power, sine, cosine and normal quantile of single numbers, to the same bits everywhere.

Each is within one unit of the last place of the true value. Approximations of e^x and ln x: fdlibm (Sun
Microsystems, 1993). A logarithm is kept as the sum of two doubles (Dekker, Numer Math 1971; 18: 224-242), so that
powers are as exact as it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Number = TypeVar("Number", float, "NDArray[np.float64]")
"""One number, or an array of them (`columns`): what follows is written once, for both."""
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""Their sum is ln 2; the first times any exponent of a double is exact."""
PER_LN2 = 1.44269504088896338700e00
SQRT_HALF = 0.7071067811865476
EXP = (
    1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
    -1.65339022054652515390e-06, 4.13813679705723846039e-08,
)  # fmt: skip
LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
SPLIT = 134_217_729.0
"""2^27 + 1: parts a double into two of half its length."""
OVERFLOW, UNDERFLOW = 709.782712893384, -745.2
"""Beyond these e^x is infinite, or 0."""
GREATEST = 1e25
"""Beyond this exponent every power is 0, 1 or infinite already: no float but 1 is nearer to 1 than 2^-53."""


def exp(x: float) -> float:
    """e^x; infinite or 0 where a double cannot hold it."""
    return _exp(x, 0.0)


def log(x: float) -> float:
    """Natural logarithm; minus infinity of 0, not a number below."""
    if not 0 < x < math.inf:
        return -math.inf if x == 0 else math.inf if x == math.inf else math.nan
    return log_parts(x)[0]


def power(x: float, y: float) -> float:
    """x^y as IEEE 754 has it, without errors: 0 to a negative power is infinite, a negative root not a number."""
    if y == 0 or x == 1:
        return 1.0
    if y == 1:
        return x
    if math.isnan(x) or math.isnan(y):
        return math.nan
    y = min(max(y, -GREATEST), GREATEST)
    if not 0 < abs(x) < math.inf:
        made = math.inf if (x == 0) == (y < 0) else 0.0
        return math.copysign(made, x) if y % 2 == 1 else made
    if y == 0.5:
        return math.sqrt(x) if x > 0 else math.nan
    whole, odd = y == math.floor(y), y % 2 == 1
    if x < 0 and not whole:
        return math.nan
    high, low = log_parts(abs(x))
    over, under = product(y, high)
    made = _exp(over, under + y * low)
    return -made if x < 0 and odd else made


def log_parts(x: float) -> tuple[float, float]:
    """The natural logarithm of a finite x above 0 as (value, what its last bit leaves over)."""
    fraction, exponent = math.frexp(x)
    if fraction < SQRT_HALF:
        fraction, exponent = fraction * 2, exponent - 1
    return logarithm(fraction, float(exponent))


def logarithm(fraction: Number, exponent: Number) -> tuple[Number, Number]:
    """The natural logarithm of fraction x 2^exponent, in two parts; the fraction is SQRT_HALF to twice as much."""
    f = fraction - 1
    t = f + 2
    s = f / t
    over, under = product(s, t)
    rest = ((f - over) - under - s * (f - (t - 2))) / t
    z = s * s
    a, b, c, d, e, g, h = LOG
    series = z * (a + z * (b + z * (c + z * (d + z * (e + z * (g + z * h))))))
    big, first = exponent * LN2_HIGH, 2 * s
    total = big + first
    back = total - big
    low = ((big - (total - back)) + (first - back)) + ((2 * rest + s * series) + exponent * LN2_LOW)
    value = total + low
    return value, low - (value - total)


def product(x: Number, y: Number) -> tuple[Number, Number]:
    """X times y as (rounded, what was rounded off), exactly."""
    over = x * y
    split = SPLIT * x
    x_high = split - (split - x)
    x_low = x - x_high
    split = SPLIT * y
    y_high = split - (split - y)
    y_low = y - y_high
    return over, ((x_high * y_high - over) + x_high * y_low + x_low * y_high) + x_low * y_low


def _exp(x: float, rest: float) -> float:
    """e^(x + rest), the rest being small beside the last bit of x."""
    if not UNDERFLOW < x < OVERFLOW:
        return math.inf if x >= OVERFLOW else 0.0 if x <= UNDERFLOW else math.nan
    count = round(x * PER_LN2)
    return _scaled(near_one(x, float(count), rest), count)


def near_one(x: Number, count: Number, rest: Number) -> Number:
    """e^(x + rest) / 2^count, for the count that is nearest to x / ln 2."""
    high, low = x - count * LN2_HIGH, count * LN2_LOW - rest
    r = high - low
    t = r * r
    a, b, c, d, e = EXP
    tail = r - t * (a + t * (b + t * (c + t * (d + t * e))))
    return 1 - ((low - (r * tail) / (2 - tail)) - high)


def _scaled(x: float, exponent: int) -> float:
    try:
        return math.ldexp(x, exponent)
    except OverflowError:
        return math.inf


def wave(number: int, length: int) -> tuple[float, float]:
    """Cosine and sine of the number-th of `length` equal parts of a full turn."""
    quarter = (8 * number + length) // (2 * length)
    angle = (4 * number - quarter * length) / length * (math.pi / 2)
    cosine, sine = _series(angle, 1.0, 1), _series(angle, angle, 2)
    return ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))[quarter % 4]


def _series(angle: float, first: float, step: int) -> float:
    """Taylor's series of the cosine (from 1) or the sine (from the angle), for an eighth of a turn at most."""
    square, terms = angle * angle, [first]
    while len(terms) < 11:
        terms.append(-terms[-1] * square / (step * (step + 1)))
        step += 2
    return math.fsum(terms)


def normal_quantile(share: float) -> float:
    """The standard normal quantile of a share between 0 and 1 (Wichura, Appl Stat 1988; 37: 477-484, AS 241)."""
    q = share - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, _MIDDLE)
    r = math.sqrt(-log(min(share, 1 - share)))
    found = _ratio(r - 1.6, _TAIL) if r <= 5 else _ratio(r - 5, _FAR)
    return -found if q < 0 else found


def _ratio(r: float, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> float:
    """A quotient of two polynomials, whose highest coefficients come first."""
    over = under = 0.0
    for above, below in zip(*coefficients, strict=True):
        over, under = over * r + above, under * r + below
    return over / under


_MIDDLE = (
    (
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
        1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
        5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
    ),
)  # fmt: skip
_TAIL = (
    (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
        3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
    ),
)  # fmt: skip
_FAR = (
    (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
        2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
        5.99832206555887937690e-1, 1.0,
    ),
)  # fmt: skip
