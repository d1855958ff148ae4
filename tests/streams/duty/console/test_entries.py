"""The timeline of a case speaks the reader's language where the platform wrote, and people's words as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.texts import DEFAULT
from streams.console.i18n import load_words
from streams.console.views import EntryView, entry_views
from streams.duty.accounts.rights import Origin
from streams.duty.cases.records import record
from streams.duty.cases.waiting import CLOCK
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case
from streams.duty.reasons import KEY, Reason, Why
from streams.duty.rosters.desk import Desk
from tests.streams.duty.moments import NOW
from tests.streams.duty.test_who_is_told import Room

NAMES = {"li.lei": "李雷", "han.mei": "韩梅"}
ENDED = Reason(Why.ACCOUNT_ENDED, {"login": "li.lei"})


def shown(
    text: str, detail: Any, language: str = DEFAULT, kind: str = "reassigned", origin: str = "roster check"
) -> EntryView:
    entry = AuditEntry(
        kind=kind,
        at=NOW,
        who="platform",
        origin=origin,
        level="red",
        text=text,
        detail=detail if isinstance(detail, str) else json.dumps(detail),
    )
    (view,) = entry_views([entry], NAMES, load_words()[language])
    return view


def test_a_reason_is_told_in_the_language_of_the_reader() -> None:
    detail = {"from": "li.lei", "to": "han.mei", "why": str(ENDED), KEY: ENDED.stored}
    assert shown(str(ENDED), detail).text == "李雷 的账号已停用"
    assert shown(str(ENDED), detail, "en").text == "the account of 李雷 was ended"
    assert shown(str(ENDED), detail).detail == "李雷 → 韩梅"


def test_what_was_written_before_there_were_codes_or_by_a_person_stands_as_it_is() -> None:
    old = {"from": "li.lei", "to": None, "why": "the account of li.lei was ended"}
    assert shown("the account of li.lei was ended", old).text == "the account of li.lei was ended"
    assert shown("请接手", {"from": "li.lei", "to": "han.mei"}).text == "请接手"
    later = {KEY: {"why": "of_a_later_version", "given": {}}}
    assert shown("words of a later version", later).text == "words of a later version"
    for broken in ("", "[]", "{"):
        assert shown("as it is", broken).text == "as it is"


@pytest.mark.parametrize("origin", Origin)
def test_what_the_platform_did_by_itself_is_told_in_the_language_of_the_reader(origin: Origin) -> None:
    assert shown("", {}, origin=origin.value).who == "平台"
    chinese, english = (shown("", {}, language, origin=origin.value).origin for language in ("zh", "en"))
    assert english in (origin.value, "warnings") and chinese != english and not chinese.isascii()
    assert shown("", {}, origin="api:10.0.0.7").origin == "api:10.0.0.7"


def test_what_did_not_arrive_is_told_with_its_reason_and_the_other_way() -> None:
    detail = {"channel": "sms", "reason": "HTTP 500", "instead": "mail", "to": "li.lei"}
    assert shown("", detail, kind="undelivered").detail == "sms：HTTP 500；改由 mail 发送"
    assert shown("", detail, "en", "undelivered").detail == "sms: HTTP 500; sent by mail instead"
    alone = detail | {"instead": None}
    assert shown("", alone, kind="undelivered").detail == "sms：HTTP 500；无其他渠道可用"
    assert shown("", alone, "en", "undelivered").detail == "sms: HTTP 500; there is no other channel"


def test_a_reason_of_the_platform_does_not_stand_before_what_a_person_wrote(
    database: Database, desk: Desk
) -> None:
    room = Room(database, desk)
    room.warn(level="blue")
    room.look()
    with room.session() as session:
        case = session.scalars(sa.select(Case)).one()
        record(session, case, "escalated", CLOCK, NOW, text="请尽快", reason=Reason(Why.RECORDS_LOST))
        record(session, case, "escalated", CLOCK, NOW, reason=Reason(Why.RECORDS_LOST), detail={"to": None})
        written, alone = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()[-2:]
        assert shown(written.text, written.detail, kind="escalated").text == "请尽快"
        assert shown(alone.text, alone.detail, kind="escalated").text == "值班记录丢失后预警仍未解除"
        assert alone.text == "still open after the records of duty were lost"
        assert json.loads(alone.detail) == {"to": None, KEY: Reason(Why.RECORDS_LOST).stored}
