"""A run that is stopped, or whose storage fails, ends in one line and can go on."""

import os
import resource
import signal
import subprocess
import time

import pytest

from tests.pipeline.jobs import ENVIRONMENT, command, summary, tracemill, version_files
from tests.support.synthetic import write_catalogue, write_sessions

SESSIONS = 16


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    write_sessions(folder / "sessions", SESSIONS)
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text("cd" * 32)
    tracemill(*arguments(folder, folder / "expected"))
    return folder


def arguments(place, output, *more):
    return [
        "run", "--input", place / "sessions", "--suite", place / "suite.json", "--output", output,
        f"--privacy_key_file={place / 'key'}", "--privacy=off", *more,
    ]  # fmt: skip


def checkpoints(output):
    return sorted(output.glob("checkpoints/*/*/*.ckpt"))


def temporary_files(output):
    return [p for p in output.rglob(".*.tmp")]


def descendants_in_group(group):
    made = subprocess.run(["ps", "-eo", "pgid,stat"], capture_output=True, text=True)
    rows = [line.split() for line in made.stdout.splitlines()[1:]]
    return [r for r in rows if r[0] == str(group) and not r[1].startswith("Z")]


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGTERM, ()),
        (signal.SIGINT, ()),
        (signal.SIGTERM, ("--direct_num_workers=2", "--direct_running_mode=multi_processing")),
    ],
    ids=["one process", "Ctrl-C", "two processes"],
)
def test_a_signal_stops_and_the_next_run_goes_on(place, tmp_path, number, workers):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(*arguments(place, out, *workers)), env=ENVIRONMENT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(checkpoints(out)) < 3:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1] == "tracemill run: stopped; run it again to go on"
    deadline = time.monotonic() + 10
    while descendants_in_group(process.pid):
        assert time.monotonic() < deadline, "workers outlived the run"
        time.sleep(0.1)
    assert not (out / "manifest.json").exists() and not (out / "dataset").exists()
    kept = len(list(out.glob("checkpoints/result/*/*.ckpt")))
    tracemill(*arguments(place, out))
    assert version_files(out) == version_files(place / "expected")
    assert summary(out)["reused_sessions"] >= kept


def one_line(made):
    lines = [ln for ln in made.stderr.splitlines() if ln and "sessions ·" not in ln]
    assert len(lines) == 1 and lines[0].startswith("tracemill run: "), made.stderr
    return lines[0]


def mounted(folder, options):
    """Mounts a small disk in memory there; None where that is not allowed."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
    )
    return made.returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    if os.geteuid() or not mounted(folder, "size=1m"):
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_space_lets_it_go_on(place, small_disk):
    out = small_disk / "out"
    made = tracemill(*arguments(place, out), check=3)
    assert "No space left" in one_line(made)
    assert not (out / "manifest.json").exists() and not (out / "dataset").exists()
    assert temporary_files(out) == []
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    tracemill(*arguments(place, out))
    assert version_files(out) == version_files(place / "expected")


def test_read_only_storage_is_one_line(place, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    made = tracemill(*arguments(place, small_disk / "out"), check=3)
    assert "Read-only" in one_line(made)


def test_a_published_version_outlives_storage_that_became_read_only(place, small_disk):
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    out = small_disk / "out"
    tracemill(*arguments(place, out))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    made = tracemill(*arguments(place, out, "--min_confidence=0.95"), check=3)
    assert "Read-only" in one_line(made)
    assert version_files(out) == version_files(place / "expected")
    tracemill("status", out)


def test_a_quota_of_file_size_is_no_fault_of_sessions(place, tmp_path):
    """EFBIG, as some quotas say it: nobody needs to be root to see that."""
    out = tmp_path / "out"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    made = subprocess.run(
        command(*arguments(place, out)), env=ENVIRONMENT, capture_output=True, text=True,
        timeout=120, preexec_fn=limit,
    )  # fmt: skip
    assert made.returncode == 3, made.stderr[-3000:]
    assert "File too large" in one_line(made)
    assert not (out / "dataset").exists() and temporary_files(out) == []
    tracemill(*arguments(place, out))
    assert version_files(out) == version_files(place / "expected")
