"""One JobManager and some TaskManagers on 127.0.0.1, and every process of theirs ended again.

The Python package with Flink's jars has no start scripts, so the entry points are started here.
Each JVM leads a session of its own: workers that it started belong to that session also when they
outlive it, so they are found by it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.flink import artefacts

ROOT = Path(__file__).resolve().parent.parent.parent
READY_S = 120
WORKERS_KEPT_MS = 2000
"""Workers are kept that long between two stages; without it each stage starts its own."""
RESTART_DELAY_S = 3
"""Longer than WORKERS_KEPT_MS: a job that restarts earlier is given the worker that was lost."""
PR_SET_PDEATHSIG = 1
OPENED = (
    "lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic "
    "util.concurrent.locks"
).split()
JVM_FLAGS = [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in OPENED),
    "-Djava.net.preferIPv4Stack=true",
]
FRUGAL = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
"""Little passes through the Java processes: the cores are for the workers."""
LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = Out
appender.out.name = Out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} - %m%n
"""


def free_port() -> int:
    """Returns a port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class LocalCluster:
    """A standalone session cluster with a job server; ``folder`` gets configuration and logs."""

    def __init__(
        self, folder: Path, task_managers: int = 2, slots: int = 2, job_server: str | None = None
    ):
        self.folder = folder
        self.task_managers = task_managers
        self.jar = job_server or str(artefacts.job_server_jar())
        self.rest_port = free_port()
        self.job_port = free_port()
        self.sessions: list[int] = []
        """Session ids of everything that was started; a session outlives its leader."""
        self.running: dict[str, subprocess.Popen] = {}
        for name in ("conf", "log", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "conf" / "log4j.properties").write_text(LOG4J)
        lines = (f"{k}: {v}" for k, v in self._configuration(slots).items())
        (folder / "conf" / "config.yaml").write_text("\n".join(lines) + "\n")

    def _configuration(self, slots: int) -> dict[str, Any]:
        host = "127.0.0.1"
        return {
            "jobmanager.rpc.address": host,
            "jobmanager.rpc.port": free_port(),
            "jobmanager.bind-host": host,
            "jobmanager.memory.process.size": "1600m",
            "rest.address": host,
            "rest.bind-address": host,
            "rest.port": self.rest_port,
            "blob.server.port": free_port(),
            "taskmanager.bind-host": host,
            "taskmanager.host": host,
            "taskmanager.numberOfTaskSlots": slots,
            "taskmanager.cpu.cores": "1.0",
            "taskmanager.memory.task.heap.size": "512m",
            "taskmanager.memory.task.off-heap.size": "128m",
            "taskmanager.memory.framework.heap.size": "128m",
            "taskmanager.memory.framework.off-heap.size": "128m",
            "taskmanager.memory.network.min": "128m",
            "taskmanager.memory.network.max": "128m",
            # Receipts are small, and one TaskManager must be able to hold all of a job's stages.
            "taskmanager.network.sort-shuffle.min-buffers": 64,
            "taskmanager.memory.managed.size": "256m",
            "taskmanager.memory.jvm-metaspace.size": "256m",
            "taskmanager.memory.jvm-overhead.min": "192m",
            "taskmanager.memory.jvm-overhead.max": "192m",
            "parallelism.default": 2,
            "io.tmp.dirs": self.folder / "tmp",
            # Beam's classes come from the class path: those that a job brings with it are gone
            # between two stages, and the workers that they keep with them.
            "classloader.resolve-order": "parent-first",
            # A killed process refuses the next two heartbeats; one that starves for a while is
            # not given up.
            "heartbeat.interval": 1000,
            "heartbeat.rpc-failure-threshold": 2,
            "heartbeat.timeout": 60000,
            "cluster.registration.error-delay": 1000,
            # Else both halves of a job may share one TaskManager, and so one worker process.
            "cluster.evenly-spread-out-slots": "true",
            "taskmanager.load-balance.mode": "SLOTS",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 10,
            "restart-strategy.fixed-delay.delay": f"{RESTART_DELAY_S} s",
        }

    @property
    def master(self) -> str:
        """What ``--flink_master`` takes."""
        return f"127.0.0.1:{self.rest_port}"

    def start(self) -> None:
        """Starts all processes and waits until the TaskManagers are registered."""
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._java("jobmanager", "-Xmx1g", entry, "--executionMode", "cluster")
        for number in range(self.task_managers):
            self.start_task_manager(f"taskmanager-{number}")
        self._start("jobserver", [
            "java", "-Xmx512m", *FRUGAL, "-jar", self.jar, f"--flink-master=http://{self.master}",
            f"--artifacts-dir={self.folder / 'tmp'}", "--job-host=127.0.0.1",
            f"--job-port={self.job_port}", f"--artifact-port={free_port()}",
            f"--expansion-port={free_port()}",
        ])  # fmt: skip
        self.wait_for(self.task_managers)

    def start_task_manager(self, name: str) -> None:
        """Starts one TaskManager."""
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._java(name, "-Xmx640m", entry, "-D", f"taskmanager.resource-id={name}")

    def _java(self, name: str, memory: str, entry: str, *arguments: str) -> None:
        conf = self.folder / "conf"
        classes = f"{artefacts.flink_jars()}/*:{self.jar}"
        command = [
            "java", memory, *FRUGAL, *JVM_FLAGS,
            f"-Dlog4j.configurationFile={conf / 'log4j.properties'}",
            "-cp", classes, entry, "--configDir", str(conf), *arguments,
        ]  # fmt: skip
        self._start(name, command)

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self.running[name] = process
        self.sessions.append(process.pid)

    def wait_for(self, task_managers: int) -> None:
        """Waits until that many TaskManagers are registered and the job server listens."""
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.job_port), 1).close()
                if self.get("/overview")["taskmanagers"] >= task_managers:
                    return
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended; see {self.folder / 'log'}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no cluster after {READY_S} s; see {self.folder / 'log'}")
            time.sleep(0.2)

    def get(self, path: str) -> Any:
        """Returns what Flink's REST interface says."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=10) as reply:
            return json.load(reply)

    def kill_task_manager(self, name: str) -> None:
        """Ends a TaskManager at once; its workers notice that and end by themselves."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Ends everything that was started here, also what lost its parent."""
        for session in self.sessions:
            end_session(session)
        for process in self.running.values():
            process.wait()


def end_with_parent() -> None:
    """Has Linux kill this process when its parent is gone, even if that was killed itself."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_session(session: int, grace_s: float = 3.0) -> None:
    """Ends every process of a session that we led: asked first, then killed."""
    deadline = time.monotonic() + grace_s
    asked = signal.SIGTERM
    while members := session_members(session):
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, asked)
        if time.monotonic() > deadline:
            asked = signal.SIGKILL
        if time.monotonic() > deadline + 10:
            return
        time.sleep(0.1)


def session_members(*sessions: int) -> list[int]:
    """Returns the processes of some sessions that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # After the name in parentheses: state, parent, group, session.
            state, _, _, of = path.read_text().rpartition(")")[2].split()[:4]
            if int(of) in sessions and state != "Z":
                found.append(int(path.parent.name))
    return found


def write_boot(folder: Path, variables: Mapping[str, str]) -> Path:
    """Writes the program that a TaskManager starts for each worker; refuses another Beam.

    What it and the worker say before they can log goes to ``log/boot.log`` in ``folder``.
    """
    for part in ("log", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    log = folder / "log" / "boot.log"
    # The TaskManager throws away what the program says.
    lines = ["#!/bin/sh", f"exec >> {shlex.quote(str(log))} 2>&1"]
    for name, value in {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **variables,
    }.items():
        lines.append(f"export {name}={shlex.quote(value)}")
    lines += [
        'found=$(python -c \'from importlib.metadata import version; print(version("apache-beam"))'
        "') || { echo 'tracemill worker: no Python with apache-beam on the PATH' >&2; exit 78; }",
        f'[ "$found" = {artefacts.BEAM} ] || {{ echo "tracemill worker: apache-beam $found here, '
        f'{artefacts.BEAM} where the job was started" >&2; exit 78; }}',
        # A TaskManager that was killed leaves its workers behind: they end when it is gone.
        "(while kill -0 $PPID && kill -0 $$; do sleep 1; done; kill -TERM $$) 2>/dev/null &",
        # It writes files, the job's options too: where no other worker does.
        f'cd "$(mktemp -d {shlex.quote(str(folder))}/tmp/worker.XXXXXX)" || exit 78',
        f'exec \'{artefacts.boot_program()}\' "$@" "--semi_persist_dir=$PWD"',
    ]
    path = folder / "boot.sh"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o700)  # it may hold keys of an object store
    return path


def flags(cluster: LocalCluster, boot: Path, parallelism: int) -> list[str]:
    """Returns Beam's options for a job on this cluster."""
    return [
        "--runner=FlinkRunner",
        f"--flink_master={cluster.master}",
        f"--flink_version={artefacts.FLINK.rpartition('.')[0]}",
        f"--job_endpoint=127.0.0.1:{cluster.job_port}",
        f"--parallelism={parallelism}",
        "--environment_type=PROCESS",
        f"--environment_cache_millis={WORKERS_KEPT_MS}",
        "--environment_config=" + json.dumps({"command": str(boot)}),
        "--experiments=disable_logging_submission_environment",  # seconds of `pip freeze` a job
        "--shared_mount",
    ]


@contextlib.contextmanager
def local_cluster(folder: Path, **arguments: Any) -> Iterator[LocalCluster]:
    """Runs a cluster until the block ends, however it ends."""
    cluster = LocalCluster(folder, **arguments)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
