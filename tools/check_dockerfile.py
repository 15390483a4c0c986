"""Runs the Dockerfile's own steps without an image, then the installed job as another user.

    python tools/check_dockerfile.py [FOLDER]

Every instruction is read from the Dockerfile and done below a folder: a new virtual environment
stands for the base image's Python, ``/opt`` for ``FOLDER/opt``; only tracked files are copied. An
instruction that is not known here fails, so the two cannot part. What this cannot see is the base
image itself: its system libraries, and Beam's image with the boot program.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SESSIONS = 2
TIMEOUT_S = 1200


class Unknown(Exception):
    """An instruction that this script does not know how to do."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yields (instruction, rest) with continued lines joined."""
    lines = (ln for ln in text.splitlines() if not ln.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


class Build:
    """The image as a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.venv = folder / "python"
        self.work = folder
        self.user = ""
        self.stages: set[str] = set()
        self.tracked = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\0")  # fmt: skip
        self.environment = {
            "PATH": f"{self.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            **{k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "REQUESTS_"))},
        }
        self.environment.update(
            {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
        )

    def do(self, word: str, rest: str) -> None:
        """Does one instruction."""
        method = getattr(self, f"_do_{word.lower()}", None)
        if method is None:
            raise Unknown(f"{word} {rest}")
        print(f"{word} {rest}", flush=True)
        method(rest)

    def inside(self, path: str) -> Path:
        """Returns where a path of the image lies."""
        return self.folder / path.lstrip("/") if path.startswith("/") else self.work / path

    def _do_from(self, rest: str) -> None:
        image, _, name = rest.partition(" AS ")
        if image == "python:3.11-slim-bookworm":
            subprocess.run([base_python(), "-m", "venv", str(self.venv)], check=True)
        elif image not in self.stages:
            raise Unknown(f"FROM {rest}")
        if name:
            self.stages.add(name.strip())

    def _do_workdir(self, rest: str) -> None:
        self.work = self.inside(rest)
        self.work.mkdir(parents=True, exist_ok=True)

    def _do_copy(self, rest: str) -> None:
        *sources, target = shlex.split(rest)
        if sources[0].startswith("--from="):
            stage = sources.pop(0).partition("=")[2]
            if stage not in self.stages:
                print(f"  not here: {stage}")  # Beam's own image, by its name
            elif not self.inside(sources[0]).exists():
                raise FileNotFoundError(sources[0])
            return
        for source in sources:
            names = [n for n in self.tracked if n == source or n.startswith(f"{source}/")]
            if not names:
                raise FileNotFoundError(f"COPY {source}: no such tracked file")
            for name in names:
                below = name[len(source) :].lstrip("/")
                place = self.inside(target)
                if len(sources) > 1 or target.endswith("/"):
                    place /= source
                place = place / below if below else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)

    def _do_run(self, rest: str) -> None:
        if rest.startswith("useradd "):
            self.user = rest.split()[rest.split().index("--uid") + 1]
            return
        # Downloads may come from pip's cache here; an image has none.
        command = rest.replace("--no-cache-dir ", "").replace("/opt/", f"{self.folder}/opt/")
        self.run(["/bin/sh", "-euc", command])

    def _do_env(self, rest: str) -> None:
        for assignment in shlex.split(rest):
            name, _, value = assignment.partition("=")
            self.environment[name] = str(self.inside(value)) if value.startswith("/opt/") else value

    def _do_user(self, rest: str) -> None:
        if not self.user:
            raise Unknown(f"USER {rest} before useradd --uid")

    def _do_entrypoint(self, rest: str) -> None:
        if rest != '["/opt/apache/beam/boot"]':
            raise Unknown(f"ENTRYPOINT {rest}")

    def run(self, command: list[str], cwd: Path | None = None) -> str:
        """Runs a command in the image's environment; returns what it said."""
        made = subprocess.run(
            command, cwd=cwd or self.work, env=self.environment, text=True, timeout=TIMEOUT_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"{shlex.join(command)}: exit {made.returncode}\n{made.stdout}")
        return made.stdout

    def as_user(self, command: list[str], cwd: Path) -> str:
        """Runs a command as the image's user where this process may change to it."""
        if os.geteuid() == 0 and shutil.which("setpriv") and self.can_change_user():
            command = [
                "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups",
                *command,
            ]  # fmt: skip
        return self.run(command, cwd)

    def can_change_user(self) -> bool:
        """Whether the base Python may be read by others; one below a home folder may not."""
        return open_to_all(self.venv / "bin" / "python")


def open_to_all(path: Path) -> bool:
    """Whether every user may reach a file."""
    return all(p.stat().st_mode & 0o001 for p in path.resolve().parents)


def base_python() -> str:
    """Returns a Python 3.11 that the image's user may start, if there is one."""
    candidates = [sys.executable, shutil.which("python3.11", path="/usr/local/bin:/usr/bin")]
    usable = [c for c in candidates if c and open_to_all(Path(c))]
    return usable[0] if usable else sys.executable


def check_job(build: Build) -> None:
    """Runs the installed command as the image's user, away from the sources."""
    home = build.folder / "home"
    data = build.folder / "data"
    shutil.copytree(ROOT / "examples", data, dirs_exist_ok=True)
    home.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(home, int(build.user), int(build.user))
    where = "as the image's user" if build.can_change_user() else "as this user"
    print(f"tracemill, {where}", flush=True)
    print(build.as_user(["tracemill", "--version"], home), end="")
    for command in (["run", "--help"], ["config", "scrubber"], ["config", "dataflow"]):
        build.as_user(["tracemill", *command], home)
    assert "wheel" not in build.as_user(["tracemill", "models", "show"], home)
    names = sorted(p.name for p in (data / "sessions").iterdir() if p.is_dir())[:SESSIONS]
    inputs = [f"--input={data / 'sessions' / name}" for name in names]
    output = home / "out"
    said = build.as_user(
        ["tracemill", "run", *inputs, f"--suite={data / 'catalogue.yaml'}", f"--output={output}"],
        home,
    )
    print(said, end="")
    assert f"{SESSIONS} sessions (0 done before, 0 failed)" in said
    print(build.as_user(["tracemill", "failures", str(output)], home), end="")
    # What Beam's boot program starts, and what a worker imports before it reads the graph.
    worker = "import apache_beam.runners.worker.sdk_worker_main, schemas.coders, pipeline.graph"
    build.as_user(["python", "-c", worker], home)
    build.as_user(["python", str(build.inside("/opt/tracemill/main.py")), "--help"], home)


def main() -> int:
    """Returns 0 when all steps and the job went through."""
    with tempfile.TemporaryDirectory(prefix="tracemill-image-") as name:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else name)
        folder.chmod(0o755)
        build = Build(folder)
        for word, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
            build.do(word, rest)
        check_job(build)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
