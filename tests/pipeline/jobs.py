"""Runs the real job in tests, in a process of its own like a user does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "TOKENIZERS_PARALLELISM": "false",
}


def command(*arguments: object) -> list[str]:
    """Returns the command line of ``tracemill`` with these arguments."""
    return [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]


def tracemill(*arguments: object, check: int | None = 0, timeout_s: float = 240):
    """Runs a command to its end; asserts its exit code unless ``check`` is None."""
    made = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, timeout=timeout_s
    )
    if check is not None:
        assert made.returncode == check, f"{made.returncode}\n{made.stdout}\n{made.stderr[-4000:]}"
    return made


def job(input_: object, suite: object, output: object, *more: object) -> list[object]:
    """Returns the arguments of an unfiltered job; internal errors end it."""
    return [
        "run", "--input", input_, "--suite", suite, "--output", output, "--privacy=off",
        "--fail_fast", *more,
    ]  # fmt: skip


def version_files(output: Path) -> dict[str, str]:
    """Returns every file of the dataset and the frames → sha256."""
    files = {}
    for top in (output / "dataset", output / "frames"):
        for path in sorted(top.resolve().rglob("*")):
            if path.is_file():
                name = f"{top.name}/{path.relative_to(top.resolve())}"
                files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def manifest(output: Path) -> dict:
    """Returns the manifest of an output."""
    return json.loads((output / "manifest.json").read_text())


def summary(output: Path) -> dict:
    """Returns the newest run's summary."""
    return json.loads((output / "run" / "latest" / "summary.json").read_text())
