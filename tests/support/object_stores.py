"""Object stores on this machine for tests: started on a free port of 127.0.0.1, ended by id."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.flink.cluster import end_with_parent

READY_S = 60
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracemill"
GO_TOOLS = {
    "fake-gcs-server": "github.com/fsouza/fake-gcs-server@latest",
    "prism": "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0",
    "container": "github.com/apache/beam/sdks/v2/python/container@v2.77.0",
}


def free_port() -> int:
    """Returns a port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends, or this process does; fails when it isn't there soon."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True, preexec_fn=end_with_parent
        )
    try:
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"{command[0]} does not listen on {port}"
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def gcs_emulator(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """gcp-storage-emulator: speaks what Beam does, ignores preconditions. Yields variables."""
    port = free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    command = [
        str(program), "start", "--host=127.0.0.1", f"--port={port}", "--in-memory",
        f"--default-bucket={bucket}",
    ]  # fmt: skip
    with server(command, port, folder / "gcs.log"):
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def s3_server(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """The moto server with one bucket. Yields the variables that lead to it."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with server([str(program), "-H", "127.0.0.1", "-p", str(port)], port, folder / "s3.log"):
        import boto3

        boto3.session.Session().client(
            "s3", endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id="invented", aws_secret_access_key="invented",
        ).create_bucket(Bucket=bucket)  # fmt: skip
        yield variables


@contextlib.contextmanager
def fake_gcs_server(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """fake-gcs-server, which keeps preconditions. Yields the variables that lead to it."""
    port = free_port()
    command = [
        str(go_tool("fake-gcs-server")), "-scheme=http", "-host=127.0.0.1", f"-port={port}",
        "-backend=memory", f"-external-url=http://127.0.0.1:{port}",
    ]  # fmt: skip
    with server(command, port, folder / "fake-gcs.log"):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        storage.Client(
            project="local",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{port}"},
        ).create_bucket(bucket)
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}


def missing_go_tool(name: str) -> str:
    """Returns why a Go program can't be had, or "" when it is there or can be built."""
    if (CACHE / "bin" / name).exists() or shutil.which("go"):
        return ""
    return f"{name} needs Go to be built: install Go, or put it at {CACHE / 'bin' / name}"


def go_tool(name: str) -> Path:
    """Returns a Go program, built once into the user's cache."""
    path = CACHE / "bin" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOBIN": str(path.parent)}
        made = subprocess.run(
            ["go", "install", GO_TOOLS[name]],
            env=environment, capture_output=True, text=True, timeout=900, cwd=path.parent,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr[-2000:]
    return path
