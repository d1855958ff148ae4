"""What watch decides is a function of the log: not of frames, restarts, copies or partitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_event, encode_tick
from streams.watch.declare.load import load_rules
from streams.watch.engine.partition import Partition
from streams.watch.episodes.episode import Transition
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper

CONTRACTS = load_contracts()
RULES = load_rules(CONTRACTS)
DECODERS = {feed: Decoder(contract).decode for feed, contract in CONTRACTS.items()}
START = datetime(2026, 3, 1, tzinfo=UTC)
AIR, REQUESTS = "ecology.air-quality", "governance.citizen-request"

minutes = st.lists(st.integers(0, 300), min_size=1, max_size=60)


def air_event(number: int, at: datetime, station: int, value: int, timeline: str = "") -> bytes:
    data = {"station": f"S{station}", "region": "330106", "averaging": "1h", "pm25": value}
    return encode_event(id=f"a{number}", source="/t", type=f"{AIR}.v1", time=at, data=data, timeline=timeline)


def request_event(number: int, at: datetime, region: str) -> bytes:
    data = {
        "request": f"R{number}", "region": region, "channel": "hotline", "category": "traffic",
        "stage": "received", "received_at": at.isoformat(), "limit_hours": 72,
    }  # fmt: skip
    return encode_event(id=f"r{number}", source="/t", type=f"{REQUESTS}.v1", time=at, data=data)


@st.composite
def air_logs(draw: st.DrawFn) -> list[bytes]:
    """Events of four stations in and out of order, ticks between them, broken bytes, two timelines."""
    values = []
    at = START
    for number, step in enumerate(draw(minutes)):
        at += timedelta(minutes=step)
        kind = draw(st.sampled_from(["event"] * 8 + ["late", "tick", "broken", "replay"]))
        station, value = (
            draw(st.integers(1, 4)),
            draw(st.sampled_from([20, 99, 100, 114, 115, 160, 251, 400])),
        )
        if kind == "event":
            values.append(air_event(number, at, station, value))
        elif kind == "late":
            values.append(air_event(number, at - timedelta(minutes=7), station, value))
        elif kind == "replay":
            values.append(air_event(number, at - timedelta(days=900), station, value, "old"))
        elif kind == "tick":
            values.append(encode_tick(id=f"t{number}", clock=at))
        else:
            values.append(b"{broken")
    return [*values, encode_tick(id="end", clock=at + timedelta(days=2))]


def entries(values: Iterable[bytes]) -> list[OfflineRecord]:
    arrival = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
    return [OfflineRecord(offset, arrival + offset, value) for offset, value in enumerate(values)]


def fresh(feed: str) -> Partition:
    contract = CONTRACTS[feed]
    rules = [rule for rule in RULES if rule.feed == feed]
    return Partition(contract, DECODERS[feed], rules, contract.topic, 0)


def run(feed: str, log: list[OfflineRecord], cuts: Iterable[int] = ()) -> list[Transition]:
    """The transitions of a log fed in frames cut at these places."""
    found: list[Transition] = []
    partition = fresh(feed)
    places = [0, *sorted(cuts), len(log)]
    for start, end in itertools.pairwise(places):
        partition.observe(log[start:end], found.append)
    return found


def by_id(transitions: Iterable[Transition]) -> list[Transition]:
    return sorted(transitions, key=lambda each: each.id)


def plain(transitions: Iterable[Transition]) -> list[Transition]:
    """Transitions without the log's own coordinates."""
    return by_id(replace(each, offset=0, watermark=0, partition=0) for each in transitions)


@given(air_logs(), st.data())
@settings(max_examples=200, deadline=None)
def test_frames_do_not_matter(values: list[bytes], data: st.DataObject) -> None:
    log = entries(values)
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=8))
    assert by_id(run(AIR, log, cuts)) == by_id(run(AIR, log))


@given(air_logs(), st.data())
@settings(max_examples=200, deadline=None)
def test_ids_are_unique_and_an_event_sent_twice_counts_once(values: list[bytes], data: st.DataObject) -> None:
    once = run(AIR, entries(values))
    assert len({each.id for each in once}) == len(once)
    at = data.draw(st.integers(0, len(values) - 1))
    twice = [*values[: at + 1], values[at], *values[at + 1 :]]
    assert plain(run(AIR, entries(twice))) == plain(once)


actions = st.sampled_from(["checkpoint", "crash", "crash in checkpoint"])


@given(air_logs(), st.lists(st.tuples(st.integers(1, 20), actions, st.integers(0, 9)), max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_restart_from_any_checkpoint_does_not_matter(
    values: list[bytes], plan: list[tuple[int, str, int]]
) -> None:
    """Crashes at any moment, also between the buckets and the header of a checkpoint."""
    log = entries(values)
    changelog: dict[bytes, bytes] = {}
    found: dict[str, Transition] = {}

    def note(transition: Transition) -> None:
        assert found.setdefault(transition.id, transition) == transition

    keeper = StateKeeper(fresh(AIR))
    for length, action, written in [*plan, (len(log), "end", 0)]:
        applied = keeper.partition.offset + 1
        keeper.partition.observe(log[applied : applied + length], note)
        point = keeper.checkpoint({}) if "checkpoint" in action else None
        if point is not None:
            whole = action == "checkpoint"
            write(changelog, point.buckets if whole else point.buckets[:written])
            write(changelog, [point.header] if whole else [])
        if "crash" in action:
            keeper = StateKeeper(fresh(AIR))
            keeper.restore(changelog)
    keeper.partition.observe(log[keeper.partition.offset + 1 :], note)
    assert by_id(found.values()) == by_id(run(AIR, log))


def write(changelog: dict[bytes, bytes], items: Iterable[tuple[bytes, bytes | None]]) -> None:
    for key, value in items:
        if value is None:
            changelog.pop(key, None)
        else:
            changelog[key] = value


@given(minutes, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_partitions_do_not_matter_without_late_events(steps: list[int], partitions: int) -> None:
    at, events = START, []
    for number, step in enumerate(steps):
        at += timedelta(minutes=step)
        events.append((number % 7, air_event(number, at, number % 7, [20, 120, 400, 90][number % 4])))
    end = encode_tick(id="end", clock=at + timedelta(days=2))
    whole = plain(run(AIR, entries([*(value for _, value in events), end])))
    parts = [
        each
        for part in range(partitions)
        for each in run(AIR, entries([*(v for station, v in events if station % partitions == part), end]))
    ]
    assert plain(parts) == whole


@given(st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["330106", "330203"])), max_size=250))
@settings(max_examples=50, deadline=None)
def test_counts_agree_with_a_plain_count(steps: list[tuple[int, str]]) -> None:
    """Highest level and recovery of each county-hour, against a count made without windows closing."""
    at, values, counts = START, [], {}
    for number, (step, region) in enumerate(steps):
        at += timedelta(seconds=step)
        values.append(request_event(number, at, region))
        hour = (region, at.replace(minute=0, second=0))
        counts[hour] = counts.get(hour, 0) + 1
    end = at + timedelta(days=1)
    found = run(REQUESTS, entries([*values, encode_tick(id="end", clock=end)]))
    raised = {(each.subject, each.value) for each in found if each.kind in ("opened", "raised")}
    bounds = (40, 60, 90, 130)
    open_before: dict[str, bool] = {}
    expected = set()
    for (region, _), count in sorted(counts.items(), key=lambda item: item[0][1]):
        reached = [bound for bound in bounds if count >= bound]
        if not open_before.get(region):
            expected |= {(region, float(bound)) for bound in reached}
        open_before[region] = count >= 30 and (bool(reached) or open_before.get(region, False))
    assert expected <= raised
    last = {}
    for each in found:
        last[each.subject] = each.kind
    assert all(kind == "recovered" for kind in last.values())


def test_one_fast_clock_delays_nobody() -> None:
    fast = air_event(1, datetime(2026, 6, 9, tzinfo=UTC), 1, 20)
    honest = air_event(2, datetime(2026, 6, 1, 0, 1, tzinfo=UTC), 2, 400)
    arrival = int(datetime(2026, 6, 1, 0, 1, tzinfo=UTC).timestamp() * 1000)
    found: list[Transition] = []
    partition = fresh(AIR)
    partition.observe(
        [OfflineRecord(0, arrival - 400_000, fast), OfflineRecord(1, arrival, honest)], found.append
    )
    assert [each.subject for each in found] == ["S2"]
    assert partition.tally.late == 0


def clocked(*events: tuple[int, int, int], final: int = 0) -> tuple[list[Transition], Partition]:
    """Transitions of events (arrival, minutes ahead of it, pm25) of one station; the last tick at `final`."""
    log = []
    for number, (arrival, ahead, pm25) in enumerate(events):
        at = START + timedelta(minutes=arrival)
        raw = air_event(number, at + timedelta(minutes=ahead), 1, pm25)
        log.append(OfflineRecord(number, int(at.timestamp() * 1000), raw))
    end = START + timedelta(minutes=final)
    log.append(OfflineRecord(len(log), int(end.timestamp() * 1000), encode_tick(id="end", clock=end)))
    found: list[Transition] = []
    partition = fresh(AIR)
    partition.observe(log, found.append)
    return plain(found), partition


YEAR = 365 * 24 * 60


def test_an_event_a_year_ahead_is_rejected_and_silences_nobody() -> None:
    honest = [(0, 0, 20), (5, 0, 120), (65, 0, 20)]
    wrong = [(0, 0, 20), (1, YEAR, 400), (5, 0, 120), (65, 0, 20)]
    found, partition = clocked(*wrong, final=600)
    assert [(each.kind, each.at) for each in found] == [
        (each.kind, each.at) for each in clocked(*honest, final=600)[0]
    ]
    assert {"ecology.station-silent", "ecology.pm25-high"} <= {each.rule for each in found}
    assert (partition.tally.rejected, partition.tally.events) == (1, 3)


def test_an_event_within_the_skew_counts_as_its_arrival_for_its_own_subject() -> None:
    """Four minutes ahead and high, then two honest readings within these four minutes: both are judged."""
    found, partition = clocked((0, 4, 400), (1, 0, 20), (2, 0, 400), final=3)
    high = [each for each in found if each.rule == "ecology.pm25-high"]
    start = int(START.timestamp() * 1000)
    assert [(each.kind, each.at - start) for each in high] == [
        ("opened", 0), ("recovered", 60_000), ("opened", 120_000),
    ]  # fmt: skip
    assert partition.tally.rejected == 0
    assert clocked((0, 6, 400))[1].tally.rejected == 1


def test_a_rejected_event_does_not_use_up_its_id() -> None:
    """The clock is put right and the same event is sent again: it is judged."""
    partition = fresh(AIR)
    arrival = int(START.timestamp() * 1000)
    log = [
        OfflineRecord(0, arrival, air_event(1, START + timedelta(days=365), 1, 400)),
        OfflineRecord(1, arrival, air_event(1, START, 1, 400)),
    ]
    found: list[Transition] = []
    partition.observe(log, found.append)
    assert [each.kind for each in found] == ["opened"]


def test_a_tick_of_the_year_9999_moves_no_clock_past_its_arrival() -> None:
    partition = fresh(AIR)
    arrival = int(START.timestamp() * 1000)
    absurd = encode_tick(id="x", clock=datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    early = encode_tick(id="y", clock=datetime(1, 1, 1, tzinfo=UTC))
    found: list[Transition] = []
    partition.observe(
        [
            OfflineRecord(0, arrival, absurd),
            OfflineRecord(1, arrival, early),
            OfflineRecord(2, arrival + 1, air_event(1, START, 1, 400)),
        ],
        found.append,
    )
    assert partition.lanes[""].watermark == arrival
    assert [each.kind for each in found] == ["opened"]


def test_a_correction_below_the_watermark_makes_no_second_warning() -> None:
    feed = "health.infectious-disease"

    def event(id: str, day: int, cases: int, corrects: str = "") -> bytes:
        at = datetime(2026, 3, day, 15, tzinfo=UTC)
        data = {"region": "330100", "disease": "influenza", "date": f"2026-03-{day:02}", "cases": cases}
        return encode_event(id=id, source="/t", type=f"{feed}.v1", time=at, data=data, corrects=corrects)

    log = entries([event("a", 1, 500), event("b", 2, 50), event("c", 1, 450, corrects="a")])
    assert [each.kind for each in run(feed, log)] == ["opened", "recovered"]


@given(minutes, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_subjects_out_of_order_with_each_other_lose_nothing(steps: list[int], random: Random) -> None:
    """Each station in its own order, the stations up to an hour out of order among themselves."""
    at, events = START, []
    for number, step in enumerate(steps):
        at += timedelta(minutes=step)
        station = random.randrange(4)
        events.append((at, station, air_event(number, at, station, random.choice([20, 120, 260, 400]))))
    delays = [timedelta(minutes=random.randrange(60)) for _ in range(4)]
    delayed = sorted(events, key=lambda event: event[0] + delays[event[1]])
    end = encode_tick(id="end", clock=at)
    threshold = [rule for rule in RULES if rule.id == "ecology.pm25-high"]

    def warned(log: list[tuple[datetime, int, bytes]]) -> list[Transition]:
        found: list[Transition] = []
        contract = CONTRACTS[AIR]
        partition = Partition(contract, DECODERS[AIR], threshold, contract.topic, 0)
        partition.observe(entries([*(value for _, _, value in log), end]), found.append)
        return plain(found)

    assert warned(delayed) == warned(events)


def test_requests_out_of_order_within_their_hour_are_counted_once_each() -> None:
    times = [START + timedelta(seconds=80 * number) for number in range(45)]
    values = [request_event(number, at, "330106") for number, at in enumerate(times)]
    shuffled = [*values[20:], *values[:20], *values[5:25]]
    assert [each.kind for each in run(REQUESTS, entries(shuffled))] == ["opened"]
