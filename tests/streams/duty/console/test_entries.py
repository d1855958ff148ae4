"""The timeline of a case speaks the reader's language where the platform wrote, and people's words as they are."""

from __future__ import annotations

import json
from typing import Any

from schemas.texts import DEFAULT
from streams.console.i18n import load_words
from streams.console.views import EntryView, entry_views
from streams.duty.database.models import AuditEntry
from streams.duty.reasons import KEY, Reason, Why
from tests.streams.duty.moments import NOW

NAMES = {"li.lei": "李雷", "han.mei": "韩梅"}
ENDED = Reason(Why.ACCOUNT_ENDED, {"login": "li.lei"})


def shown(text: str, detail: Any, language: str = DEFAULT) -> EntryView:
    entry = AuditEntry(
        kind="reassigned",
        at=NOW,
        who="platform",
        origin="roster check",
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
