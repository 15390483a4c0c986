"""Servers that tests start do not outlive them."""

import subprocess
import sys
import time

from tests.pipeline.jobs import ROOT

PROGRAM = """
import sys, time
from pathlib import Path
from tests.support.object_stores import free_port, server

port = free_port()
command = [sys.executable, "-m", "http.server", "--bind=127.0.0.1", str(port)]
with server(command, port, Path(sys.argv[1]) / "log") as process:
    print(process.pid, flush=True)
    time.sleep(60)
"""


def test_a_server_ends_with_the_tests_even_if_they_are_killed(tmp_path):
    tests = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    pid = int(tests.stdout.readline())
    assert is_running(pid)
    tests.kill()
    tests.wait()
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
