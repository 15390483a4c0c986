"""What a local Flink cluster needs, got once into the user's cache folder.

Flink's jars come out of the ``apache-flink-libraries`` package, the job server is assembled by
Maven from ``pom.xml``, the SDK's boot program is built by Go. Nothing of it is in the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from deploy.flink.loopback import patch_jar

FLINK = "1.19.3"
BEAM = "2.77.0"
JOB_SERVER = "2.70.0"
"""Release of the runner in ``pom.xml``; older than BEAM."""
TIMEOUT_S = 1200


class ArtefactError(Exception):
    """Something that is needed could not be got; the message says what and how."""


def cache_folder() -> Path:
    """Returns the folder where artefacts are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tracemill"


def missing() -> str:
    """Returns why artefacts cannot be had here, or "" when they can."""
    if not shutil.which("java"):
        return "a Flink cluster needs Java 17 (java on the PATH)"
    if not _job_server_path().exists() and not shutil.which("mvn"):
        return "assembling the job server needs Maven (mvn on the PATH)"
    if not boot_path().exists() and not shutil.which("go"):
        return "building the SDK's boot program needs Go (go on the PATH)"
    return ""


def _run(what: str, command: list[str], cwd: Path, **variables: str) -> None:
    print(f"{what} (once)", file=sys.stderr)
    made = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if made.returncode:
        said = (made.stderr or made.stdout).strip().splitlines()[-8:]
        raise ArtefactError(f"{what} failed: {' '.join(command[:4])} …\n" + "\n".join(said))


def flink_jars() -> Path:
    """Returns the folder with Flink's jars."""
    folder = cache_folder() / "flink" / f"lib-{FLINK}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation"]
        _run("fetching Flink's jars", [*pip, f"apache-flink-libraries=={FLINK}"], work)
        (work / "lib").mkdir()
        with tarfile.open(next(work.glob("*.tar.gz"))) as tar:
            for member in tar:
                path = Path(member.name)
                if path.suffix == ".jar" and path.parent.match("deps/lib"):
                    source = tar.extractfile(member)
                    assert source is not None
                    with source, (work / "lib" / path.name).open("wb") as copy:
                        shutil.copyfileobj(source, copy)
        (work / "lib").rename(folder)
    return folder


def _job_server_path() -> Path:
    return cache_folder() / "flink" / f"job-server-{JOB_SERVER}-loopback.jar"


def job_server_jar() -> Path:
    """Returns the job server's jar."""
    jar = _job_server_path()
    if jar.exists():
        return jar
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent) as name:
        work = Path(name)
        shutil.copy(Path(__file__).with_name("pom.xml"), work)
        _run("assembling the job server", ["mvn", "-q", "-B", "package"], work)
        made = work / "target" / "beam-flink-job-server-1.jar"
        patch_jar(made)
        made.rename(jar)
    return jar


def boot_path() -> Path:
    """Returns where the SDK's boot program is kept."""
    return cache_folder() / "bin" / "container"


def boot_program() -> Path:
    """Returns the program that starts Python workers, as in Beam's own image."""
    path = boot_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        module = f"github.com/apache/beam/sdks/v2/python/container@v{BEAM}"
        _run(
            "building the boot program",
            ["go", "install", module],
            path.parent,
            GOBIN=str(path.parent),
        )
    return path
