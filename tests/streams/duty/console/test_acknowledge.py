"""A link in a push: one tap for its officer, nothing by looking, nothing for others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from streams.duty.database.models import AuditEntry, Officer
from streams.duty.notify.links import LIFETIME, make_link
from tests.streams.duty.console.house import Clock, House, house_open, settings_for


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_open(settings_for(tmp_path_factory.mktemp("home")), Clock()) as opened:
        for login in ("zhang", "li"):
            opened.officer(login, "ecology-duty", "330100", {"zhang": "张三", "li": "李四"}[login])
        yield opened


def link(house: House, case: int, login: str = "zhang", key: str = "") -> str:
    """The path of a link for an officer, made now."""
    with house.console.deps.database.reading() as session:
        officer = session.scalars(sa.select(Officer.id).where(Officer.login == login)).one()
    key = key or house.settings.console_key
    return make_link("", key, str(case), str(officer), house.clock().timestamp())


def waiting(house: House, number: int) -> int:
    case = house.warn(number, region="330102")
    house.assign(case, "zhang")
    return case


def entries(house: House, case: int) -> list[AuditEntry]:
    with house.console.deps.database.reading() as session:
        return list(
            session.scalars(
                sa.select(AuditEntry).where(AuditEntry.case_id == case).order_by(AuditEntry.ordinal)
            )
        )


def test_looking_changes_nothing_and_one_tap_acknowledges(house: House) -> None:
    case = waiting(house, 1)
    path, before = link(house, case), len(entries(house, case))
    with house.visitor() as phone:
        for _ in range(3):
            page = phone.get(path)
            assert (
                page.status_code == 200
                and "张三" in page.text
                and page.headers["cache-control"] == "no-store"
            )
            assert phone.head(path).status_code == 200
        assert house.stored(case).state == "new" and len(entries(house, case)) == before
        tapped = phone.post(path)
        assert tapped.status_code == 200 and "张三" in tapped.text
        assert phone.get("/cases").status_code == 303, "a tap signs nobody in"
    last = entries(house, case)[-1]
    assert (last.kind, last.who, last.origin) == ("acknowledged", "zhang", "link:127.0.0.1")
    assert house.stored(case).assignee.login == "zhang"  # type: ignore[union-attr]


def test_a_second_tap_says_that_it_is_done(house: House) -> None:
    case = waiting(house, 2)
    with house.visitor() as phone:
        path = link(house, case)
        assert phone.post(path).status_code == 200
        assert phone.post(path).status_code == 409
        assert "<button>签收" not in phone.get(path).text
    assert [entry.kind for entry in entries(house, case)].count("acknowledged") == 1


def test_an_altered_foreign_or_late_link_is_refused(house: House) -> None:
    case = waiting(house, 3)
    path = link(house, case)
    with house.visitor() as phone:
        for odd in (path[:-2] + "xx", "/a/rubbish", "/a/" + "x" * 3000, link(house, case, key="another key")):
            assert phone.get(odd).status_code == phone.post(odd).status_code == 403, odd
        house.clock.ahead += timedelta(seconds=LIFETIME + 1)
        assert phone.get(path).status_code == phone.post(path).status_code == 410
    assert house.stored(case).state == "new"


def test_another_officer_cannot_use_it(house: House) -> None:
    case = waiting(house, 4)
    with house.visitor("li") as other:
        refused = other.post(link(house, case))
        assert refused.status_code == 403 and "另一位值班员" in refused.text
    assert house.stored(case).state == "new"
    with house.visitor("zhang") as own:
        assert own.post(link(house, case)).status_code == 200


def test_it_is_good_no_more_when_the_case_was_given_to_somebody_else(house: House) -> None:
    case = waiting(house, 5)
    path = link(house, case)
    house.assign(case, "li")
    with house.visitor() as phone:
        assert phone.get(path).status_code == phone.post(path).status_code == 403
        assert phone.post(link(house, 999_999)).status_code == 403
    assert house.stored(case).state == "new"


def test_an_officer_without_the_right_gets_nowhere_with_a_good_link(house: House) -> None:
    house.officer("ningbo", "ecology-duty", "330200")
    case = waiting(house, 6)
    with house.visitor() as phone:
        house.assign(case, "ningbo")
        assert phone.post(link(house, case, "zhang")).status_code == 403
        with house.console.deps.database.writing() as session:
            session.execute(sa.update(Officer).where(Officer.login == "ningbo").values(active=False))
        assert phone.post(link(house, case, "ningbo")).status_code == 403
    assert house.stored(case).state == "new"
