"""What goes out: order, groups, quotas, silences and inhibition, as properties of the pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.levels import LEVELS
from streams.duty.notify.channels.config import GATHER, Channel, Channels, Inhibition
from streams.duty.notify.channels.message import Recipient
from streams.duty.notify.channels.quota import opens, reserved, room
from streams.duty.notify.dispatch import (
    Batch,
    DispatchContext,
    Open,
    PendingNotification,
    Silence,
    dead_at,
    gone,
    message_key,
    message_of,
    plan,
)
from streams.duty.reasons import Reason, Why

NOW = 1_000_000.0
ROBOT = Channel("robot", "dingtalk-robot", {}, quota=20, per=60.0)


def notification(
    number: int, level: str = "yellow", rule: str = "flood.typhoon", age: float = 100.0, **more: Any
) -> PendingNotification:
    region = f"33{number % 11 + 1:02}{number % 8 + 1:02}"
    case = {
        "rule": rule,
        "region": region,
        "subject": f"s{number}",
        "title": "台风预警",
        "episode": f"e{number}",
    }
    given: dict[str, Any] = {
        "id": number,
        "key": f"case-{number}/1/0/robot",
        "channel": "robot",
        "kind": "assigned",
        "level": level,
        "rank": LEVELS.index(level),
        "created": NOW - age,
        "next_attempt": 0.0,
        "attempts": 0,
        "message": "",
        "case_id": number,
        "case": case,
        "to": Recipient("officer-1"),
    }
    return PendingNotification(**{**given, **more})


def world(**more: Any) -> DispatchContext:
    given: dict[str, Any] = {
        "channels": Channels({"robot": ROBOT}, (), GATHER),
        "slots": {"robot": 100},
    }
    return DispatchContext(**{**given, **more})


def test_one_message_for_forty_counties_of_one_typhoon() -> None:
    found = plan([notification(number, "orange") for number in range(40)], world(), NOW)
    assert len(found.batches) == 1
    message = message_of(found.batches[0])
    assert "40 起" in message.title
    assert len(message.lines) == 40


def test_different_rules_readers_and_kinds_are_different_messages() -> None:
    notifications = [
        notification(1),
        notification(2, rule="ecology.pm25-high"),
        notification(3, to=Recipient("officer-2")),
        notification(4, kind="overdue"),
    ]
    assert len(plan(notifications, world(), NOW).batches) == 4


def test_a_group_gathers_first_and_red_does_not_wait() -> None:
    young = [notification(1, "blue", age=1.0), notification(2, "red", age=0.0, rule="ecology.pm25-high")]
    assert [batch.notifications[0].id for batch in plan(young, world(), NOW).batches] == [2]
    assert len(plan(young, world(), NOW + GATHER["blue"]).batches) == 2


levels = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=60)


@given(levels, st.integers(0, 25))
@settings(max_examples=200, deadline=None)
def test_red_first_and_within_the_quota(found: list[str], sent: int) -> None:
    notifications = [notification(number, level, rule=f"r.{number}") for number, level in enumerate(found)]
    times = [NOW - 1.0] * sent
    batches = plan(notifications, world(sent={"robot": times}), NOW).batches
    assert [batch.rank for batch in batches] == sorted(batch.rank for batch in batches)
    assert len(batches) <= max(0, 20 - sent)
    reds = sum(level == "red" for level in found)
    assert sum(batch.rank == 0 for batch in batches) == min(reds, max(0, 20 - sent))
    others = sum(batch.rank > 0 for batch in batches)
    assert others == 0 or sent + len(batches) <= 20 - reserved(20)


@given(levels)
@settings(max_examples=100, deadline=None)
def test_every_notice_goes_in_exactly_one_batch_or_is_dropped_with_a_reason(found: list[str]) -> None:
    notifications = [
        notification(number, level, rule=f"r.{number % 3}") for number, level in enumerate(found)
    ]
    free = world(channels=Channels({"robot": replace(ROBOT, quota=0)}, (), GATHER))
    silences = [Silence(7, 0.0, NOW + 1, "drill", rules=("r.1",))]
    made = plan(notifications, replace(free, silences=silences), NOW)
    carried = [each.id for batch in made.batches for each in batch.notifications]
    dropped = [each.id for each, why in made.dropped if str(why) == "silence 7: drill"]
    assert sorted(carried + dropped) == list(range(len(found)))
    assert dropped == [each.id for each in notifications if each.case["rule"] == "r.1"]


def test_a_message_tried_before_stays_what_it_was() -> None:
    group = [notification(number) for number in range(3)]
    key = message_key(group)
    tried = [replace(each, message=key, attempts=1, next_attempt=NOW + 5) for each in group]
    later = [*tried, notification(9)]
    assert [[each.id for each in batch.notifications] for batch in plan(later, world(), NOW).batches] == [[9]]
    again = plan(later, world(), NOW + 5).batches
    assert (again[0].key, [each.id for each in again[0].notifications]) == (key, [0, 1, 2])
    assert plan(later, world(busy={key}), NOW + 5).batches[0].notifications[0].id == 9


INHIBIT = Channels({"robot": ROBOT}, (Inhibition(("red",), ("blue",), ("rule", "region")),), GATHER)


def test_an_open_red_case_silences_its_blue_ones_and_no_others() -> None:
    blue, other, red = notification(1, "blue"), notification(2, "blue"), notification(12, "red")
    region = str(blue.case["region"])
    opened = [Open(99, "red", "flood.typhoon", region, "x"), Open(12, "red", "flood.typhoon", "330000", "y")]
    found = plan([blue, other, red], world(channels=INHIBIT, open=opened), NOW)
    assert [(each.id, str(why)) for each, why in found.dropped] == [(1, "case 99 is red")]
    carried = {each.id for batch in found.batches for each in batch.notifications}
    assert carried == {2, 12}


def test_a_silence_holds_for_a_region_and_all_below_it() -> None:
    silence = Silence(1, NOW - 10, NOW + 10, "maintenance", regions=("330100",))
    assert silence.covers(notification(0, case={"region": "330106"}), NOW)
    assert not silence.covers(notification(0, case={"region": "330206"}), NOW)
    assert not silence.covers(notification(0, case={"region": "330106"}), NOW + 10)
    taizhou = Silence(1, 0, NOW + 1, "city", regions=("331000",))
    assert taizhou.covers(notification(0, case={"region": "331002"}), NOW)
    assert not taizhou.covers(notification(0, case={"region": "331102"}), NOW)
    assert Silence(1, 0, NOW + 1, "all", regions=("330000",)).covers(
        notification(0, case={"region": "331002"}), NOW
    )
    assert not Silence(1, 0, NOW + 1, "county", regions=("330110",)).covers(
        notification(0, case={"region": "330111"}), NOW
    )


def test_nobody_is_woken_for_a_case_that_is_taken_but_an_overdue_one_is_told() -> None:
    taken, overdue = notification(1, waits=False), notification(2, waits=False, kind="overdue")
    found = plan([taken, overdue], world(), NOW)
    assert [why for _, why in found.dropped] == [Reason(Why.TAKEN)]
    assert [batch.notifications[0].id for batch in found.batches] == [2]


def test_what_cannot_be_delivered_is_given_up_after_its_levels_time() -> None:
    red, blue = notification(1, "red", attempts=3), notification(2, "blue", attempts=3)
    assert dead_at(red) < dead_at(blue)
    assert gone([red], dead_at(red))
    assert not gone([red, blue], dead_at(red))
    assert gone([red, blue], dead_at(blue))


times = st.lists(st.integers(0, 200), max_size=60)


@given(times, st.integers(1, 25), st.integers(1, 100))
@settings(max_examples=200, deadline=None)
def test_a_quota_holds_in_every_window(offered: Sequence[int], quota: int, per: int) -> None:
    sent: list[float] = []
    for at in sorted(offered):
        if room(sent, quota, per, at):
            sent.append(at)
        else:
            assert opens(sent, quota, per, at) > at
            assert room(sent, quota, per, opens(sent, quota, per, at)) > 0
    for start in sent:
        assert sum(start <= at < start + per for at in sent) <= quota


def test_a_batch_of_one_says_all_of_it() -> None:
    single = Batch(
        "k", "robot", (notification(1, "red", case={**notification(1).case, "value": 260, "threshold": 250}),)
    )
    message = message_of(single)
    assert message.key == "k"
    assert {"数值：260", "阈值：250"} <= set(message.lines)
    assert message.labels["rule"] == "flood.typhoon"


def test_a_message_says_zero_local_time_and_one_line() -> None:
    case = {**notification(1).case, "value": 0.1 + 0.2, "threshold": 0, "at": "2026-03-01T00:30:00+00:00"}
    message = message_of(
        Batch("k", "robot", (notification(1, "red", case={**case, "title": "two\r\nlines"}),))
    )
    assert {"数值：0.3", "阈值：0", "发生：2026-03-01 08:30:00"} <= set(message.lines)
    assert message.title == "two lines"


def test_a_channel_for_a_region_or_role_takes_no_other() -> None:
    group = Channel("robot", "dingtalk-robot", {}, regions=("330100",), roles=("flood-duty",))
    there = world(channels=Channels({"robot": group}, (), GATHER))

    def dropped(**case: str) -> bool:
        found = notification(1, case={"rule": "flood.typhoon", "duty_role": "flood-duty", **case})
        return bool(plan([found], there, NOW).dropped)

    assert not dropped(region="330110")
    assert dropped(region="330203")
    assert dropped(region="330110", duty_role="health-duty")
