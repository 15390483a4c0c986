"""The job on a local Flink cluster: two workers against one.

    python -m benchmarks.flink workers    bound by pixels (decode, OCR, blur, encode)

Both sides run one after the other on the same cluster (JobManager, two TaskManagers), with as many
workers as the job's parallelism. Before each side a job over two small sessions runs with the same
parallelism: it warms the cluster, and its time is the start-up that one of the two ratios leaves
out. The other ratio leaves out nothing. Sessions are synthetic, 640 × 400 frames full of text.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.job import job, prepare
from deploy.flink.cluster import flags, local_cluster, write_boot


def workers(sessions: int, frames: int) -> None:
    """Two workers against one, with and without the time that a job takes to start."""
    with tempfile.TemporaryDirectory(prefix="tracemill-flink-") as name:
        place = Path(name)
        for part in ("small", "large"):
            (place / part).mkdir()
        small = prepare(place / "small", 2, "--verify_pictures=none", frames=1)
        large = prepare(place / "large", sessions, "--verify_pictures=none", frames=frames)
        start, whole = {}, {}
        with local_cluster(place / "cluster") as cluster:
            boot = write_boot(cluster.folder, {})
            for n in (1, 2):
                on_flink = flags(cluster, boot, n)
                job(small, place / f"warm{n}", *on_flink)
                start[n], _ = job(small, place / f"small{n}", *on_flink)
                whole[n], _ = job(large, place / f"large{n}", *on_flink)
                print(
                    f"{n} worker(s): {whole[n]:.1f} s for {sessions} sessions of {frames} frames; "
                    f"{start[n]:.1f} s for 2 of 1 frame",
                    flush=True,
                )
    print(f"2 workers are {whole[1] / whole[2]:.2f} x as fast, start-up and all (must be >= 1.6)")
    work = (whole[1] - start[1]) / (whole[2] - start[2])
    print(f"without the time of the small job: {work:.2f} x")


def main() -> None:
    """Runs the benchmark that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["workers"])
    parser.add_argument("--sessions", type=int, default=400)
    parser.add_argument("--frames", type=int, default=2)
    given = parser.parse_args()
    workers(given.sessions, given.frames)


if __name__ == "__main__":
    main()
