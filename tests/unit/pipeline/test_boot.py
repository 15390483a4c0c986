"""The program that starts workers refuses a Python that the job cannot run on."""

import os
import subprocess
import time

import pytest

from deploy.flink import artefacts
from deploy.flink.cluster import end_session, session_members, write_boot
from tests.support.flink_processes import command_line


@pytest.fixture
def boot(tmp_path, monkeypatch):
    started = tmp_path / "container"
    started.write_text('#!/bin/sh\necho "started $*"\n')
    started.chmod(0o700)
    monkeypatch.setattr(artefacts, "boot_program", lambda: started)
    return tmp_path


def run(path):
    """The exit code, and what is in the log of workers."""
    made = subprocess.run([path, "--id=1"], timeout=30)
    return made.returncode, (path.parent / "log" / "boot.log").read_text()


def test_it_starts_the_worker_with_its_arguments(boot):
    path = write_boot(boot, {"SOME": "it's $HOME"})
    code, said = run(path)
    assert code == 0
    assert said.startswith(f"started --id=1 --semi_persist_dir={boot}/tmp/worker.")
    assert os.stat(path).st_mode & 0o077 == 0


def test_a_missing_python_is_named(boot):
    code, said = run(write_boot(boot, {"PATH": "/nowhere"}))
    assert code == 78 and "no Python with apache-beam" in said


def test_another_beam_is_named(boot, monkeypatch):
    monkeypatch.setattr(artefacts, "BEAM", "2.0.0")
    code, said = run(write_boot(boot, {}))
    assert code == 78 and "2.0.0 where the job was started" in said


def test_a_worker_ends_when_what_started_it_was_killed(boot):
    (boot / "container").write_text("#!/bin/sh\nexec sleep 60\n")
    path = write_boot(boot, {})
    starter = subprocess.Popen(["/bin/sh", "-c", f"{path} & wait"], start_new_session=True)
    deadline = time.monotonic() + 20
    while not [p for p in session_members(starter.pid) if "sleep 60" in command_line(p)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    starter.kill()
    starter.wait()
    while session_members(starter.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
