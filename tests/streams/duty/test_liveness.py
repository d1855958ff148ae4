"""A replay opens no case and tells nobody unless it is live; what it warned of is seen as a replay's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.regions import Regions
from schemas.settings import Settings
from streams.duty.accounts.rights import Actor, Grant
from streams.duty.background.case_inbox import CaseInbox
from streams.duty.cases import service
from streams.duty.cases.liveness import Liveness
from streams.duty.cases.opening import hear
from streams.duty.cases.queries import Filters, find_cases, open_counts, rule_quality
from streams.duty.cases.replayed import find_replays, warnings_of
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Notification, Replayed
from streams.duty.dependencies import DutyDependencies
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.notify.channels.config import GATHER, Channels, Inhibition
from streams.duty.notify.dispatch import Open, message_of, plan
from streams.duty.notify.notifications import open_cases
from streams.duty.refusals import Conflict, Invalid
from streams.duty.rosters.desk import Desk, Desks
from streams.duty.systems.cap_index import Publisher, current
from streams.duty.systems.push import push_of
from streams.intake.replays import Begun, Done, Replays
from tests.streams.duty.api import Clock
from tests.streams.duty.moments import NOW, at, officer, opened, root, warning
from tests.streams.duty.parts import Aside
from tests.streams.duty.test_dispatch import NOW as MOMENT
from tests.streams.duty.test_dispatch import ROBOT, notification, world

OLD = "winter-2014"
BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


def replays(**live: bool) -> Replays:
    return Replays(begun={name: Begun(name, value, BEGUN) for name, value in live.items()})


def looking(found: Replays) -> tuple[Liveness, list[int]]:
    looks: list[int] = []

    def look() -> Replays:
        looks.append(1)
        return found

    return Liveness(look), looks


@pytest.mark.parametrize(
    ("found", "timelines", "dry"),
    [
        (replays(), [""], set()),
        (replays(), ["unknown"], {"unknown"}),
        (replays(drill=True), ["drill", ""], set()),
        (replays(old=False), ["old", ""], {"old"}),
        (replays(drill=True, old=False), ["drill", "old", "other"], {"old", "other"}),
        (Replays({"hash": Done("f", "before", "a.csv", 1, BEGUN)}), ["before"], {"before"}),
    ],
)
def test_a_timeline_is_live_only_where_its_beginning_says_so(
    found: Replays, timelines: list[str], dry: set[str]
) -> None:
    assert looking(found)[0].dry(timelines) == dry


def test_the_topic_is_read_for_what_is_not_known_yet_only() -> None:
    found = replays(drill=True, old=False)
    liveness, looks = looking(found)
    assert liveness.dry([""]) == set() and not looks, "what happens now asks nobody"
    for _ in range(3):
        liveness.dry(["drill", "old"])
    assert len(looks) == 1
    assert liveness.dry(["later"]) == {"later"}
    found.begun["later"] = Begun("later", True, BEGUN)
    assert liveness.dry(["later"]) == set(), "begun after a first look"


def test_a_replay_opens_no_case_and_its_warnings_are_listed(database: Database, desk: Desk) -> None:
    events = [
        warning("old", level="red", timeline=OLD),
        warning("old", 1, "recovered", "red", timeline=OLD),
        warning("now"),
    ]
    for _ in range(2):  # read again, they count once
        with database.writing() as session:
            hear(session, desk, NOW, events, dry={OLD})
    with database.reading() as session:
        assert [case.episode for case in session.scalars(sa.select(Case)).unique()] == ["now"]
        assert {case_id for (case_id,) in session.execute(sa.select(Notification.case_id))} == {1}
        everybody = root(desk.regions)
        assert [count.level for count in open_counts(session, everybody, desk.regions)] == ["yellow"]
        (found,) = find_replays(session, everybody, desk.regions)
        assert (found.timeline, found.warnings) == (OLD, 1)
        assert found.levels == {"red": 1, "orange": 0, "yellow": 0, "blue": 0}
        rows, total = warnings_of(session, everybody, desk.regions, OLD)
        assert total == 2 and [row.kind for row in rows] == ["opened", "recovered"]


def test_a_live_replay_opens_cases_whose_limits_are_reckoned_from_now(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        case = opened(session, desk, timeline="drill", level="red", at="2014-01-01T08:00:00+08:00")
        assert case.timeline == "drill" and case.occurred.year == 2014
        assert case.acknowledge_by == at(5) and case.close_by == at(240)
        said = session.scalars(sa.select(Notification.payload)).one()
        assert json.loads(said)["timeline"] == "drill"


def test_a_case_there_is_already_goes_on(database: Database, desk: Desk) -> None:
    """A home of before: its replays opened cases, which are not left as they are."""
    with database.writing() as session:
        case = opened(session, desk, timeline=OLD)
        hear(session, desk, at(1), [warning("e1", 1, "recovered", timeline=OLD)], dry={OLD})
        assert case.recovered is not None
        assert session.scalars(sa.select(Replayed)).all() == []


def test_who_may_not_see_cases_of_a_role_or_region_sees_no_replay_of_it(
    database: Database, desk: Desk
) -> None:
    with database.writing() as session:
        hear(session, desk, NOW, [warning("old", timeline=OLD)], dry={OLD})
        own, other = officer(session, "hangzhou-ecology-1"), officer(session, "health-1")
        county = Actor("county", "test", None, (Grant("viewer", "330112"),))
        assert [len(find_replays(session, who, desk.regions)) for who in (own, other, county)] == [1, 0, 0]
        assert warnings_of(session, other, desk.regions, OLD) == ([], 0)


def test_other_systems_are_told_nothing_actual_of_a_replay(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        hear(session, desk, NOW, [warning("old", timeline=OLD), warning("d", timeline="drill")], dry={OLD})
        messages = current(session, Publisher(), root(desk.regions), desk.regions, NOW)
        assert [(each.subject, each.replay) for each in messages] == [("d", True)]


def test_pushes_of_replays_say_so_and_go_after_all_that_happens_now() -> None:
    replayed, now = push_of(warning("old", level="red", timeline=OLD)), push_of(warning("now", level="blue"))
    assert json.loads(replayed.payload)["timeline"] == OLD and "timeline" not in json.loads(now.payload)
    assert now.rank < replayed.rank


@pytest.mark.parametrize(("kind", "title"), [("assigned", "（回放）高"), ("escalated", "（回放）（升级）高")])
def test_a_message_to_an_officer_says_that_it_comes_of_a_replay(kind: str, title: str) -> None:
    drill = notification(1, kind=kind, case={"title": "高", "rule": "r", "timeline": "drill"})
    real = notification(2, kind=kind, case={"title": "高", "rule": "r"})
    sent = [message_of(batch).title for batch in plan([drill, real], world(), MOMENT).batches]
    assert title in sent and title.removeprefix("（回放）") in sent, "never in one message with a real one"


def test_the_service_decides_by_the_log_of_replays(database: Database, tmp_path: Path) -> None:
    desks = Desks(Settings(home=tmp_path))
    deps = DutyDependencies(database, desks, Clock(), Publisher())
    liveness, _ = looking(replays(drill=True, winter=False))
    found = [
        Read(warning(name, timeline=name.rstrip("0123456789")), "here")
        for name in ("drill1", "winter1", "drill2", "winter2")
    ]
    aside: Aside = []
    inbox = CaseInbox(deps, lambda what, why: aside.append((what, why)), liveness)
    assert inbox.take(found, ReadPosition("log", {})) == 4 and aside == []
    with database.reading() as session:
        assert sorted(str(each) for each in session.scalars(sa.select(Case.episode))) == ["drill1", "drill2"]
        assert sorted(session.scalars(sa.select(Replayed.episode))) == ["winter1", "winter2"]


def test_a_replay_touches_no_case_of_now_whatever_its_episode_is_called(
    database: Database, desk: Desk
) -> None:
    """Another program may name the episodes of its replays as it likes."""
    said = [
        warning("e1", 1, "raised", "red", timeline=OLD, id="r1"),
        warning("e1", 2, "recovered", "red", timeline=OLD, id="r2"),
    ]
    with database.writing() as session:
        opened(session, desk)
        assert hear(session, desk, at(1), said, dry={OLD}) == 2
    with database.reading() as session:
        (case,) = session.scalars(sa.select(Case)).unique()
        assert (case.level, case.recovered, case.entries) == ("yellow", None, 2)
        assert sorted(session.scalars(sa.select(Replayed.id))) == ["r1", "r2"]
    with (
        pytest.raises(Invalid, match=f"its episode is one of now, not of {OLD}"),
        database.writing() as session,
    ):
        hear(session, desk, at(2), [warning("e1", 3, "recovered", timeline=OLD)])
    with pytest.raises(Invalid, match="one of drill, not of now"), database.writing() as session:
        opened(session, desk, episode="e2", timeline="drill")
        hear(session, desk, at(2), [warning("e2", 1, "recovered")])


def test_what_happens_now_opens_its_case_after_a_replay_of_the_same_subject(
    database: Database, desk: Desk
) -> None:
    with database.writing() as session:
        hear(session, desk, NOW, [warning("old", subject="s", timeline=OLD, level="red")], dry={OLD})
        hear(session, desk, at(1), [warning("now", subject="s")])
        (case,) = session.scalars(sa.select(Case)).unique()
        assert (case.episode, case.timeline, case.level) == ("now", "", "yellow")
        assert len(session.scalars(sa.select(Notification)).all()) == 1


def test_a_drill_holds_back_nothing_real_and_is_merged_into_nothing_real(
    database: Database, desk: Desk, regions: Regions
) -> None:
    grave = Open(7, "red", "r", "330110", "s", "drill")
    with database.writing() as session:
        drill = opened(session, desk, episode="d", level="red", timeline="drill")
        opened(session, desk, episode="now", level="blue")
        assert open_cases(session, ["red"]) == [
            Open(drill.id, "red", drill.rule, drill.region, drill.subject, "drill")
        ]
        for case, into in ((1, 2), (2, 1)):
            with pytest.raises(Conflict, match="are not the same: case"):
                service.merge(session, desk, root(regions), at(1), case, into=into)
    rules = (Inhibition(("red",), ("blue",), ("region",)),)
    here = {"title": "t", "rule": "r", "region": "330110"}
    for timeline, held in (("", False), ("drill", True), ("other", False)):
        told = notification(1, level="blue", case={**here, "timeline": timeline})
        decided = plan(
            [told], world(channels=Channels({"robot": ROBOT}, rules, GATHER), open=[grave]), MOMENT
        )
        assert bool(decided.held) is held, timeline


def test_what_a_drill_asks_for_elsewhere_is_of_the_drill(
    database: Database, desk: Desk, regions: Regions
) -> None:
    with database.writing() as session:
        actor = root(regions)
        case = opened(session, desk, timeline="drill")
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.dispose(session, desk, actor, at(2), case.id, done="x")
        (made,) = service.require_feedback(
            session, desk, actor, at(3), case.id, question="also there?", regions=["330203"]
        )
        assert made.timeline == "drill"


def test_drills_and_replays_are_counted_apart(database: Database, desk: Desk, regions: Regions) -> None:
    with database.writing() as session:
        actor = root(regions)
        for episode, timeline in (("d1", "drill"), ("now1", ""), ("now2", ""), ("now3", "")):
            opened(session, desk, episode=episode, timeline=timeline)
        for case, verdict in ((2, "drill"), (3, "true")):
            service.acknowledge(session, desk, actor, at(1), case)
            service.dispose(session, desk, actor, at(2), case, done="x")
            service.confirm(session, desk, actor, at(3), case, verdict=verdict)
        real, drills = (open_counts(session, actor, regions, drill=drill) for drill in (False, True))
        assert [(c.state, c.number) for c in real] == [("confirmed", 1), ("new", 1)]
        assert [(c.state, c.number) for c in drills] == [("confirmed", 1), ("new", 1)]
        for drill, ids in ((True, {1, 2}), (False, {3, 4}), (None, {1, 2, 3, 4})):
            assert {
                case.id for case in find_cases(session, actor, regions, Filters(drill=drill)).items
            } == ids
        (row,) = rule_quality(session, actor, regions)
        assert {name: row[name] for name in ("cases", "open", "true", "false", "drill")} == {
            **{"cases": 2, "open": 2, "true": 1, "false": 0, "drill": 2}
        }


def test_a_machine_sees_by_its_labels_that_an_alert_is_of_a_replay() -> None:
    drill = notification(1, case={"title": "t", "rule": "r", "timeline": "drill"})
    (batch,) = plan([drill], world(), MOMENT).batches
    assert message_of(batch).labels["timeline"] == "drill"
    (batch,) = plan([notification(1, case={"title": "t", "rule": "r"})], world(), MOMENT).batches
    assert "timeline" not in message_of(batch).labels


def test_a_drill_is_found_among_the_cases_as_one(database: Database, desk: Desk, regions: Regions) -> None:
    with database.writing() as session:
        opened(session, desk, timeline="drill")
        page = find_cases(session, root(regions), regions, Filters(open=True))
        assert [case.timeline for case in page.items] == ["drill"]
