"""Who is on duty: exactly one answer or a reported hole, at every instant; holidays, overrides, rotation."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import chinese_calendar
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.regions import Regions, load_regions
from schemas.workdays import judge
from streams.duty.rosters.desk import EXAMPLE
from streams.duty.rosters.roster import Roster
from streams.duty.rosters.roster_yaml import load_roster, parse_roster
from streams.duty.rosters.who import Plan, Substitution, gaps, on_duty, turns, who

REGIONS = load_regions()
EXAMPLE_TEXT = (EXAMPLE / "roster.yaml").read_text(encoding="utf-8")
EXAMPLE_ROSTER = load_roster(EXAMPLE / "roster.yaml", REGIONS)
ABLE = EXAMPLE_ROSTER.logins()
START = datetime(2026, 1, 1, tzinfo=SHANGHAI)
MOMENTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
TAIL = EXAMPLE_TEXT[EXAMPLE_TEXT.index("\nescalation:") :]

TEAM = """
  - team: {team}
    title: {{zh: 组, en: Team}}
    role: {role}
    region: "{region}"
    shifts:
"""


def roster(*teams: tuple[str, str, str, list[str]]) -> Roster:
    """A roster of teams (name, role, region, shifts as YAML)."""
    text = "teams:"
    for name, role, region, shifts in teams:
        text += TEAM.format(team=name, role=role, region=region)
        text += "".join(f"      - {shift}\n" for shift in shifts)
    return parse_roster(text + TAIL, Path("roster.yaml"), REGIONS)


def plan(roster: Roster, *substitutions: Substitution, able: frozenset[str] | None = None) -> Plan:
    return Plan(roster, REGIONS, substitutions, roster.logins() if able is None else able)


def shift(name: str, start: str, duration: str, rrule: str, *officers: str, more: str = "") -> str:
    return (
        f"{{shift: {name}, start: {start!r}, duration: {duration}, rrule: {rrule!r}, "
        f"officers: [{', '.join(officers)}]{', ' if more else ''}{more}}}"
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


SHIFTS = st.builds(
    lambda hour, hours, days, kind, turn: (hour, hours, days, kind, turn),
    st.integers(0, 23),
    st.integers(1, 30),
    st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1),
    st.sampled_from(["all", "workdays", "days_off"]),
    st.sampled_from(["P1D", "P1W"]),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Teams of one role in a county, its city, the province; shifts that leave gaps and overlap; overrides."""
    teams = []
    for region in draw(st.sets(st.sampled_from(["330112", "330100", "330000"]), min_size=1)):
        shifts = []
        for number, (hour, hours, days, kind, turn) in enumerate(
            draw(st.lists(SHIFTS, min_size=1, max_size=2))
        ):
            start = f"2026-01-01T{hour:02d}:00"  # a Thursday
            rule = f"FREQ=WEEKLY;BYDAY={','.join(sorted(days | {'TH'}))}"
            more = f"days: {kind}, turn: {turn}"
            shifts.append(shift(f"s{number}", start, f"PT{hours}H", rule, "a", "b", more=more))
        teams.append((f"t{region}", "x", region, shifts))
    made = roster(*teams)
    substitutions = tuple(
        Substitution(number, team, login, begin, begin + timedelta(hours=length))
        for number, (team, login, begin, length) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(sorted(made.teams)),
                        st.sampled_from(["c", "gone", ""]),
                        MOMENTS,
                        st.integers(1, 100),
                    ),
                    max_size=3,
                )
            )
        )
    )
    able = frozenset(draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1)))
    return Plan(made, REGIONS, substitutions, able)


@given(plans(), MOMENTS, st.sampled_from(["330112", "330100", "330000", "330302"]))
@settings(max_examples=60, deadline=None)
def test_at_every_instant_there_is_one_answer_or_a_reported_hole(
    plan: Plan, moment: datetime, region: str
) -> None:
    answer = who(plan, "x", region, moment)
    start = moment - timedelta(hours=30)
    found = gaps(plan, ["x"], start, moment + timedelta(hours=30))
    asked = [region] if region in {team.region for team in plan.roster.teams.values()} else []
    above = {"330112": ["330100", "330000"], "330100": ["330000"], "330302": ["330000"], "330000": []}[region]
    covering = [
        gap for gap in found if gap.starts <= moment < gap.ends and gap.region in [*asked, *above, "330000"]
    ]
    if answer is None:
        assert any(gap.kind == "uncovered" for gap in covering)
    else:
        assert answer.login in plan.able and answer.starts <= moment < answer.ends
        assert not any(gap.kind == "uncovered" and gap.region == region for gap in covering)


@given(plans(), MOMENTS)
@settings(max_examples=40, deadline=None)
def test_turns_say_piece_by_piece_what_is_answered_moment_by_moment(plan: Plan, moment: datetime) -> None:
    for team in plan.roster.teams.values():
        pieces = list(turns(plan, team, moment - timedelta(days=3), moment + timedelta(days=3)))
        assert all(one.ends <= other.starts for one, other in pairwise(pieces))
        covering = [piece.login for piece in pieces if piece.starts <= moment < piece.ends]
        turn = on_duty(plan, team, moment)
        assert covering == ([turn.login] if turn and turn.login else [])


@given(MOMENTS, st.sampled_from(sorted(region.code for region in REGIONS.all)))
@settings(max_examples=60, deadline=None)
def test_the_example_roster_has_an_answer_for_every_role_everywhere(moment: datetime, region: str) -> None:
    for role in ("ecology-duty", "ecology-operations", "health-duty", "governance-duty", "another-role"):
        assert who(plan(EXAMPLE_ROSTER), role, region, moment) is not None


def test_the_example_roster_has_no_holes_in_2025_and_2026() -> None:
    for year in (2025, 2026):
        start = datetime(year, 1, 8, tzinfo=SHANGHAI)
        assert gaps(plan(EXAMPLE_ROSTER), ["another-role"], start, start + timedelta(days=350)) == ()


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2025-01-26", True),  # a Sunday worked for the Spring Festival
        ("2025-01-28", False),
        ("2025-02-04", False),
        ("2025-02-08", True),
        ("2025-10-01", False),
        ("2025-10-08", False),
        ("2025-10-11", True),
        ("2026-01-04", True),
        ("2026-02-14", True),  # a Saturday worked
        ("2026-02-16", False),
        ("2026-02-23", False),
        ("2026-02-28", True),
        ("2026-10-10", True),
        ("2026-11-25", True),
        ("2026-11-28", False),
    ],
)
def test_holidays_and_make_up_workdays_as_the_state_council_announced_them(day: str, works: bool) -> None:
    made = roster(
        (
            "t",
            "x",
            "330000",
            [shift("d", "2025-01-01T08:00", "PT9H", "FREQ=DAILY", "a", more="days: workdays")],
        )
    )
    assert (who(plan(made), "x", "330000", at(f"{day}T10:00")) is not None) == works


def test_a_year_that_is_not_announced_follows_the_week_unless_it_is_declared() -> None:
    assert (
        judge(date(2027, 1, 4), {}) == judge(date(2027, 1, 4), {})
        and not judge(date(2027, 1, 1), {}).announced
    )
    assert (
        judge(date(2027, 1, 1), {}).workday and not judge(date(2027, 1, 1), {date(2027, 1, 1): False}).workday
    )
    assert not judge(date(2027, 1, 2), {}).workday


@given(st.dates(date(2025, 1, 1), date(2026, 12, 31)))
def test_the_calendar_agrees_with_the_announcements(day: date) -> None:
    assert judge(day, {}).workday == chinese_calendar.is_workday(day)


@given(
    st.sampled_from(
        ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=TH", "FREQ=MONTHLY;BYMONTHDAY=1", "FREQ=DAILY;INTERVAL=3"]
    ),
    st.integers(0, 300),
)
@settings(deadline=None)
def test_turns_begin_when_rfc_5545_says(rule: str, day: int) -> None:
    made = roster(("t", "x", "330000", [shift("d", "2026-01-01T08:00", "PT1H", rule, "a")]))
    start = START + timedelta(days=day)
    found = [turn.starts for turn in turns(plan(made), made.teams["t"], start, start + timedelta(days=30))]
    expected = rrulestr(rule, dtstart=at("2026-01-01T08:00").replace(tzinfo=None)).between(
        start.replace(tzinfo=None) - timedelta(minutes=59), start.replace(tzinfo=None) + timedelta(days=30)
    )
    assert found == [each.replace(tzinfo=SHANGHAI) for each in expected if each >= start.replace(tzinfo=None)]


def test_officers_take_turns_by_the_calendar() -> None:
    made = roster(
        (
            "t",
            "x",
            "330000",
            [shift("d", "2026-01-05T08:00", "P1D", "FREQ=DAILY", "a", "b", "c", more="turn: P1W")],
        )
    )
    asked = (at(f"2026-01-{day:02d}T09:00") for day in (5, 11, 12, 19, 26))
    assert [who(plan(made), "x", "330000", each).login for each in asked] == ["a", "a", "b", "c", "a"]  # type: ignore[union-attr]


def test_county_then_city_then_province_and_the_latest_override_counts() -> None:
    day = shift("d", "2026-01-05T08:00", "PT8H", "FREQ=DAILY", "county")
    made = roster(
        ("county", "x", "330112", [day]),
        ("city", "x", "330100", [shift("d", "2026-01-05T08:00", "PT12H", "FREQ=DAILY", "city")]),
        ("province", "x", "330000", [shift("d", "2026-01-05T00:00", "P1D", "FREQ=DAILY", "province")]),
    )
    able = frozenset(("county", "city", "province", "one", "two"))

    def answer(hour: int, *changes: Substitution) -> tuple[str, bool]:
        found = who(plan(made, *changes, able=able), "x", "330112", at(f"2026-02-02T{hour:02d}:00"))
        assert found is not None
        return found.login, found.fallback

    assert [answer(hour) for hour in (9, 17, 21)] == [("county", False), ("city", True), ("province", True)]
    whole = (at("2026-02-02T00:00"), at("2026-02-03T00:00"))
    first, second = Substitution(1, "county", "one", *whole), Substitution(2, "county", "two", *whole)
    assert answer(9, first, second) == ("two", False) and answer(21, first) == ("one", False)
    assert answer(9, Substitution(1, "county", "", *whole)) == ("city", True)
    assert answer(9, Substitution(1, "county", "gone", *whole)) == ("city", True)


def test_holes_say_what_is_wrong(regions: Regions) -> None:
    day = shift("day", "2026-01-05T08:00", "PT12H", "FREQ=DAILY", "a")
    made = roster(
        ("t", "x", "330000", [day]),
        ("c", "x", "330100", [shift("d", "2026-01-05T08:00", "PT2H", "FREQ=DAILY", "z")]),
    )
    start = at("2026-02-02T00:00")
    found = gaps(plan(made, able=frozenset("a")), ["x", "y"], start, start + timedelta(days=1))
    assert [
        (gap.kind, gap.role, gap.region, gap.starts.hour, gap.ends.hour, str(gap.why)) for gap in found
    ] == [
        ("uncovered", "x", "330000", 0, 8, "no shift of t"),
        ("uncovered", "y", "330000", 0, 0, "no team"),
        ("unmanned", "x", "330100", 8, 10, "d of c: z has no active account"),
        ("uncovered", "x", "330000", 20, 0, "no shift of t"),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("rrule: FREQ=DAILY", "rrule: FREQ=SOMETIMES", "teams[0].shifts[0].rrule: is no RFC 5545 recurrence"),
        (
            "rrule: FREQ=DAILY",
            "rrule: FREQ=HOURLY",
            "teams[0].shifts[0].rrule: must be one rule of FREQ=DAILY",
        ),
        ('rrule: "FREQ=WEEKLY;BYDAY=MO"', 'rrule: "FREQ=WEEKLY;BYDAY=TU"', "the first is 2025-01-07T09:00"),
        ('region: "330100"', 'region: "330199"', "teams[1].region: '330199' is no region code"),
        (
            'region: "330100"',
            'region: "330000"',
            "teams[1].role: ecology-duty in 330000 is ecology-province's",
        ),
        (
            "team: ecology-hangzhou",
            "team: ecology-province",
            "teams[1].team: 'ecology-province' stands there twice",
        ),
        ("role: ecology-operations", "role: admin", "teams[2].role: 'admin' is a right, no duty"),
        ("duration: PT9H", "duration: 9 hours", "teams[1].shifts[0].duration: '9 hours' must be an ISO 8601"),
        ("turn: P1W", "turn: PT5H", "turn: must be whole days"),
        ("days: workdays", "days: sometimes", "days: 'sometimes' must be one of all, workdays, days_off"),
        ("days: workdays", "day: workdays", "teams[1].shifts[0].day: no such key"),
        ("after: PT10M", "after: PT1M", "escalation.red[2].after: must be later than the step before"),
        ("to: province", "to: everybody", "'everybody' must be duty, city, province"),
        ("to: city, channels: [webhook]", "to: city, channels: [A pigeon]", "'A pigeon' must be lower-case"),
        (
            "officers: [head-1, head-2], after",
            "officers: [], after",
            "last_resort.officers: must name at least one",
        ),
        ("acknowledge: PT5M", "acknowledge: PT5H", "limits.red: must give a time to acknowledge"),
        ("calendar: {}", 'calendar: {"2027-13-01": day_off}', "'2027-13-01' must be a day"),
        ("look_ahead: 14", "look_ahead: 0", "look_ahead: must be 1 to 366 days"),
        ("last_resort:", "last:", "last: no such key"),
    ],
)
def test_a_wrong_roster_names_its_file_and_key(was: str, becomes: str, said: str) -> None:
    assert was in EXAMPLE_TEXT
    with pytest.raises(Misdeclared) as error:
        parse_roster(EXAMPLE_TEXT.replace(was, becomes, 1), Path("home/roster.yaml"), REGIONS)
    assert str(error.value).startswith("home/roster.yaml: ") and said in str(error.value)
