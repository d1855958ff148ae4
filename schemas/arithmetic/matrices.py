"""Least squares, linear equations and eigenvectors in a fixed order of operations, without BLAS and LAPACK.

For the small systems of a regression or an index: some thousand rows, some dozen columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from schemas.arithmetic.columns import Floats, total

SWEEPS = 60
"""Jacobi's method converges within ten; this ends it where figures are not finite."""
SINGULAR = 1e-12
"""A pivot no greater than this share of its diagonal is rounding: the rows before explain it."""
SETTLED = 2.0**-51
"""The power method ends when no share moves by more."""


class Singular(ArithmeticError, ValueError):
    """Linear equations without one answer."""


@dataclass(frozen=True, eq=False)
class Factored:
    """A matrix as Q R by Householder's reflections: `half` is R, `rest` is Q' times what stood beside the matrix.

    Source: Golub and Van Loan, Matrix Computations, 5.2; scaled as LINPACK's dqrdc2 does, which R uses.
    """

    half: Floats
    rest: Floats
    reflections: tuple[Floats, ...]

    def leverages(self) -> Floats:
        """The squared lengths of the rows of Q: what each row contributes to its own estimate."""
        size = len(self.half)
        q = np.eye(size, len(self.reflections[0]))
        for at in range(size - 1, -1, -1):
            _reflect(q[:, at:], self.reflections[at])
        return total(q * q)


def factored(matrix: Floats, beside: Floats) -> Factored:
    """The matrix (at least as many rows as columns) as Q R, with Q' times the column beside it."""
    size = matrix.shape[1]
    left = np.vstack([matrix.T, beside])  # columns lie as rows, whose neighbours are quickly read
    reflections = []
    for at in range(size):
        column = left[at, at:].copy()
        length = math.sqrt(total(column * column))
        if length:
            length = math.copysign(length, column[0])
            column /= length
            column[0] += 1
        _reflect(left[at + 1 :, at:], column)
        left[at, at] = -length
        reflections.append(column)
    return Factored(np.triu(left[:size, :size].T), left[size, :size].copy(), tuple(reflections))


def _reflect(columns: Floats, reflection: Floats) -> None:
    """Reflect columns, which lie as rows, in place; a reflection of zeros leaves them as they are."""
    if reflection[0]:
        shares = total(columns * reflection, axis=1) / reflection[0]
        columns -= shares[:, None] * reflection


def back_substituted(upper: Floats, right: Floats) -> Floats:
    """X of `upper` x = `right`, an upper triangle without zeros on its diagonal; `right` may have many columns."""
    x = right.copy()
    for at in range(len(upper) - 1, -1, -1):
        x[at] = x[at] / upper[at, at]
        x[:at] -= upper[:at, at].reshape(-1, *[1] * (x.ndim - 1)) * x[at]
    return x


def inverse_of_triangle(upper: Floats) -> Floats:
    """The inverse of an upper triangle."""
    return back_substituted(upper, np.eye(len(upper)))


def multiplied(left: Floats, right: Floats) -> Floats:
    """The product of a matrix with another or with a column; each sum is one after the other."""
    if right.ndim == 1:
        return total(left * right, axis=1)
    return total(left.T[:, :, None] * right[:, None, :])


def solved(matrix: Floats, right: Floats) -> Floats:
    """X of `matrix` x = `right` for a symmetric matrix that is positive definite, by Cholesky's way.

    ValueError where it is not.
    """
    size = len(matrix)
    lower = np.zeros_like(matrix)
    for at in range(size):
        column = matrix[at:, at] - total(lower[at:, :at] * lower[at, :at], axis=1)
        if not column[0] > SINGULAR * matrix[at, at]:
            raise Singular("the matrix is not positive definite")
        lower[at:, at] = column / math.sqrt(column[0])
    upper = lower[::-1, ::-1]  # turned about, a lower triangle is an upper one
    half = back_substituted(upper, right[::-1])[::-1]
    return back_substituted(lower.T, half)


def principal_of_symmetric(matrix: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues of a symmetric matrix, rising, and the eigenvector of the greatest, by Jacobi's rotations.

    Of several greatest ones the eigenvector is that of the last column.
    """
    a, vectors, size = matrix.copy(), np.eye(len(matrix)), len(matrix)
    for _ in range(SWEEPS):
        off = total(total(np.triu(a, 1) * np.triu(a, 1)))
        if not off > 0:
            break
        for row in range(size - 1):
            for column in range(row + 1, size):
                if a[row, column] != 0:
                    _rotate(a, vectors, row, column)
    values = np.diag(a)
    order = np.argsort(values, kind="stable")
    return values[order], vectors[:, order[-1]].copy()


def _rotate(a: Floats, vectors: Floats, p: int, q: int) -> None:
    """One rotation, after which a[p, q] is 0."""
    theta = float(a[q, q] - a[p, p]) / float(2 * a[p, q])
    if abs(theta) > 1e150:
        a[p, q] = a[q, p] = 0.0
        return
    t = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1))
    c = 1 / math.sqrt(t * t + 1)
    s = t * c
    for each in (a, a.T, vectors):
        first, second = each[:, p].copy(), each[:, q].copy()
        each[:, p], each[:, q] = c * first - s * second, s * first + c * second
    a[p, q] = a[q, p] = 0.0


def principal_of_positive(matrix: Floats, steps: int = 10_000) -> tuple[float, Floats]:
    """The greatest eigenvalue of a matrix of numbers above 0, and its eigenvector, summing to 1 (power method)."""
    vector = np.full(len(matrix), 1 / len(matrix))
    value = 0.0
    for _ in range(steps):
        grown = multiplied(matrix, vector)
        value = float(total(grown))
        after = grown / value
        converged = float(np.max(np.abs(after - vector))) <= SETTLED
        vector = after
        if converged:
            break
    return value, vector
