"""The reply cache on ``gs://`` and ``s3://``, against servers on this machine."""

import itertools
import os
import threading

import pytest

from tests.support.model_answers import expected_action
from tests.support.model_server import ModelServer
from tests.support.model_sessions import contexts, suite
from tests.support.object_stores import fake_gcs_server, gcs_emulator, missing_go_tool, s3_server
from transforms import storage
from transforms.classify.model.cache import ReplyCache, request_key
from transforms.classify.model.classifier import ModelClassifier
from transforms.classify.model.loop import ModelLoop
from transforms.classify.model.settings import EndpointSettings, ModelSettings

BUCKET = "replies"
STORES = {
    # name: (how it is started, prefix, whether it keeps preconditions)
    "fake-gcs-server": (fake_gcs_server, f"gs://{BUCKET}", True),
    "gcp-storage-emulator": (gcs_emulator, f"gs://{BUCKET}", False),
    "moto": (s3_server, f"s3://{BUCKET}", True),
}
ACTIONS = [a.name for a in suite().actions]
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=sorted(STORES))
def store(request, tmp_path_factory):
    """(prefix, whether it keeps preconditions) of a running store."""
    if request.param == "fake-gcs-server" and (why := missing_go_tool(request.param)):
        pytest.skip(why)
    start, prefix, conditional = STORES[request.param]
    folder = tmp_path_factory.mktemp("store")
    with start(folder, BUCKET) as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables, "TEST_MODEL_KEY": "test-key"}.items():
            patch.setitem(os.environ, name, value)
        yield prefix, conditional


@pytest.fixture
def root(store):
    """A folder that nobody has used."""
    return f"{store[0]}/cache-{next(_numbers)}"


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


def classified(server, cache, markers):
    # A time-out that no other call has: an endpoint, and a view of the cache, of its own.
    endpoint = EndpointSettings(
        base_url=server.base_url, key="env:TEST_MODEL_KEY", timeout_s=20 + next(_numbers) / 1000
    )
    classifier = ModelClassifier(ModelSettings(model="fake-1", endpoint=endpoint, cache=cache))
    work = classifier.classify_all(contexts(markers))
    return ModelLoop.shared().submit(work).result(120)


def quarantined(root):
    return sorted(storage.read_bytes(s.uri) for s in storage.walk(f"{root}/quarantine"))


def test_a_warm_run_makes_no_calls(server, root):
    markers = [f"note {i}" for i in range(40)]
    server.reset(faults={"wrong_label": 0.1, "429": 0.1, "truncated": 0.1}, retry_after_s=0.01)
    before = classified(server, root, markers)
    for marker, said in zip(markers, before):
        assert said.action in (None, expected_action(marker, ACTIONS))
    calls = len(server.trace())
    assert calls > 40
    assert classified(server, root, markers) == before
    assert len(server.trace()) == calls


def test_the_first_writer_wins(store, root):
    if not store[1]:
        pytest.skip("this emulator ignores preconditions")
    key = request_key("race")
    barrier = threading.Barrier(8)
    got = [b""] * 8

    def write(number):
        cache = ReplyCache(root)
        barrier.wait()
        got[number] = cache.put(key, b"%d" % number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert ReplyCache(root).get(key) == got[0]
    assert ReplyCache(root).put(key, b"late") == got[0]


@pytest.mark.parametrize("spoil", [lambda whole: whole[:-1], lambda whole: b"", lambda _: b"[]\n"])
def test_a_damaged_entry_is_kept_aside_and_replaced(root, spoil):
    cache, key = ReplyCache(root), request_key("a")
    cache.put(key, b"a reply")
    damaged = spoil(storage.read_bytes(cache.path(key)))
    storage.write_bytes(cache.path(key), damaged)
    assert cache.get(key) is None
    assert quarantined(root) == [damaged]
    assert cache.put(key, b"new") == b"new"
    assert cache.get(key) == b"new"


def test_a_damaged_entry_is_paid_for_once_more(server, root):
    server.reset()
    before = classified(server, root, ["a", "b"])
    for entry in list(storage.walk(root)):
        data = storage.read_bytes(entry.uri)
        if b'"choices"' in data:
            storage.write_bytes(entry.uri, data[:-5])
    assert classified(server, root, ["a", "b"]) == before
    assert len(server.trace()) == 4
    assert len(quarantined(root)) == 2
    assert classified(server, root, ["a", "b"]) == before
    assert len(server.trace()) == 4
