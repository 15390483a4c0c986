"""The API client against a real server: retries, waits, refusals, and where the key goes."""

import pytest

from pipeline.backend.client import (
    BackendClient,
    BackendDown,
    KeyRefused,
    RequestRefused,
    read_backend_key,
)
from pipeline.backend.register import COMPLETED, PROCESSING, Register, Row, Update
from pipeline.options import UsageError
from tests.support.backend_server import KEY, backend_server

SESSION = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MODEL = "b2c3d4e5-f6a7-8901-bcde-f12345678901"


@pytest.fixture
def api(tmp_path):
    with backend_server(tmp_path) as server:
        server.put("sessions", {"id": SESSION, "storage_path": "sessions/a/"})
        yield server


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(api, waits):
    with BackendClient(api.url + "/v1/", KEY, sleep=waits.append, draw=lambda: 1.0) as made:
        yield made


def test_waits_double_and_end(api, client, waits):
    api.faults += [("GET", "/sessions", 503)] * 6
    with pytest.raises(BackendDown, match=r"GET /v1/sessions/.*: status 503, after 6 attempts"):
        client.get("sessions", SESSION)
    assert waits == [0.5, 1, 2, 4, 8]


def test_a_refusal_is_not_retried(api, client, waits):
    with pytest.raises(RequestRefused, match="status 422 validation_error") as refused:
        client.get("sessions", "no-uuid")
    assert refused.value.status == 422 and not waits
    with BackendClient(api.url, "other") as stranger, pytest.raises(KeyRefused):
        stranger.get("sessions", SESSION)


def test_lists_come_page_by_page(api, client):
    for _ in range(230):
        api.add_example(SESSION, MODEL)
    assert len({e["id"] for e in client.pages("examples", status="PENDING")}) == 230
    assert len([s for s in api.seen if s[1] == "/v1/examples"]) == 3


def test_ids_cannot_leave_their_place_in_the_path(api, client):
    with pytest.raises(RequestRefused):
        client.get("sessions", "../examples?x=")
    assert api.seen[-1][1].startswith("/v1/sessions/")


def test_a_lost_answer_creates_one_example(api, client, tmp_path):
    """The server had created it before the connection broke."""
    register = Register(str(tmp_path / "private"))
    row = Row(session_id=SESSION, model_id=MODEL)
    register.rows.append(row)
    body = {"session_id": SESSION, "model_id": MODEL, "model_configuration": {}}
    row.want(COMPLETED, storage_path="gs://bucket/examples/1/")
    client.post("examples", body=body, once="1")
    register.send(client)
    register.send(client)
    assert [s for _, s in api.history] == ["PENDING", "PENDING", "PROCESSING", "COMPLETED"]
    assert row.id == api.all("examples")[1]["id"] and not row.waits


def test_an_update_that_had_arrived_counts_as_sent(api, client, tmp_path):
    made = api.add_example(SESSION, MODEL)
    register = Register(str(tmp_path / "private"))
    register.rows.append(Row(id=made["id"], session_id=SESSION, given_path="examples/1/"))
    register.rows[0].want(COMPLETED, storage_path="out/examples/1/")
    register.send(client)
    register.rows[0].sent = Update(PROCESSING)  # as if the answer had been lost
    assert register.send(client).refused == 0
    assert Register(str(tmp_path / "private")).rows[0].sent.status == COMPLETED


def test_refused_updates_are_not_sent_for_ever(api, client, tmp_path):
    register = Register(str(tmp_path / "private"))
    register.rows.append(Row(id=SESSION.replace("7", "8"), session_id=SESSION))
    register.rows[0].want(PROCESSING)
    assert register.send(client).refused == 1
    before = len(api.seen)
    assert register.send(client).refused == 0 and len(api.seen) == before


@pytest.mark.parametrize("url", ["ftp://host", "host:80", "http://", "http://user:pw@host/"])
def test_urls_that_cannot_work(url):
    with pytest.raises(UsageError, match="--backend_url"):
        BackendClient(url, KEY)


def test_keys_come_from_a_file_or_the_environment(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("abc\n")
    assert read_backend_key(str(tmp_path / "key")) == "abc"
    monkeypatch.setenv("TRACEPIPE_API_KEY", " def ")
    assert read_backend_key(None) == "def"
    monkeypatch.setenv("TRACEPIPE_API_KEY", "a\nb")
    with pytest.raises(UsageError, match="TRACEPIPE_API_KEY"):
        read_backend_key(None)
