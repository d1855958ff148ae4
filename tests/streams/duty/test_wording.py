"""What people write: refused where it does not show what it says, whole where it does, safe wherever it goes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.text import cell, control
from streams.duty.accounts.officers import add_officer
from streams.duty.cases import service
from streams.duty.cases.queries import entries_of
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Officer, Silence
from streams.duty.notify.silencing import add_silence
from streams.duty.refusals import Invalid
from streams.duty.rosters.desk import Desk
from streams.duty.shifts import substitutes
from streams.duty.wording import EMAIL, LINE, LINES, PHONE, SAID, SAID_IN_LINE, TEXT_LENGTH, address, wording
from streams.duty.words import one_line
from tests.streams.duty.moments import NOW, actor_named, at, opened, root

BAD = {
    "NUL": "a\0b",
    "escape": "a\x1b[31mb",
    "DEL": "a\x7fb",
    "C1": "a\x85b",
    "line separator": "a\u2028b",
    "right-to-left override": "invoice\u202efdp.exe",
    "isolate": "a\u2066b",
    "half a character": "a\ud800b",
}
NOTHING = {
    "": "",
    "spaces": " \t\n",
    "ideographic space": "\u3000",
    "zero width": "\u200b\u2060",
    "filler": "\u3164",
}
GOOD = ["现场已处置 👨‍👩‍👧 🇨🇳", "=cmd|' /C calc'!A0", "line\r\nline\ttab", "שלום", "x" * TEXT_LENGTH]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is refused depends on no database."""
    return sqlite_url


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_does_not_show_what_it_says_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid, match=r"holds the character U\+[0-9A-F]{4}, which no text may hold"):
        wording(text, "text")


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING)
def test_what_says_nothing_is_refused_or_is_nothing(text: str) -> None:
    with pytest.raises(Invalid, match="must say something"):
        wording(text, "text")
    if not text.strip():
        assert wording(text, "text", optional=True) == ""
    assert not re.search(SAID, text)


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_may_be_written_is_kept_as_it_is(text: str) -> None:
    assert wording(text, "text") == text
    assert re.search(LINES, text) and re.search(SAID, text)


def test_a_name_is_one_line_and_nothing_is_longer_than_it_may_be() -> None:
    with pytest.raises(Invalid, match=r"U\+000D"):
        wording("张三\r\nBcc: x@example.org", "name", lines=False)
    with pytest.raises(Invalid, match="has 10,001 characters; 10,000 are the most"):
        wording("x" * (TEXT_LENGTH + 1), "text")


@given(st.text())
def test_the_interface_says_the_same_as_the_service(text: str) -> None:
    """What the pattern of JSON Schema takes is taken, and the other way round; half characters are no JSON."""
    for lines, pattern in ((True, SAID), (False, SAID_IN_LINE)):
        try:
            wording(text, "text", lines=lines)
            taken = True
        except Invalid:
            taken = False
        if (text == text.strip() and text.isascii()) or max(text, default="") < "\ud800":
            assert taken == bool(re.search(pattern, text.strip())), repr(text)


def test_every_character_is_refused_in_all_places_or_in_none() -> None:
    """In what people write, in patterns of the interface, and in lines of a log and a subject."""
    for code in (*range(0xD800), *range(0xE000, 0x11_0000)):
        char = chr(code)
        refused = bool(control(char))
        assert refused != bool(re.fullmatch(LINE[1:-1], char)), hex(code)
        assert bool(control(char, lines=True)) != bool(re.fullmatch(LINES[1:-1], char)), hex(code)
        assert not refused or one_line(f"a{char}b") == "a b", hex(code)


@pytest.mark.parametrize(
    "email", ["a@example.org\r\nBcc: b@example.org", "a b@example.org", "a", "@", "a@b@c", "张@x.cn"]
)
def test_an_address_is_one_address(email: str) -> None:
    with pytest.raises(Invalid, match="must be an address such as x@y"):
        address(email, "email", EMAIL, 200, "an address such as x@y")
    assert address("a.b+c@example.org", "email", EMAIL, 200, "") == "a.b+c@example.org"
    assert address("", "email", EMAIL, 200, "") == ""
    with pytest.raises(Invalid, match="must be a number"):
        address("138\n", "phone", PHONE, 30, "a number")


@pytest.mark.parametrize("text", [*BAD.values(), "\u200b"], ids=[*BAD, "zero width"])
def test_no_door_of_the_desk_takes_it(database: Database, desk: Desk, text: str) -> None:
    with database.writing() as session:
        actor = root(desk.regions)
        case = opened(session, desk)
        span = {"starts": NOW, "ends": at(30)}
        doors = [
            lambda: service.comment(session, desk, actor, NOW, case.id, text=text),
            lambda: service.escalate(session, desk, actor, NOW, case.id, text=text),
            lambda: add_silence(
                session,
                desk.regions,
                actor,
                NOW,
                rules=[],
                where=["330000"],
                levels=[],
                reason=text,
                known=(),
                **span,
            ),
            lambda: substitutes.override(
                session, desk, actor, NOW, team="ecology-province", officer=None, reason=text, **span
            ),
            lambda: substitutes.handover(
                session,
                desk,
                actor,
                NOW,
                team="ecology-province",
                giver="ecology-1",
                to="ecology-2",
                note=text,
            ),
            lambda: add_officer(session, actor, NOW, desk.regions, login="x", name=text, grants=[]),
        ]
        for door in doors:
            with pytest.raises(Invalid):
                door()
        assert (
            session.query(Silence).count() == 0 and session.query(Officer).filter_by(login="x").count() == 0
        )
        session.rollback()


def test_the_longest_note_of_a_handover_goes_with_each_of_its_cases(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        case = opened(session, desk)
        giver = actor_named(session, "hangzhou-ecology-2", desk.regions)
        note = "交" * TEXT_LENGTH
        done = substitutes.handover(
            session, desk, giver, at(1), team="ecology-hangzhou", to="hangzhou-ecology-1", note=note
        )
        assert done.note == note
        session.flush()
        assert any(entry.text.startswith("handover: 交") for entry in entries_of(session, case))


def test_a_question_of_several_lines_gives_a_title_of_one(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        actor = root(desk.regions)
        case = opened(session, desk)
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.dispose(session, desk, actor, at(2), case.id, done="x")
        service.require_feedback(
            session, desk, actor, at(3), case.id, question="a\r\nSubject: b", regions=["330203"]
        )
        assert session.get_one(Case, 2).title == "举一反三: a Subject: b"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"])
def test_a_formula_is_a_text_in_a_cell(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "-1.5", "+3", "-1e9", "2026-11-25", "杭州市"])
def test_other_cells_are_as_they_are(text: str) -> None:
    assert cell(text) == text
    assert re.search(LINE, text)
