"""The program that starts workers refuses a Python that the job cannot run on."""

import os
import subprocess
import time

import pytest

from deploy.flink import artefacts
from deploy.flink.cluster import end_session, session_members, write_boot


@pytest.fixture
def boot(tmp_path, monkeypatch):
    started = tmp_path / "container"
    started.write_text('#!/bin/sh\necho "started $*"\n')
    started.chmod(0o700)
    monkeypatch.setattr(artefacts, "boot_program", lambda: started)
    return tmp_path


def run(path):
    return subprocess.run([path, "--id=1"], capture_output=True, text=True, timeout=30)


def test_it_starts_the_worker_with_its_arguments(boot):
    path = write_boot(boot, {"SOME": "it's $HOME"})
    assert run(path).stdout == "started --id=1\n"
    assert os.stat(path).st_mode & 0o077 == 0


def test_a_missing_python_is_named(boot):
    made = run(write_boot(boot, {"PATH": "/nowhere"}))
    assert made.returncode == 78 and "no Python with apache-beam" in made.stderr


def test_another_beam_is_named(boot, monkeypatch):
    monkeypatch.setattr(artefacts, "BEAM", "2.0.0")
    made = run(write_boot(boot, {}))
    assert made.returncode == 78 and "2.0.0 where the job was started" in made.stderr


def test_a_session_is_ended_with_what_lost_its_parent():
    leader = subprocess.Popen(
        ["/bin/sh", "-c", "(trap '' TERM; while :; do sleep 0.1; done) & exec sleep 60"],
        start_new_session=True,
    )
    deadline = time.monotonic() + 10
    while len(session_members(leader.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    leader.kill()
    leader.wait()
    assert session_members(leader.pid)
    end_session(leader.pid, grace_s=0.3)
    assert not session_members(leader.pid)
