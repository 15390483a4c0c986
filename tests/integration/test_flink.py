"""The job on a real Flink cluster: equal files, also when a TaskManager dies on the way.

The job server is older than the SDK (see ``deploy/flink/pom.xml``); another jar is tested with
``TRACEMILL_FLINK_JOB_SERVER_JAR=/path``.
"""

import json
import os
import re
import subprocess
import threading
import time
import urllib.error

import pytest

from deploy.flink import artefacts
from deploy.flink.cluster import flags, local_cluster, session_members, write_boot
from tests.pipeline.jobs import ENVIRONMENT, command, job, manifest, tracemill, version_files
from tests.support.object_stores import s3_server
from tests.support.synthetic import write_catalogue, write_sessions
from transforms import storage

WHY_NOT = artefacts.missing()
pytestmark = [
    pytest.mark.flink,
    pytest.mark.slow,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
]
SESSIONS = 12
KEY = "cd" * 32
PLANTED = "Passphrase-correct-horse-7741"
TIMEOUT_S = 400


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Sessions, one with a broken line that holds a secret; and what one process makes of them."""
    folder = tmp_path_factory.mktemp("flink")
    write_sessions(folder / "sessions", SESSIONS)
    first = sorted((folder / "sessions").iterdir())[0]
    with (first / "input_events.jsonl").open("a") as events:
        events.write('{"type": "keydown", "key": "' + PLANTED + "\n")
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text(KEY)
    tracemill(*arguments(folder, folder / "one"))
    return folder


def arguments(place, output, *more):
    given = job(place / "sessions", place / "suite.json", output)
    return [*given, f"--privacy_key_file={place / 'key'}", *more]


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3"), "outputs") as variables:
        yield variables


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, s3):
    folder = tmp_path_factory.mktemp("cluster")
    with local_cluster(folder) as running:
        running.boot = write_boot(folder, s3)
        yield running
    left = [pid for session in running.sessions for pid in session_members(session)]
    assert not left, "processes outlived the cluster"


def on_flink(cluster, parallelism=2):
    jar = os.environ.get("TRACEMILL_FLINK_JOB_SERVER_JAR")
    return flags(cluster, cluster.boot, jar, parallelism)


def test_the_files_are_those_of_one_process(place, cluster, tmp_path):
    out = tmp_path / "out"
    tracemill(*arguments(place, out, *on_flink(cluster)), timeout_s=TIMEOUT_S)
    assert version_files(out) == version_files(place / "one")
    again = tracemill(*arguments(place, out, *on_flink(cluster)))
    assert again.stdout.startswith("nothing to do")


def test_a_killed_task_manager_changes_nothing(place, cluster, s3, monkeypatch):
    """The output is on S3. The kill comes while sessions are read, so work is done twice."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    process = subprocess.Popen(
        command(*arguments(place, "s3://outputs/out", *on_flink(cluster, parallelism=4))),
        env={**ENVIRONMENT, **s3},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.read()), daemon=True)
    reader.start()
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not list(storage.walk("s3://outputs/out/checkpoints")):
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.2)
        victim = busiest(cluster)
        cluster.kill_task_manager(victim)
        assert not list(storage.walk("s3://outputs/out/manifest.json"))
        time.sleep(2)
        cluster.start_task_manager(f"{victim}-again")
        assert process.wait(max(1, deadline - time.monotonic())) == 0, said
    finally:
        process.kill()
        reader.join(10)
    restarted = [j for j in cluster.get("/jobs/overview")["jobs"] if restarts(cluster, j["jid"])]
    assert restarted, "the job finished without noticing the kill"
    found = json.loads(storage.read_bytes("s3://outputs/out/manifest.json"))
    assert found["files"] == manifest(place / "one")["files"]
    for entry in found["files"]:
        uri = storage.join("s3://outputs/out", found["path"], entry["path"])
        assert len(storage.read_bytes(uri)) == entry["bytes"]
    listed = {s.uri.partition(found["path"] + "/")[2] for s in storage.walk(
        storage.join("s3://outputs/out", found["path"])
    )}  # fmt: skip
    assert listed == {entry["path"] for entry in found["files"]}


def test_sigterm_cancels_the_job(place, cluster, tmp_path):
    out = tmp_path / "out"
    known = {j["jid"] for j in cluster.get("/jobs/overview")["jobs"]}
    process = subprocess.Popen(
        command(*arguments(place, out, *on_flink(cluster))),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + TIMEOUT_S

    def mine():
        return [j for j in cluster.get("/jobs/overview")["jobs"] if j["jid"] not in known]

    try:
        while not [j for j in mine() if j["state"] == "RUNNING"]:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        process.terminate()
        assert process.wait(60) == 143
    finally:
        process.kill()
    while [j for j in mine() if j["state"] != "CANCELED"]:
        assert time.monotonic() < deadline, mine()
        time.sleep(0.5)
    assert not (out / "manifest.json").exists()


def busiest(cluster):
    """The TaskManager with most tasks in RUNNING now."""
    counts = {}
    for found in cluster.get("/taskmanagers")["taskmanagers"]:
        counts[found["id"]] = found["slotsNumber"] - found["freeSlots"]
    return max((name for name in counts if name in cluster.running), key=counts.get)


def restarts(cluster, job_id):
    url = f"/jobs/{job_id}/metrics?get=numRestarts"
    try:
        metrics = cluster.get(url)
    except urllib.error.HTTPError:
        metrics = []
    if any(int(m["value"]) > 0 for m in metrics):
        return True
    return "RESTARTING" in (cluster.folder / "log" / "jobmanager.log").read_text()


def test_worker_logs_hold_no_secret(place, cluster, s3):
    """After the two jobs above: neither the key nor recorded text is in any log."""
    logs = [p.read_text(errors="replace") for p in (cluster.folder / "log").glob("*.log")]
    assert len(logs) >= 3 and any("tracemill" in text or "Beam Fn" in text for text in logs)
    typed = recorded_text(place)
    for text in logs:
        assert KEY not in text and repr(bytes.fromhex(KEY)) not in text
        assert PLANTED not in text
        assert not [t for t in typed if t in text]


def recorded_text(place):
    """The titles that people typed, as the last value of each field."""
    found = set()
    for path in (place / "sessions").glob("*/input_events.jsonl"):
        found.update(re.findall(r'"value": "([^"]{12,})"', path.read_text()))
    assert found
    return found
