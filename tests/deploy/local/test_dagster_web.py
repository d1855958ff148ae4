"""Dagster itself asks nobody and runs mutations by GET; behind our door neither is so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect

from dagster_project.orchestrate.instance import prepare_instance
from deploy.local.dagster_web import guarded
from schemas.settings import Settings
from streams.http_guard import OK, basic

SETTINGS = replace(Settings(), console_admin_password="a password of tests")
HERE = "http://127.0.0.1:13000"
KNOWN = {"Authorization": basic(SETTINGS.console_admin_password)}
MUTATION = "mutation { setNuxSeen }"
DONE = {"data": {"setNuxSeen": True}}


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ASGIApp]:
    """Dagster's own application, without any code to show."""
    folder = prepare_instance(tmp_path_factory.mktemp("home"))
    with (
        DagsterInstance.from_config(str(folder)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield create_app_from_workspace_process_context(context)


@pytest.fixture
def client(dagster: ASGIApp) -> TestClient:
    return TestClient(guarded(dagster, SETTINGS), base_url=HERE)


def test_dagster_alone_would_do_it(dagster: ASGIApp) -> None:
    bare = TestClient(dagster, base_url=HERE)
    assert bare.get("/graphql", params={"query": MUTATION}).json() == DONE


def test_its_own_pages_may_change_something(client: TestClient) -> None:
    own = KNOWN | {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/graphql", json={"query": MUTATION}, headers=own).json() == DONE
    assert client.post("/graphql", json={"query": "{ __typename }"}, headers=KNOWN).json()["data"]
    with client.websocket_connect("ws://127.0.0.1:13000/graphql", ["graphql-ws"], headers=own) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_no_mutation_runs_by_another_method(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path, params={"query": MUTATION}, headers=KNOWN | {"Accept": "*/*"})
    assert answer.status_code == 405 and answer.headers["Allow"] == "POST"


def test_the_page_to_try_queries_in_runs_nothing(client: TestClient) -> None:
    answer = client.get("/graphql", params={"query": MUTATION}, headers=KNOWN | {"Accept": "text/html"})
    assert answer.status_code == 200 and "setNuxSeen" not in answer.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data",
             "text/plain; application/json", ""]
)  # fmt: skip
def test_no_mutation_runs_as_what_a_form_may_send(client: TestClient, kind: str) -> None:
    body = b'{"query": "mutation { setNuxSeen }"}'
    answer = client.post("/graphql", content=body, headers=KNOWN | {"Content-Type": kind})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": basic("")}, 401),
        ({"Authorization": "Bearer x"}, 401),
        (KNOWN | {"Host": "rebound.example"}, 421),
        (KNOWN | {"Origin": "http://other.example"}, 403),
        (KNOWN | {"Origin": "null"}, 403),
        (KNOWN | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        (KNOWN | {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
    ],
)
def test_neither_strangers_nor_other_pages_reach_it(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/graphql", json={"query": MUTATION}, headers=headers).status_code == status
    assert client.post("/report_asset_materialization/x", json={}, headers=headers).status_code == status
    assert client.get("/runs", headers=headers).status_code == status
    assert client.get("/logs/x/compute_logs/y.err", headers=headers).status_code == status
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://127.0.0.1:13000/graphql", ["graphql-ws"], headers=headers),
    ):
        pass


def test_whether_it_is_up_may_be_asked(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, OK)
    assert client.get("/healthz", headers={"Host": "rebound.example"}).status_code == 421
    assert client.get("/server_info").status_code == 401, "it tells versions"
    assert client.get("/server_info", headers=KNOWN).status_code == 200
