"""The union of intervals."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from schemas.chain import chain


class Piece(NamedTuple):
    first: int
    last: int


def test_the_chain_ends_at_the_first_hole() -> None:
    assert chain([]) == []
    assert chain([Piece(5, 7), Piece(0, 2), Piece(3, 3)]) == [Piece(0, 2), Piece(3, 3)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.lists(st.integers(1, 4), max_size=6))
def test_of_workers_that_overlap_each_offset_is_taken_once(one: list[int], other: list[int]) -> None:
    """Two workers each write a chain from the same start; the longer one is what there is."""

    def pieces(lengths: list[int]) -> list[Piece]:
        ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
        return [Piece(end - length, end - 1) for end, length in zip(ends, lengths, strict=True)]

    found = chain([*pieces(one), *pieces(other)])
    assert found[0].first == 0
    assert [piece.first for piece in found[1:]] == [piece.last + 1 for piece in found[:-1]]
    assert found[-1].last == max(sum(one), sum(other)) - 1
