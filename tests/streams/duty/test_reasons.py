"""Why nobody is on duty, or somebody is told no more: codes that are stored, words in the reader's language."""

from __future__ import annotations

import json
from string import Formatter

import pytest

from streams.duty.reasons import KEY, Reason, Why, reasons_words, stored_reason, words_of

ROLE = {"login": "li.lei", "role": "health-duty", "region": "330110"}
TURN = {"team": "night", "shift": "late"}
CASES: dict[Why, tuple[dict[str, str | int], str, str]] = {
    Why.NO_TEAM: ({}, "no team", "未设值班组"),
    Why.NO_SHIFT: ({"team": "night"}, "no shift of night", "值班组 night 此时无班次"),
    Why.TURN_TAKEN_AWAY: (
        {**TURN},
        "late of night: an override takes the officer away",
        "值班组 night 的班次 late 经临时调整后无人值班",
    ),
    Why.TURN_WITHOUT_ACCOUNT: (
        {**TURN, "login": "li.lei"},
        "late of night: li.lei has no active account",
        "值班组 night 的班次 late：李雷 无可用账号",
    ),
    Why.TURN_WITHOUT_ROLE: (
        {**TURN, **ROLE},
        "late of night: li.lei holds no role of health-duty in 330110 any more",
        "值班组 night 的班次 late：李雷 已不再担任余杭区的 health-duty",
    ),
    Why.ACCOUNT_ENDED: ({"login": "li.lei"}, "the account of li.lei was ended", "李雷 的账号已停用"),
    Why.ROLE_TAKEN: (
        {**ROLE},
        "li.lei holds no role of health-duty in 330110 any more",
        "李雷 已不再担任余杭区的 health-duty",
    ),
    Why.OFFICE_TAKEN: (
        {**ROLE},
        "li.lei holds health-duty in 330110 no more",
        "李雷 已卸任余杭区的 health-duty",
    ),
    Why.ROSE: ({"level": "red"}, "the warning rose to red", "预警升级为红色"),
    Why.MERGED_ROSE: (
        {"id": 7, "level": "orange"},
        "the warning of case 7, merged into it, rose to orange",
        "并入本案件的 #7 预警升级为橙色",
    ),
    Why.RECORDS_LOST: (
        {},
        "still open after the records of duty were lost",
        "值班记录丢失后预警仍未解除",
    ),
    Why.OVER: ({}, "the warning is over", "预警已结束"),
    Why.TAKEN: ({}, "the case is taken", "预警已签收"),
    Why.ASKED_ANEW: ({}, "somebody was asked anew since", "此后已另行通知"),
    Why.BEGINNING_UNTOLD: ({}, "its reader was not told of the warning", "预警发生时未曾通知此人"),
    Why.FOR_OTHERS: (
        {"channel": "sms"},
        "channel sms is for other regions or roles",
        "渠道 sms 只用于其他地区或岗位",
    ),
    Why.SILENCE: ({"id": 3, "text": "{drill}"}, "silence 3: {drill}", "静默 3：{drill}"),
    Why.GRAVER_CASE: ({"id": 9, "level": "red"}, "case 9 is red", "有级别更高的预警 #9（红色）"),
}


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_words_in_both_languages(why: Why) -> None:
    given, english, chinese = CASES[why]
    reason = Reason(why, given)
    assert str(reason) == words_of(reason) == english
    assert words_of(reason, "zh", {"li.lei": "李雷"}) == chinese


@pytest.mark.parametrize("why", Why)
def test_what_is_stored_is_read_again(why: Why) -> None:
    reason = Reason(why, CASES[why][0])
    assert stored_reason(json.loads(json.dumps({KEY: reason.stored, "from": "x"}))) == reason


@pytest.mark.parametrize("why", Why)
def test_its_words_need_in_both_languages_what_is_given(why: Why) -> None:
    for words in reasons_words().values():
        places = {name for _, name, _, _ in Formatter().parse(words.texts[why.value]) if name}
        assert places == set(CASES[why][0])


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"why": "the account of a was ended"},
        {KEY: "the account of a was ended"},
        {KEY: {"why": "of_a_later_version", "given": {}}},
        {KEY: {"why": ["over"], "given": {}}},
        {KEY: {"why": "account_ended", "given": {"who": "a"}}},
        {KEY: {"why": "account_ended", "given": None}},
    ],
)
def test_what_another_version_stored_is_no_reason_and_shown_as_it_stands(told: object) -> None:
    assert stored_reason(told) is None


def test_what_is_not_known_by_name_stands_as_it_is() -> None:
    reason = Reason(Why.ROLE_TAKEN, {"login": "gone", "role": "r", "region": "999999"})
    assert words_of(reason, "zh", {"li.lei": "李雷"}) == "gone 已不再担任999999的 r"
