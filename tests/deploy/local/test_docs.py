"""Data Docs are served from the home, and a reader's browser is kept from talking to anybody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

from deploy.local.docs import POLICY, server
from deploy.local.process import free_port
from schemas.settings import Settings


def test_pages_are_served_with_a_policy(tmp_path: Path) -> None:
    settings = replace(Settings(), home=tmp_path, docs_port=free_port())
    with server(settings) as serving:
        (tmp_path / "docs" / "index.html").write_text("<p>verdicts</p>")
        Thread(target=serving.serve_forever, daemon=True).start()
        with urlopen(f"http://127.0.0.1:{settings.docs_port}/") as answer:
            assert answer.read() == b"<p>verdicts</p>"
            assert answer.headers["Content-Security-Policy"] == POLICY
        serving.shutdown()
