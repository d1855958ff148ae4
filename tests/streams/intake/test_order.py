"""The replay's clock: order, ticks that never lie, and the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import decode_tick
from streams.intake.mapping import Outgoing
from streams.intake.order import TICKS_PER_STEP, Clockwork, Tick, by_time, default_after, with_ticks
from tests.streams.intake.feeds import NOON

HOUR = timedelta(hours=1)
CLOCKWORK = Clockwork(now=NOON + timedelta(days=365), after=timedelta(days=2))


def at(hours: float, name: str = "") -> Outgoing:
    return Outgoing(NOON + hours * HOUR, None, name.encode())


def ticks(items: Sequence[Outgoing | Tick]) -> list[tuple[float, bool]]:
    return [((item.clock - NOON) / HOUR, item.final) for item in items if isinstance(item, Tick)]


def test_events_are_sorted_by_time_and_bytes_without_one_keep_their_place() -> None:
    dark = Outgoing(None, None, b"dark")
    first = Outgoing(None, None, b"first")
    events = [first, at(3, "c"), dark, at(1, "a"), at(1, "b")]
    assert [event.raw for event in by_time(events)] == [b"first", b"a", b"b", b"c", b"dark"]


def test_a_tick_follows_when_the_clock_has_moved_a_step_and_one_ends_the_replay() -> None:
    found = list(with_ticks([at(0), at(0.5), at(1.25), at(1.5), at(2.5)], CLOCKWORK))
    assert ticks(found) == [(1.25, False), (2.5 + 48, True)]
    assert isinstance(found[3], Tick), "before the event that moves the clock on"


def test_silence_is_told_up_to_one_step_before_the_next_event() -> None:
    assert ticks(list(with_ticks([at(0), at(240)], CLOCKWORK))) == [(239, False), (240 + 48, True)]


def test_in_file_order_ticks_stay_behind_by_the_lateness() -> None:
    clockwork = Clockwork(now=CLOCKWORK.now, behind=2 * HOUR)
    assert ticks(list(with_ticks([at(0), at(5), at(3), at(10)], clockwork)))[:-1] == [(2, False), (7, False)]


def test_an_event_from_the_future_does_not_move_the_clock() -> None:
    found = list(with_ticks([at(0), at(24 * 400), at(1)], CLOCKWORK))
    assert ticks(found) == [(49, True)]


def test_the_horizon_can_be_set_but_not_before_the_last_event() -> None:
    for hours, expected in ((100, 100), (-5, 3)):
        clockwork = Clockwork(now=CLOCKWORK.now, horizon=NOON + hours * HOUR)
        assert ticks(list(with_ticks([at(3)], clockwork))) == [(expected, True)]


def test_nothing_with_a_time_means_no_ticks() -> None:
    assert list(with_ticks([Outgoing(None, None, b"x")], CLOCKWORK)) == [Outgoing(None, None, b"x")]
    assert list(with_ticks([], CLOCKWORK)) == []


def test_the_number_of_ticks_is_bounded() -> None:
    found = ticks(list(with_ticks((at(hour) for hour in range(24 * 364)), CLOCKWORK)))
    assert TICKS_PER_STEP < len(found) < 3 * TICKS_PER_STEP


def test_a_replay_ends_past_the_contracts_lateness() -> None:
    assert default_after(2 * HOUR) == 2 * HOUR
    assert default_after(timedelta(days=7)) == timedelta(days=7)


def test_a_tick_names_its_timeline_partition_and_clock() -> None:
    tick = decode_tick(Tick(NOON, final=True).encode("past", 3))
    assert tick is not None
    assert (tick.id, tick.timeline) == ("past/3/2026-03-01T04:00:00.000000Z/final", "past")
    assert (tick.data.clock, tick.data.final) == (NOON, True)


@given(st.lists(st.one_of(st.none(), st.integers(0, 24 * 60)), max_size=50))
def test_a_tick_never_overtakes_an_event(quarters: list[int | None]) -> None:
    events = [at(q / 4) if q is not None else Outgoing(None, None, b"") for q in quarters]
    found = list(with_ticks(by_time(events), CLOCKWORK))
    clock = None
    for item in found:
        if isinstance(item, Tick):
            assert clock is None or item.clock > clock
            clock = item.clock
        elif item.at is not None and clock is not None:
            assert item.at > clock, "what is known up to a tick's clock has been sent before it"
    assert [item for item in found if isinstance(item, Outgoing)] == by_time(events)
