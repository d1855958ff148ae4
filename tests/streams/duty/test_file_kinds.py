"""Files of a case: what is taken, by media type, ending and content alike, and that nothing else is."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.duty.cases.file_kinds import KINDS, NAME_LENGTH, check, plain_name
from streams.duty.refusals import WrongType

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
DOCX = next(kind for kind in KINDS if "wordprocessing" in kind)
XLSX = next(kind for kind in KINDS if "spreadsheet" in kind)


def office(*names: str) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name in ("[Content_Types].xml", *names):
            file.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("现场.png", "image/png", PNG),
        ("a.JPEG", "image/jpeg", b"\xff\xd8\xff\xe0"),
        ("a.webp", "image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
        ("a.pdf", "Application/PDF", b"%PDF-1.7"),
        ("说明.txt", "text/plain; charset=utf-8", "\ufeff一切正常\r\n\t5 < 7".encode()),
        ("a.csv", "text/csv", b"a,b\n1,2\n"),
        ("a.docx", DOCX, office("word/document.xml")),
        ("a.xlsx", XLSX, office("xl/workbook.xml")),
    ],
)
def test_what_is_taken(name: str, kind: str, content: bytes) -> None:
    assert check(name, kind, content) == kind.partition(";")[0].lower()


PAGES = (
    b"<html>",
    b"<script>",
    b"  <svg onload=x>",
    b"<!DOCTYPE html>",
    b"\xef\xbb\xbf<?xml?>",
    b"<hta:application>",
    b"<% x %>",
)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["a.txt", "a.hta", "a.svg", "a.html", "a.txt.hta", "a.xml", "a.js", "a"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "text/csv", "text/html", "image/svg+xml", "application/hta", ""]
)
def test_pages_are_not_taken_whatever_they_call_themselves(name: str, kind: str, page: bytes) -> None:
    with pytest.raises(WrongType):
        check(name, kind, page)


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("a.hta", "text/plain", b"words"),
        ("a.svg", "text/plain", b"words"),
        ("a.bat", "text/plain", b"dir"),
        ("a.url", "text/plain", b"[InternetShortcut]"),
        ("a.txt", "text/plain", b"a\x00b"),
        ("a.txt", "text/plain", b"a\x1bb"),
        ("a.txt", "text/plain", "密".encode("gbk")),
        ("a.txt", "text/plain", b"MZ\x90\x00"),
        ("a.txt", "text/plain", b""),
        ("a.png", "image/png", b"<html>"),
        ("a.png", "image/jpeg", PNG),
        ("a.exe", "image/png", PNG),
        ("a.docx", DOCX, b"PK\x03\x04"),
        ("a.docx", DOCX, office("evil.hta")),
        ("a.docx", DOCX, office("xl/workbook.xml")),
        ("a.docx", DOCX, office("word/document.xml", "word/vbaProject.bin")),
        ("a.docm", DOCX, office("word/document.xml")),
        ("a.zip", "application/zip", office()),
        ("a.webp", "image/webp", b"RIFF\0\0\0\0WAVE"),
    ],
)
def test_what_is_not_taken(name: str, kind: str, content: bytes) -> None:
    with pytest.raises(WrongType):
        check(name, kind, content)


@given(st.text(max_size=30), st.text(max_size=20), st.binary(max_size=200))
def test_nothing_else_is_ever_taken_and_nothing_raises_anything_else(
    name: str, kind: str, content: bytes
) -> None:
    try:
        taken = check(name, kind, content)
    except WrongType:
        return
    assert taken in KINDS


@pytest.mark.parametrize(
    ("given_name", "plain"),
    [
        ("../现场.png", "现场.png"),
        ("C:\\x\\a.txt", "a.txt"),
        ("a\u202etxt.png", "atxt.png"),
        ("a.hta. ", "a.hta"),
        ("\r\na.txt", "a.txt"),
    ],
)
def test_a_name_is_a_name_alone(given_name: str, plain: str) -> None:
    assert plain_name(given_name) == plain


@pytest.mark.parametrize(
    "name", ["", "..", "/", "a.hta:.txt", 'a"b.txt', "a|b.txt", "x" * (NAME_LENGTH + 1), "\x00"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(WrongType):
        plain_name(name)
