"""Which builds no lasting release shows."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from dagster_project.release.expiry import unshown

DAY = date(2024, 3, 1)


@given(
    st.lists(st.sampled_from(["", "x", "y", "z", "u"]), min_size=1, max_size=8),
    st.sets(st.integers(1, 10)),
)
def test_a_build_stays_while_any_lasting_release_shows_it(builds: list[str], lasting: set[int]) -> None:
    """Release n may change the day's build; what each lasting release shows is looked up plainly."""
    pointers = [("t", DAY, n, build) for n, build in enumerate(builds, start=1)]
    shown = {builds[min(seq, len(builds)) - 1] for seq in lasting}
    assert {build for _, _, build in unshown(pointers, sorted(lasting))} == {*builds} - shown - {""}
