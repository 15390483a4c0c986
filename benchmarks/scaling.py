"""What a session costs, by stage and by what is kept of it, as the number of sessions grows.

    python -m benchmarks.scaling text 10 100 1000 10000     without pictures (--visual=off)
    python -m benchmarks.scaling pixels 10 50 200           20 frames of 640 × 400 a session
    python -m benchmarks.scaling small 100 10000            30 events and nothing else a session

One worker process. CPU seconds are divided among the stages as their wall time is in the audit log,
because on a busy machine that alone would be too large. Bytes are what lies on disk; what crosses a
shuffle is counted as it is packed. See docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import mean

import fastavro

from benchmarks.job import ROOT, prepare
from schemas.packing import pack
from transforms.checkpoints import CheckpointStore, read_members
from transforms.ingest.find import find_sessions

KINDS: dict[str, dict[str, int]] = {
    "text": {"frames": 2},
    "pixels": {"frames": 20},
    "small": {"events": 30, "frames": 0, "dom": False},
}


def measured(folder: Path, sessions: int, kind: str) -> dict:
    """Runs one job; returns its figures."""
    visual = [] if kind == "pixels" else ["--visual=off"]
    arguments = prepare(folder, sessions, *visual, **KINDS[kind])
    out = folder / "out"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["/usr/bin/time", "-f", "peak %M", sys.executable, "-m", "pipeline.cli", "run"]
    made = subprocess.run(
        [*command, *arguments, f"--output={out}"], cwd=ROOT, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if made.returncode:
        raise SystemExit(made.stdout + made.stderr)
    peak = next(line for line in made.stderr.splitlines() if line.startswith("peak "))
    manifest = json.loads((out / "manifest.json").read_text())
    store = CheckpointStore(str(out / "checkpoints"))
    members = read_members(store, manifest["version"])
    return {
        "sessions": sessions,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": int(peak.split()[1]) / 1024,
        "stages": stage_seconds(out),
        "bytes": {
            "input": size(folder / "sessions"),
            "prepared checkpoints": size(out / "checkpoints" / "prepared"),
            "result checkpoints": size(out / "checkpoints" / "result"),
            "frames": size(out / "frames"),
            "version": size(out / "versions"),
            "run folder": size(out / "run"),
        },
        "shuffled": {
            "a reference": mean(len(pack(r)) for r in find_sessions([str(folder / "sessions")])),
            "a result's receipt": mean(len(pack(m)) for m in members),
        },
    }


def stage_seconds(out: Path) -> dict[str, float]:
    """Sums the audit log's durations by stage."""
    spent: Counter[str] = Counter()
    for path in sorted((out / "run").glob("*/audit/*.avro")):
        with path.open("rb") as f:
            for row in fastavro.reader(f):
                spent[row["stage"]] += row["duration_ms"] / 1000
    return dict(spent)


def size(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def main() -> None:
    """Prints a table for each number of sessions, and how peak memory and cost grow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("sizes", nargs="+", type=int)
    given = parser.parse_args()
    found = []
    for sessions in given.sizes:
        folder = Path(tempfile.mkdtemp(prefix="scaling"))
        try:
            figures = measured(folder, sessions, given.kind)
        finally:
            shutil.rmtree(folder)
        found.append(figures)
        per = 1000 / sessions
        print(
            f"{sessions} sessions: {figures['cpu_s']:.1f} CPU s in all, "
            f"{figures['peak_mb']:.0f} MB peak"
        )
        in_stages = sum(figures["stages"].values())
        for stage, seconds in sorted(figures["stages"].items(), key=lambda i: -i[1]):
            print(f"    {stage:<22}{seconds / in_stages:9.1%} of the time in stages")
        for what, n in figures["bytes"].items():
            print(f"    {what:<22}{n * per / 1e6:9.2f} MB per 1,000 sessions")
        for what, n in figures["shuffled"].items():
            print(f"    {what:<22}{n:9.0f} bytes through a shuffle", flush=True)
    first, last = found[0], found[-1]
    if last is not first:
        grown = last["sessions"] - first["sessions"]
        print(f"peak memory {last['peak_mb'] / first['peak_mb']:.3f} x")
        print(f"{(last['cpu_s'] - first['cpu_s']) / grown * 1000:.1f} CPU s for each 1,000 more")


if __name__ == "__main__":
    main()
