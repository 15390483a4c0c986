"""The model backend against a foreign OpenAI-compatible server: npm ``@copilotkit/aimock``.

Its answers are fixtures, so what is tested is that we understand a server that we did not write,
its faults included. Needs ``llmock`` (of ``npm install -g @copilotkit/aimock``) on the PATH, or
its place in ``TRACEMILL_LLMOCK``; else the tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.support.model_answers import expected_action
from tests.support.model_sessions import contexts, suite
from transforms.classify.model import client as client_module
from transforms.classify.model.classifier import ModelClassifier
from transforms.classify.model.loop import ModelLoop
from transforms.classify.model.settings import (
    ConfigurationFault,
    EndpointSettings,
    ModelSettings,
)

COMMAND = os.environ.get("TRACEMILL_LLMOCK") or shutil.which("llmock")
MARKERS = [f"foreign note {i:03}" for i in range(60)]
ACTIONS = [a.name for a in suite().actions]

pytestmark = pytest.mark.skipif(
    not COMMAND,
    reason="llmock is not here; npm install -g @copilotkit/aimock, or set TRACEMILL_LLMOCK",
)


def answer(marker: str) -> str:
    return json.dumps(
        {
            "evidence": ["s1"],
            "choice": {
                "action": expected_action(marker, ACTIONS),
                "parameters": {"value": {"value": marker, "from": ["s1"]}},
            },
            "confidence": 0.9,
        }
    )


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts the foreign server with options; gives its base URL."""
    fixtures = tmp_path / "fixtures.json"
    rows = [{"match": {"userMessage": m}, "response": {"content": answer(m)}} for m in MARKERS]
    fixtures.write_text(json.dumps({"fixtures": rows}))
    running = []
    monkeypatch.setattr(client_module, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setenv("FOREIGN_KEY", "a-test-key")

    def run(*options: str, **environment: str) -> str:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        command = [COMMAND, "-h", "127.0.0.1", "-p", str(port), "-f", str(fixtures), *options]
        running.append(
            subprocess.Popen([*command, "--log-level", "silent"], env={**os.environ, **environment})
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
        return f"http://127.0.0.1:{port}/v1"

    yield run
    for process in running:
        process.kill()
        process.wait()


def classify(url, cache, markers, **fields):
    endpoint = EndpointSettings(base_url=url, key="env:FOREIGN_KEY", concurrency=8, **fields)
    classifier = ModelClassifier(ModelSettings(model="gpt-4o", endpoint=endpoint, cache=str(cache)))
    # A session each: a fixture is chosen by a text that only one prompt may hold.
    work = classifier.classify_all([contexts([m], session=m)[0] for m in markers])
    return ModelLoop.shared().submit(work).result(60), classifier


def right(found, markers):
    return [f.action for f in found] == [expected_action(m, ACTIONS) for m in markers]


def test_answers_are_understood_and_kept(start, tmp_path):
    url = start()
    found, _ = classify(url, tmp_path / "cache", MARKERS)
    assert right(found, MARKERS)
    assert [f.parameters["value"] for f in found] == MARKERS
    assert all(f.confidence_source in ("logprobs", "votes", "verbal") for f in found)
    again, classifier = classify(url, tmp_path / "cache", MARKERS, attempts=9)
    assert again == found
    assert classifier.endpoint.counts["calls"] == 0


@pytest.mark.parametrize("fault", ["drop", "malformed", "disconnect", "ratelimit"])
def test_its_faults_lose_nothing(start, tmp_path, fault):
    url = start(f"--chaos-{fault}", "0.2")
    found, classifier = classify(url, tmp_path / "cache", MARKERS)
    assert right(found, MARKERS)
    assert classifier.endpoint.counts["calls"] > len(MARKERS)


def test_a_wrong_key_is_a_configuration_fault(start, tmp_path):
    url = start(AIMOCK_API_KEYS="another-key")
    with pytest.raises(ConfigurationFault, match="HTTP 401"):
        classify(url, tmp_path / "cache", MARKERS[:3])


def test_what_it_has_no_answer_for_is_failed_and_the_rest_goes_on(start, tmp_path):
    found, _ = classify(
        start("--strict"), tmp_path / "cache", [*MARKERS[:5], "unknown"], attempts=2
    )
    assert right(found[:5], MARKERS[:5])
    assert (found[5].status, found[5].action) == ("failed", None)
