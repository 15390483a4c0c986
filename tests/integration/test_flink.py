"""The job on a real Flink cluster: equal files whatever is killed, resume, and silent logs.

Moments are found by looking at what processes have open and at what lies in the output; Commit is
held by the lock that it takes itself. One cluster serves all tests. The job server is older than
the SDK (see ``deploy/flink/pom.xml``); another jar is tested with
``TRACEMILL_FLINK_JOB_SERVER_JAR=/path``.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time

import pytest

from deploy.flink import artefacts
from deploy.flink.cluster import flags, local_cluster, session_members, write_boot
from pipeline.runner import job_names
from tests.pipeline.jobs import ENVIRONMENT, EXAMPLES, command, summary, tracemill
from tests.support.flink_processes import (
    command_line,
    commit_held,
    connected,
    holding,
    kill,
    listening_elsewhere,
    running,
    task_manager_of,
    workers,
)
from tests.support.model_server import ModelServer
from tests.support.object_stores import s3_server
from transforms import storage
from transforms.classify.model.cache import request_key

WHY_NOT = artefacts.missing()
pytestmark = [
    pytest.mark.flink,
    pytest.mark.slow,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
]
SESSIONS = [
    "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a",
    "38b3c78a-4012-5e81-9fe9-5d627d9b7d2f",
    "4e9d7e1f-98ec-54c5-bd79-96ee56cfcd71",
]
ONE_MORE = "0814a693-2a4a-5bb7-aaee-e9031569ecd2"
KEY = "cd" * 32
MODEL_KEY = "sk-test-0n-fl1nk"
PLANTED = "Passphrase-correct-horse-7741"
LATENCY = {"key": MODEL_KEY, "latency_s": [0.5, 0.6], "keep_bodies": True}
SLOW = {"key": MODEL_KEY, "latency_s": [2, 2]}
TIMEOUT_S = 400


class Place:
    """Sessions, the model's server, and a cluster; ``one`` is what one process makes of them."""

    def __init__(self, folder, server, cluster):
        self.folder, self.server, self.cluster = folder, server, cluster
        self.sessions, self.one = folder / "sessions", folder / "one"
        for session in SESSIONS:
            shutil.copytree(EXAMPLES / "sessions" / session, self.sessions / session)
        with (self.sessions / SESSIONS[0] / "input_events.jsonl").open("a") as events:
            events.write('{"type": "keydown", "key": "' + PLANTED + "\n")
        (folder / "key").write_text(KEY)
        (folder / "scrubber.yaml").write_text("names: {model: none}\n")

    def arguments(self, output, *more):
        return [
            "run", "--input", self.sessions, f"--suite={EXAMPLES / 'catalogue.yaml'}",
            f"--output={output}", "--visual=withhold", "--fail_fast",
            f"--scrubber_config={self.folder / 'scrubber.yaml'}",
            f"--privacy_key_file={self.folder / 'key'}", "--classifier=openai", "--model=fake-1",
            f"--model_base_url={self.server.base_url}", "--model_concurrency_per_process=3", *more,
        ]  # fmt: skip

    def on_flink(self, output, *more):
        return self.arguments(output, *flags(self.cluster, self.cluster.boot, 2), *more)

    def started(self, output, environment=ENVIRONMENT):
        log = self.folder / "launchers.log"
        return running(command(*self.on_flink(output)), environment, log, TIMEOUT_S)

    def workers(self):
        return workers(self.cluster)

    def asking(self):
        return connected(self.workers(), self.server.port)

    def asked_since(self, number):
        return {request_key(json.loads(body)) for body in self.server.bodies()[number:]}

    def replace_task_manager(self, name):
        """Kills one; its workers must end by themselves."""
        session = self.cluster.running[name].pid
        self.cluster.kill_task_manager(name)
        self.cluster.start_task_manager(f"{name}-again")
        deadline = time.monotonic() + 20
        while left := session_members(session):
            assert time.monotonic() < deadline, [command_line(pid) for pid in left]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flink")
    with pytest.MonkeyPatch.context() as patch, s3_server(folder, "outputs") as s3:
        for name, value in {**s3, "OPENAI_API_KEY": MODEL_KEY}.items():
            patch.setenv(name, value)
            patch.setitem(ENVIRONMENT, name, value)
        jar = os.environ.get("TRACEMILL_FLINK_JOB_SERVER_JAR")
        with (
            ModelServer(key=MODEL_KEY) as server,
            local_cluster(folder / "cluster", job_server=jar) as cluster,
        ):
            cluster.boot = write_boot(cluster.folder, {**s3, "OPENAI_API_KEY": MODEL_KEY})
            made = Place(folder, server, cluster)
            tracemill(*made.arguments(made.one))
            yield made
    left = session_members(*cluster.sessions)
    assert not left, [command_line(pid) for pid in left]
    about = [p.name for p in storage.local_path("/proc").glob("[0-9]*")]
    about = [line for line in map(command_line, map(int, about)) if str(folder) in line]
    assert not about, "processes outlived their test"


def prepared(output):
    return [s.uri for s in storage.walk(storage.join(str(output), "checkpoints", "prepared"))
            if not storage.is_temporary(s.uri)]  # fmt: skip


def cached(output):
    """Keys of the replies that are kept for good."""
    return {
        storage.name_of(s.uri).removesuffix(".json")
        for s in storage.walk(storage.join(str(output), "cache"))
        if not storage.is_temporary(s.uri)
    }


def published(output):
    """Every file that a reader of the manifest gets → sha256; the manifest tells the truth."""
    found = json.loads(storage.read_bytes(storage.join(str(output), "manifest.json")))
    files = {}
    for folder in (found["path"], "frames"):
        top = storage.join(str(output), folder)
        for stat in storage.walk(top):
            name = f"{folder}/{stat.uri.removeprefix(top)}"
            files[name] = hashlib.sha256(storage.read_bytes(stat.uri)).hexdigest()
    told = {f"{found['path']}//{e['path']}": e["sha256"] for e in found["files"]}
    assert told == {n: h for n, h in files.items() if n.startswith("versions/")}
    if storage.is_local(str(output)):
        assert (output / "dataset").resolve() == (output / found["path"]).resolve()
        assert [p.name for p in (output / "versions").iterdir()] == [found["version"]]
    return files


def test_the_files_are_those_of_one_process(place):
    out = place.folder / "clean"
    place.server.reset(key=MODEL_KEY)
    tracemill(*place.on_flink(out), timeout_s=TIMEOUT_S)
    assert published(out) == published(place.one)
    assert not listening_elsewhere(session_members(*place.cluster.sessions))
    again = tracemill(*place.on_flink(out))
    assert again.stdout.startswith("nothing to do")


def test_one_new_session_is_all_that_is_computed(place):
    """Also with the job server that the launcher starts itself, as on a cluster of one's own."""
    out, one = place.folder / "clean", place.folder / "one-more"
    before = modified(prepared(out))
    shutil.copytree(place.one, one, symlinks=True)
    shutil.copytree(EXAMPLES / "sessions" / ONE_MORE, place.sessions / ONE_MORE)
    try:
        place.server.reset(key=MODEL_KEY)
        tracemill(*place.arguments(one))
        alone = place.server.count()
        place.server.reset(key=MODEL_KEY)
        given = [a for a in place.on_flink(out) if not str(a).startswith("--job_endpoint")]
        jar = f"--flink_job_server_jar={place.cluster.jar}"
        tracemill(*given, jar, timeout_s=TIMEOUT_S)
    finally:
        shutil.rmtree(place.sessions / ONE_MORE)
    assert place.server.count() == alone > 0
    facts = summary(out)
    assert (facts["sessions"], facts["reused_sessions"]) == (len(SESSIONS) + 1, len(SESSIONS))
    assert modified(before) == before
    shutil.rmtree(one / manifest_path(place.one))
    shutil.rmtree(out / manifest_path(place.one))
    assert published(out) == published(one)
    said = tracemill("status", out).stdout
    assert f"{len(SESSIONS) + 1}" in said, said


def manifest_path(output):
    return json.loads((output / "manifest.json").read_text())["path"]


def test_killed_workers_change_nothing(place):
    """SIGKILL to workers four times in one job: reading, asking, writing, committing."""
    out = place.folder / "workers"
    place.server.reset(**LATENCY)
    with place.started(out) as run:
        with commit_held(out) as lock:
            run.until(lambda: prepared(out))
            kill(place.workers())
            assert len(prepared(out)) < len(SESSIONS)

            kill(run.until(lambda: cached(out) and place.asking()))
            before, number = cached(out), place.server.count()
            assert not results(out)

            kill(run.until(lambda: holding(place.workers(), out / "versions")))
            assert len(results(out)) == len(SESSIONS) and not list(out.glob("run/*/summary.json"))

            kill(run.until(lambda: holding(place.workers(), lock)))
            assert list(out.glob("run/*/summary.json")) and not (out / "manifest.json").exists()
        assert run.wait() == 0, run.said
    assert restarts(place.cluster, out) >= 4
    assert published(out) == published(place.one)
    assert not place.asked_since(number) & before


def test_killed_task_managers_change_nothing(place):
    """The output is on S3. One is killed while sessions are read, one while the model is asked."""
    out = "s3://outputs/out"
    place.server.reset(**SLOW)
    with place.started(out) as run:
        assert len(run.until(lambda: prepared(out), poll_s=0.1)) < len(SESSIONS)
        place.replace_task_manager("taskmanager-0")
        run.until(lambda: restarts(place.cluster, out), poll_s=0.1)
        (asking, *_) = run.until(lambda: place.asking() and cached(out) and place.asking())
        place.replace_task_manager(task_manager_of(place.cluster, asking))
        before = cached(out)
        place.server.reset(**LATENCY)
        assert not list(storage.walk(f"{out}/versions"))
        assert run.wait() == 0, run.said
    # Flink may make one restart of both kills, when the second comes before it is done.
    assert restarts(place.cluster, out) >= 1
    assert published(out) == published(place.one)
    assert place.server.count() and not place.asked_since(0) & before


def test_task_managers_killed_in_the_second_half_change_nothing(place):
    """Sessions are done before; one is killed while shards are written, one in Commit."""
    out = with_results(place, "managers")
    with place.started(out) as run:
        with commit_held(out) as lock:
            (writing, *_) = run.until(lambda: holding(place.workers(), out / "versions"))
            place.replace_task_manager(task_manager_of(place.cluster, writing))
            (committing,) = run.until(lambda: holding(place.workers(), lock))
            place.replace_task_manager(task_manager_of(place.cluster, committing))
            assert not (out / "manifest.json").exists() and not (out / "dataset").exists()
        assert run.wait() == 0, run.said
    assert restarts(place.cluster, out) >= 2
    assert published(out) == published(place.one)


def test_a_launcher_that_was_ended_is_made_up_for_by_the_next(place):
    """SIGTERM while sessions are read; SIGKILL while the model is asked, in writing, in Commit."""
    out = place.folder / "launchers"
    place.server.reset(**LATENCY)
    with commit_held(out) as lock:
        with place.started(out) as run:
            assert len(run.until(lambda: prepared(out))) < len(SESSIONS)
            run.process.terminate()
            assert run.wait() == 143, run.said
        done = modified(prepared(out))  # workers may finish one while the job is cancelled
        assert states(place.cluster, out) == ["CANCELED"]

        with place.started(out) as run:
            # The first job may have come to asking before it was cancelled.
            run.until(lambda: states(place.cluster, out)[1:] == ["RUNNING"])
            run.until(lambda: cached(out) and place.asking())
            run.kill()
        before, number = cached(out), place.server.count()
        assert modified(done) == done

        killed_at(place, out, out / "versions")
        killed_at(place, out, lock)
        with contextlib.ExitStack() as later:
            others = set(place.workers())
            run = later.enter_context(place.started(out))
            run.until(lambda: holding(set(place.workers()) - others, lock))
            later = later.pop_all()
        assert states(place.cluster, out) == 4 * ["CANCELED"] + ["RUNNING"]
    with later:
        assert run.wait() == 0, run.said
    assert published(out) == published(place.one)
    assert not place.asked_since(number) & before
    assert summary(out)["reused_sessions"] == len(SESSIONS)


def killed_at(place, output, moment):
    """Starts a launcher and kills it when a worker of its own job has come to a moment."""
    *_, last = states(place.cluster, output)
    assert last == "RUNNING", "the job of a killed launcher is at work until the next one ends it"
    others = set(place.workers())
    with place.started(output) as run:
        run.until(lambda: holding(set(place.workers()) - others, moment))
        run.kill()
    *ended, last = states(place.cluster, output)
    assert set(ended) == {"CANCELED"} and last == "RUNNING"
    assert not (output / "manifest.json").exists() and not (output / "dataset").exists()


def modified(paths):
    return {path: os.stat(path).st_mtime_ns for path in paths}


def results(output):
    return list(output.glob("checkpoints/result/*/*.ckpt"))


def with_results(place, name):
    """An output whose sessions are done, and nothing else."""
    out = place.folder / name
    for part in ("prepared", "result"):
        shutil.copytree(place.one / "checkpoints" / part, out / "checkpoints" / part)
    shutil.copytree(place.one / "cache", out / "cache")
    return out


def jobs(cluster, output):
    """Flink's jobs on an output, in the order of their start."""
    found = [j for j in cluster.get("/jobs/overview")["jobs"]
             if j["name"].startswith(job_names(str(output)))]  # fmt: skip
    return sorted(found, key=lambda j: j["start-time"])


def states(cluster, output):
    return [j["state"] for j in jobs(cluster, output)]


def restarts(cluster, output):
    """How often the tasks of an output's only job were started again."""
    (job,) = jobs(cluster, output)
    log = (cluster.folder / "log" / "jobmanager.log").read_text()
    return len(re.findall(rf"\({job['jid']}\) switched from state \w+ to RESTARTING", log))


def test_logs_hold_no_secret(place):
    """After all of that no key and no recorded text is in any log: cluster, workers, launchers."""
    files = [*(place.cluster.folder / "log").iterdir(), place.folder / "launchers.log"]
    logs = {path.name: path.read_text(errors="replace") for path in files}
    for part in ("jobmanager", "jobserver", "taskmanager-0", "taskmanager-1", "boot", "launchers"):
        assert logs[f"{part}.log"], part
    assert any("Python sdk harness starting" in text for text in logs.values())
    secrets = {KEY, repr(bytes.fromhex(KEY)), MODEL_KEY, PLANTED, *recorded_text(place.sessions)}
    for name, text in logs.items():
        assert not [secret for secret in secrets if secret in text], name


def recorded_text(sessions):
    """Addresses and passwords in the recordings, and what people typed into fields."""
    found = set()
    for path in sessions.glob("*/*.jsonl"):
        text = path.read_text()
        found |= set(re.findall(r"[\w.]+@[\w.]+\.(?:example|org|com|net)\b", text))
        found |= set(re.findall(r'"type": ?"password"[^}]*"value": ?"([^"]{6,})"', text))
        found |= set(re.findall(r'"value": ?"([^"]{12,})"', text))
    assert len(found) > 10
    return found
