"""Every page of the console, opened from another county: nothing written in Hangzhou stands on it."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Mount, Route

from tests.streams.duty.console.house import house_open, settings_for
from tests.streams.duty.marks import MARK, REPLAY, mark

OTHERWISE = ("/events", "/oidc/begin", "/oidc/callback", "/a/{token}", "/api/v1/{path:path}")
"""A stream without end (its events: test_live), an officer's own links, and the API, which has its own walk."""
QUERIES = {
    "/cases": (
        "?whose=all&state=any",
        "?whose=all&state=any&region=330110",
        "?whose=all&rule=ecology.pm25-high",
    ),
    "/replays": ("", f"?timeline={REPLAY}"),
    "/roster": ("", "?week=2026-11-23"),
}
TOLD_TO_HEAD = {
    "/cases",
    "/cases/{case:int}",
    "/cases/{case:int}/attachments/{file:int}",
    "/replays",
}


def test_nothing_of_another_county_stands_on_any_page(tmp_path: Path) -> None:
    with house_open(settings_for(tmp_path)) as house:
        deps = house.console.deps
        with deps.database.writing() as session:
            marked = mark(session, deps.desk(), house.clock())
        for login, role, region in (
            ("head", "supervisor", "330000"),
            ("haishu", "ecology-duty", "330203"),
            ("ningbo", "viewer", "330200"),
            ("health-here", "health-duty", "330203"),
        ):
            house.officer(login, role, region)
        known = {"case:int": marked.case, "file:int": marked.file, "indicator": MARK, "language": "en"}
        routes = house.console.app.routes  # type: ignore[attr-defined]
        shown = set()
        with house.visitor("head") as head:
            strangers = {name: house.visitor(name) for name in ("haishu", "ningbo", "health-here")}
            clients = {name: opened.__enter__() for name, opened in strangers.items()}
            for route in routes:
                if isinstance(route, Mount) or route.path in OTHERWISE:
                    continue
                assert isinstance(route, Route) and route.methods is not None
                if "GET" not in route.methods:
                    continue
                path = route.path
                for name, value in known.items():
                    path = path.replace(f"{{{name}}}", str(value))
                assert "{" not in path, f"say what to ask of {route.path}"
                for query in QUERIES.get(route.path, ("",)):
                    if MARK in head.get(path + query).text:
                        shown.add(route.path)
                    for name, client in clients.items():
                        answer = client.get(path + query)
                        text = answer.text.replace(f"{REPLAY}", "") if "timeline" in query else answer.text
                        if MARK in path:
                            text = text.replace(path, "").replace(f"indicator {MARK}", "")
                        assert answer.status_code < 500 and MARK not in text, (name, path, query)
            for opened in strangers.values():
                opened.__exit__(None, None, None)
        assert shown >= TOLD_TO_HEAD
