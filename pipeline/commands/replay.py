"""``tracemill replay``: compute the failed sessions of an output again, and only those."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cli import job_options
from pipeline.dataset import read_table


def main(arguments: Sequence[str]) -> int:
    """Runs the job; sessions that are FAILED in the current version are computed anew."""
    from pipeline.commands.run import run_and_report

    options = job_options("replay", "Compute failed sessions again.", arguments)
    rows = read_table(options.output or "", "sessions", ["session_id", "status"]).to_pylist()
    failed = frozenset(r["session_id"] for r in rows if r["status"] == "FAILED")
    if not failed:
        print("no failed sessions")
        return 0
    print(f"{len(failed)} failed sessions are computed again")
    return run_and_report(options, anew=failed)
