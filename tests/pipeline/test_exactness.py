"""Same inputs, same bytes: whatever runs the job, however often it is killed."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from tests.pipeline.jobs import (
    ENVIRONMENT,
    EXAMPLES,
    command,
    job,
    manifest,
    summary,
    tracemill,
    version_files,
)
from tests.support.synthetic import write_catalogue, write_sessions


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with synthetic sessions, their catalogue and a project key."""
    folder = tmp_path_factory.mktemp("exact")
    write_sessions(folder / "sessions", 24)
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text("cd" * 32)
    return folder


def run_in(place, output, *more, check=0):
    return tracemill(
        *job(place / "sessions", place / "suite.json", output),
        f"--privacy_key_file={place / 'key'}",
        *more,
        check=check,
    )


@pytest.fixture(scope="module")
def expected(place):
    run_in(place, place / "one")
    files = version_files(place / "one")
    assert len(files) > 30
    assert summary(place / "one")["failed_sessions"] == 0
    return files


@pytest.mark.parametrize(
    "runner",
    [
        ("--runner=DirectRunner",),
        ("--direct_num_workers=2", "--direct_running_mode=multi_processing"),
        ("--direct_num_workers=2", "--direct_running_mode=multi_threading"),
    ],
    ids=["DirectRunner", "two processes", "two threads"],
)
def test_every_runner_writes_equal_files(place, expected, tmp_path, runner):
    run_in(place, tmp_path / "out", *runner)
    assert version_files(tmp_path / "out") == expected


def test_small_shards_hold_the_same_rows(place, expected, tmp_path):
    import pyarrow.parquet as pq

    run_in(place, tmp_path / "out", "--max_shard_mb=0.1")
    parts = list((tmp_path / "out/dataset/tables/events").glob("*.parquet"))
    assert len(parts) > 3
    many = pq.read_table(tmp_path / "out/dataset/tables/events")
    one = pq.read_table(place / "one/dataset/tables/events")
    order = [("session_id", "ascending"), ("event_id", "ascending")]
    assert many.sort_by(order).equals(one.sort_by(order))


def checkpoints(output):
    return {p: p.stat().st_mtime_ns for p in output.glob("checkpoints/*/*/*.ckpt")}


def test_killed_and_started_again_it_ends_with_the_same_files(place, expected, tmp_path):
    rng = random.Random(7)
    out = tmp_path / "out"
    kills = 0
    for _ in range(4):
        arguments = job(place / "sessions", place / "suite.json", out)
        process = subprocess.Popen(
            command(*arguments, f"--privacy_key_file={place / 'key'}"),
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = checkpoints(out)
        wanted = len(before) + rng.randint(1, 12)
        deadline = time.monotonic() + 60
        while len(checkpoints(out)) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        after = checkpoints(out)
        # What was finished before this start was not made again.
        assert {p: t for p, t in after.items() if p in before} == before
        if not (out / "manifest.json").exists():
            assert not (out / "dataset").exists()
    assert kills >= 2
    finished = checkpoints(out)
    run_in(place, out)
    assert version_files(out) == expected
    now = checkpoints(out)
    assert {p: t for p, t in now.items() if p in finished} == finished


@pytest.mark.parametrize("kill_at", ["versions", "manifest"])
def test_killed_while_writing_the_version_nothing_half_is_visible(
    place, expected, tmp_path, kill_at
):
    out = tmp_path / "out"
    shutil.copytree(place / "one" / "checkpoints", out / "checkpoints")
    shutil.copytree(place / "one" / "frames", out / "frames")
    shutil.rmtree(out / "checkpoints" / "versions")
    arguments = job(place / "sessions", place / "suite.json", out)
    process = subprocess.Popen(
        command(*arguments, f"--privacy_key_file={place / 'key'}"),
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watched = out / ("versions" if kill_at == "versions" else "review")
    while not watched.exists() and process.poll() is None:
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if (out / "manifest.json").exists():
        assert version_files(out) == expected
    else:
        assert not (out / "dataset").exists()
    run_in(place, out)
    assert version_files(out) == expected


def test_a_run_killed_just_before_it_set_the_link_is_made_up_for(place, expected, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(place / "one", out, symlinks=True)
    (out / "dataset").unlink()
    assert run_in(place, out).stdout.startswith("nothing to do")
    assert version_files(out) == expected


def test_new_sessions_are_added_and_the_version_equals_one_from_scratch(place, tmp_path):
    sessions = tmp_path / "sessions"
    shutil.copytree(place / "sessions", sessions)
    both = {"sessions": sessions, "suite": place / "suite.json"}

    def run_job(output):
        return tracemill(
            *job(both["sessions"], both["suite"], output), f"--privacy_key_file={place / 'key'}"
        )

    out = tmp_path / "out"
    run_job(out)
    first = manifest(out)["version"]
    before = checkpoints(out)
    write_sessions(sessions, 2, first=100)
    run_job(out)
    facts = summary(out)
    assert (facts["sessions"], facts["reused_sessions"]) == (26, 24)
    assert {p: t for p, t in checkpoints(out).items() if p in before} == before
    assert manifest(out)["version"] != first
    run_job(tmp_path / "scratch")
    assert version_files(tmp_path / "scratch") == version_files(out)


def test_a_changed_threshold_repeats_only_the_second_half(place, expected, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(place / "one", out, symlinks=True)
    before = checkpoints(out)
    run_in(place, out, "--min_confidence=0.95")
    made = set(checkpoints(out)) - set(before)
    assert made and {p.parts[-3] for p in made} == {"result"}


def test_another_run_at_work_is_refused(place, tmp_path):
    import fcntl

    out = tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = run_in(place, out, check=2)
    assert "another run is at work" in made.stderr


def test_a_damaged_checkpoint_is_made_anew(place, expected, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(place / "one", out, symlinks=True)
    damaged = sorted(out.glob("checkpoints/result/*/*.ckpt"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-10])
    (out / "manifest.json").unlink()
    run_in(place, out)
    assert version_files(out) == expected


def test_replay_computes_only_what_failed(place, tmp_path):
    sessions = tmp_path / "sessions"
    shutil.copytree(place / "sessions", sessions)
    broken = sessions / "0f3c1ad2-8d4b-4b92-9a57-5f0f6f1d2c33"
    broken.mkdir()
    (broken / "session.json").write_text('{"id": "0f3c1ad2-8d4b-4b92-9a57-5f0f6f1d2c33"}')
    (broken / "input_events.jsonl").write_text("")
    out = tmp_path / "out"
    arguments = job(sessions, place / "suite.json", out)[1:]
    tracemill("run", *arguments)
    listed = tracemill("failures", out).stdout
    assert "missing_input_events" in listed
    assert "missing_input_events" in tracemill("failures", out, "--group").stdout
    before = checkpoints(out)
    made = tracemill("replay", *arguments)
    assert "1 failed sessions are computed again" in made.stdout
    changed = [p for p, t in checkpoints(out).items() if before.get(p) != t]
    assert len(changed) == 2  # its prepared and its result checkpoint


def test_forget_removes_a_session_everywhere(place, tmp_path):
    out = tmp_path / "out"
    arguments = job(EXAMPLES / "sessions", EXAMPLES / "catalogue.yaml", out)
    tracemill(*arguments)
    gone = "2b5ae6c3-19bc-527c-ad8f-9ddbf1dea57a"
    frames = len(list((out / "frames").rglob("*.*")))
    tracemill("forget", out, "nobody", check=1)
    tracemill("forget", out, gone)
    for path in [p for p in out.rglob("*") if p.is_file()]:
        assert gone not in path.name
        if "forgotten" not in path.name:
            assert gone.encode() not in path.read_bytes(), path
    assert len(list((out / "frames").rglob("*.*"))) < frames
    assert len(list((out / "versions").iterdir())) == 1
    tracemill("status", out, gone, check=1)
    said = tracemill(*arguments).stdout
    assert "nothing to do" in said


def test_gc_keeps_the_current_version_and_what_it_needs(place, expected, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(place / "one", out, symlinks=True)
    run_in(place, out, "--min_confidence=0.95")
    run_in(place, out)
    assert len(list((out / "versions").iterdir())) == 2
    would = tracemill("gc", out, "--dry_run").stdout
    assert len(list((out / "versions").iterdir())) == 2
    assert tracemill("gc", out).stdout.splitlines()[1:] == would.splitlines()[1:]
    assert len(list((out / "versions").iterdir())) == 1
    assert version_files(out) == expected
    assert run_in(place, out).stdout.startswith("nothing to do")
