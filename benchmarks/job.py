"""The whole job on synthetic sessions: overhead, memory, incremental runs, worker processes.

    python -m benchmarks.job overhead     the graph against a plain loop over the same stages
    python -m benchmarks.job memory       peak memory and time per session, 20 to 2,000 sessions
    python -m benchmarks.job incremental  a second run, and one with 1 % new sessions
    python -m benchmarks.job workers      two worker processes against one, bound by pixels

A synthetic session is 300 events, a 40 kB DOM snapshot and 2 frames of 640 × 400. Each command
runs both sides and prints ratios; the machine may be busy, so repeat before you believe.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.synthetic import write_catalogue, write_sessions

ROOT = Path(__file__).resolve().parent.parent


def prepare(folder: Path, sessions: int, *more: str, **size: int) -> list[str]:
    """Writes sessions and catalogue; returns the job's arguments but for --output."""
    write_sessions(folder / "sessions", sessions, **size)
    write_catalogue(folder / "suite.json")
    (folder / "key").write_text("ab" * 32)
    return [
        f"--input={folder / 'sessions'}",
        f"--suite={folder / 'suite.json'}",
        f"--privacy_key_file={folder / 'key'}",
        *more,
    ]


def job(arguments: list[str], output: Path, *more: str) -> tuple[float, float]:
    """Runs the job in a process of its own; returns (wall seconds, peak MB of any process)."""
    command = [sys.executable, "-m", "pipeline.cli", "run", *arguments, f"--output={output}", *more]
    started = time.perf_counter()
    timed = ["/usr/bin/time", "-f", "%M", *command] if Path("/usr/bin/time").exists() else command
    made = subprocess.run(timed, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if made.returncode:
        raise SystemExit(made.stdout + made.stderr)
    peak = re.findall(r"^(\d+)$", made.stderr, re.M)
    return seconds, int(peak[-1]) / 1024 if peak else float("nan")


def plain_loop(settings) -> float:
    """Runs every stage of the graph in a plain loop; returns seconds without start-up."""
    from pipeline.runner import find_sessions
    from schemas.packing import pack, unpack
    from schemas.receipts import Receipt
    from schemas.work import SessionWork
    from transforms.checkpoints import CheckpointStore
    from transforms.classify import transforms as classify
    from transforms.ingest import transforms as ingest
    from transforms.normalize import transforms as normalize
    from transforms.prepared import _WritePrepared
    from transforms.privacy import transforms as privacy
    from transforms.results import _WriteResult
    from transforms.synthesize import transforms as synthesize
    from transforms.write.commit import CommitSettings, commit
    from transforms.write.plan import plan_version
    from transforms.write.shards import ShardPlaces, write_shard

    o = settings.options
    first = [
        ingest._ReadTraces(settings.limits, settings.rules, True),
        normalize._NormalizeEvents(True),
        normalize._MatchObservations(settings.match, True),
        privacy._LocateSensitive(settings.privacy, settings.keys, True),
        privacy._Redact(settings.privacy, settings.publishing, settings.keys, True),
        _WritePrepared(settings.checkpoints, o.private_root, settings.keys, False),
    ]
    second = [
        classify._ReadPrepared(settings.checkpoints),
        classify._SegmentTrajectories(settings.catalogue, True),
        classify._ClassifySegments(settings.classification, settings.catalogue, True),
        synthesize._SynthesizeExamples(settings.synthesis, settings.catalogue, True),
        synthesize._ValidateExamples(settings.synthesis, o.target_names, settings.frames, True),
        _WriteResult(
            settings.checkpoints, settings.catalogue, o.configurations,
            settings.training_table, None,
        ),
    ]  # fmt: skip
    for stage in (*first, *second):
        stage.setup()
    started = time.perf_counter()
    receipts = []
    for ref in find_sessions(o.input):
        element = SessionWork(ref=ref, key=settings.keys.prepared(ref.session_id, ref.fingerprint))
        for stage in (*first, *second):
            (element,) = stage.process(element)
        receipts.append(unpack(element, Receipt))
    plan = plan_version(receipts, settings.writing, int(o.max_shard_mb * 1e6))
    places = ShardPlaces(o.output, settings.run_id, settings.config_hash, o.target_names)
    store = CheckpointStore(settings.checkpoints)
    shard = write_shard(store, places, plan.version, 0, 1, receipts)
    if settings.privacy.enabled:
        verify = privacy._VerifyShard(
            settings.privacy, settings.keys, settings.checkpoints, o.output
        )
        verify.setup()
        (packed,) = verify.process(pack(shard), pack(plan))
        shard = unpack(packed, type(shard))
    commit(plan, [shard], CommitSettings(o.output, settings.run_id, settings.facts))
    return time.perf_counter() - started


def overhead(sessions: int, repeats: int) -> None:
    """The graph on the in-process runner against a plain loop, start-up apart."""
    import apache_beam as beam

    from pipeline.graph import build_graph
    from pipeline.options import parse
    from pipeline.runner import beam_options
    from pipeline.settings import resolve

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        arguments = prepare(place, sessions, "--visual=off", "--fail_fast")
        ratios = []
        # The first pair warms caches and loads what both sides use; it isn't counted.
        for n in range(repeats + 1):
            loop = plain_loop(resolve(parse([*arguments, f"--output={place / f'loop{n}'}"])))
            settings = resolve(parse([*arguments, f"--output={place / f'graph{n}'}"]))
            pipeline = beam.Pipeline(options=beam_options(settings.options))
            build_graph(pipeline, settings)
            started = time.perf_counter()
            pipeline.run().wait_until_finish()
            graph = time.perf_counter() - started
            print(f"loop {loop:.2f} s, graph {graph:.2f} s, ratio {graph / loop:.3f}")
            ratios += [graph / loop] if n else []
        print(
            f"{sessions} sessions: graph / loop = {statistics.median(ratios):.3f} (must be <= 1.3)"
        )


def memory(sizes: list[int]) -> None:
    """Peak memory and time per session as the number of sessions grows."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for size in sizes:
            place = Path(folder) / str(size)
            seconds, peak = job(prepare(place, size, "--visual=off"), place / "out")
            found.append((size, seconds, peak))
            print(f"{size:>6} sessions: {seconds:8.1f} s, peak {peak:7.1f} MB", flush=True)
        (n0, _, p0), (n2, s2, p2) = found[0], found[-1]
        print(f"peak memory {n2} / {n0} sessions = {p2 / p0:.3f} (must be <= 1.15)")
        if len(found) > 2:
            n1, s1, _ = found[len(found) // 2]
            s0 = found[0][1]
            slopes = (s1 - s0) / (n1 - n0), (s2 - s1) / (n2 - n1)
            print(
                f"seconds per session {slopes[0]:.4f} ({n0} to {n1}), {slopes[1]:.4f} ({n1} to "
                f"{n2}): ratio {slopes[1] / slopes[0]:.3f} (must be within 0.9 to 1.1)"
            )


def incremental(sessions: int) -> None:
    """A second run over the same input, and one with 1 % new sessions."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        arguments = prepare(place, sessions, "--visual=off")
        full, _ = job(arguments, place / "out")
        again, _ = job(arguments, place / "out")
        write_sessions(place / "sessions", max(1, sessions // 100), first=10**6)
        more, _ = job(arguments, place / "out")
        print(f"{sessions} sessions: full {full:.1f} s")
        print(f"all done before: {again:.2f} s (must be <= 3)")
        print(f"1 % new: {more:.1f} s, {more / full:.3f} of full (must be <= 0.15)")


def workers(sessions: int) -> None:
    """Two worker processes against one, on work bound by pixels (decode, scale, encode, OCR)."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        arguments = prepare(place, sessions, "--verify_pictures=none")
        seconds = {}
        for n in (1, 2):
            more = [f"--direct_num_workers={n}"]
            if n > 1:
                more.append("--direct_running_mode=multi_processing")
            seconds[n], _ = job(arguments, place / f"out{n}", *more)
            print(f"{n} processes: {seconds[n]:.1f} s", flush=True)
        print(f"2 processes are {seconds[1] / seconds[2]:.2f} x as fast (must be >= 1.6)")


def main() -> None:
    """Runs the benchmark that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["overhead", "memory", "incremental", "workers"])
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.what == "overhead":
        overhead(given.sessions or 100, given.repeats)
    elif given.what == "memory":
        memory([20, 200, given.sessions or 2000])
    elif given.what == "incremental":
        incremental(given.sessions or 1000)
    else:
        workers(given.sessions or 200)


if __name__ == "__main__":
    main()
