"""Data Docs are served from the home, and a reader's browser is kept from talking to anybody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from deploy.local.docs import POLICY, server
from deploy.ports import free_port
from schemas.settings import Settings
from streams.http_guard import basic

PASSWORD = "a password of tests"


def ask(settings: Settings, path: str = "/", **headers: str) -> Any:
    """Ask as `admin`, unless other headers are given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"http://127.0.0.1:{settings.docs_port}{path}"
    return urlopen(Request(address, headers={"Authorization": basic(PASSWORD)} | named))


def test_pages_are_served_with_a_policy(tmp_path: Path) -> None:
    settings = replace(Settings(), home=tmp_path, docs_port=free_port(), console_admin_password=PASSWORD)
    with server(settings) as serving:
        (tmp_path / "docs" / "index.html").write_text("<p>verdicts</p>")
        Thread(target=serving.serve_forever, daemon=True).start()
        with ask(settings) as answer:
            assert answer.read() == b"<p>verdicts</p>"
            assert answer.headers["Content-Security-Policy"] == POLICY
        serving.shutdown()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Authorization": ""}, 401),
        ("/", {"Authorization": basic("wrong")}, 401),
        ("/", {"Host": "rebound.example"}, 421),
        ("/", {"Origin": "http://other.example"}, 403),
        ("/", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),
        ("/../secrets.json", {}, 404),
        ("/%2e%2e/secrets.json", {}, 404),
        ("/..%2fsecrets.json", {}, 404),
        ("//etc/passwd", {}, 404),
    ],
)
def test_who_has_no_password_or_asks_from_elsewhere_sees_nothing(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    (tmp_path / "secrets.json").write_text("{}")
    settings = replace(Settings(), home=tmp_path, docs_port=free_port(), console_admin_password=PASSWORD)
    with server(settings) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        with pytest.raises(HTTPError) as refused:
            ask(settings, path, **headers)
        with urlopen(f"http://127.0.0.1:{settings.docs_port}/healthz") as answer:
            assert answer.read() == b'{"status": "ok"}'
        serving.shutdown()
    with refused.value as error:
        assert error.code == status
