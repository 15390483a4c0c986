"""Processes of a local Flink cluster, seen from outside: who works on what, and kills."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from deploy.flink.cluster import LocalCluster, session_members

T = TypeVar("T")
POLL_S = 0.02
LISTEN, ESTABLISHED = "0A", "01"


class Run:
    """A launcher that was started; ``said`` is what it has printed."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, timeout_s: float
    ):
        self.log = log
        self.deadline = time.monotonic() + timeout_s
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)

    @property
    def said(self) -> str:
        """Returns what the launcher printed, with where its log is."""
        return f"{self.log}:\n{self.log.read_text()[-3000:]}"

    def until(self, condition: Callable[[], T], poll_s: float = POLL_S) -> T:
        """Polls until a condition holds and returns it; the launcher must still be at work."""
        while not (found := condition()):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < self.deadline, self.said
            time.sleep(poll_s)
        return found

    def wait(self) -> int:
        """Waits for the launcher's end and returns its exit code."""
        return self.process.wait(max(1, self.deadline - time.monotonic()))

    def kill(self) -> None:
        """Ends the launcher as ``kill -9`` does."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(*arguments: Any) -> Iterator[Run]:
    """Starts a launcher; kills it if it is still there when the block ends."""
    run = Run(*arguments)
    try:
        yield run
    finally:
        run.kill()


def workers(cluster: LocalCluster) -> list[int]:
    """Returns the Python workers of all TaskManagers, also of those that are gone."""
    members = session_members(*cluster.sessions)
    return [pid for pid in members if "sdk_worker_main" in command_line(pid)]


def command_line(pid: int) -> str:
    """Returns a process's command line, "" when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def task_manager_of(cluster: LocalCluster, worker: int) -> str:
    """Returns the name of the TaskManager that a worker belongs to."""
    session = os.getsid(worker)
    return next(name for name, process in cluster.running.items() if process.pid == session)


def _open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield os.readlink(link)


def holding(pids: Iterable[int], path: Path) -> list[int]:
    """Returns those processes that have a file open whose path begins so."""
    return [pid for pid in pids if any(f.startswith(str(path)) for f in _open_files(pid))]


def _sockets(state: str) -> Iterator[tuple[str, int, str]]:
    """Yields (local address in hex, remote port, name of the socket)."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, found, *_, inode = line.split()[:10]
            if found == state:
                yield local.split(":")[0], int(remote.split(":")[1], 16), f"socket:[{inode}]"


def connected(pids: Iterable[int], port: int) -> list[int]:
    """Returns those processes that have a connection to a port."""
    names = {name for _, remote, name in _sockets(ESTABLISHED) if remote == port}
    return [pid for pid in pids if not names.isdisjoint(_open_files(pid))]


def listening_elsewhere(pids: Iterable[int]) -> list[int]:
    """Returns those processes that listen on more than the loopback interface."""
    loopback = re.compile(r"[0-9A-F]{6}7F|0{16}FFFF0000[0-9A-F]{6}7F|0{24}01000000")
    names = {name for local, _, name in _sockets(LISTEN) if not loopback.fullmatch(local)}
    return [pid for pid in pids if not names.isdisjoint(_open_files(pid))]


def kill(pids: Iterable[int]) -> None:
    """Ends processes at once; at least one must be there."""
    killed = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    assert killed


@contextlib.contextmanager
def commit_held(output: Path) -> Iterator[Path]:
    """Lets no process replace the manifest while the block runs: it waits for the file's lock."""
    output.mkdir(exist_ok=True)
    path = output / ".manifest.json.lock"
    with path.open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
