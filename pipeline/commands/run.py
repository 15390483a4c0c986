"""``tracemill run``: the job."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import job_options
from pipeline.options import Options


def main(arguments: Sequence[str]) -> int:
    """Runs the job and names what it wrote."""
    options = job_options("run", "Turn recorded sessions into a dataset.", arguments)
    return run_and_report(options)


def run_and_report(options: Options, anew: frozenset[str] = frozenset()) -> int:
    """Runs the job with a live line; returns the exit code."""
    if options.backend_url:
        return _run_for_backend(options, anew)
    return _run(options, anew)[0]


def _run_for_backend(options: Options, anew: frozenset[str]) -> int:
    """Runs what waits in the backend and says there how it ended."""
    from pipeline.backend.client import BackendFault, KeyRefused
    from pipeline.backend.work import taken_work

    try:
        with taken_work(options) as work:
            if work.idle:
                print("no Example waits in the backend")
                code = 0
            else:
                code, published = _run(work.options, anew)
                if published:
                    work.finish()
            for note in work.notes:
                print(note)
            return code
    except BackendFault as error:
        print(f"tracemill run: {error}", file=sys.stderr)
        return 2 if isinstance(error, KeyRefused) else 3


def _run(options: Options, anew: frozenset[str]) -> tuple[int, bool]:
    """Returns the exit code, and whether the current version is what this run came to."""
    from pipeline import report
    from pipeline.passed_over import told
    from pipeline.runner import InfrastructureError, run
    from transforms import storage

    try:
        outcome = run(options, anew, report.Report(total=None))
    except (InfrastructureError, storage.StorageError) as error:
        print(f"tracemill run: {error}", file=sys.stderr)
        return 3, False
    output = options.output or ""
    if "template" in outcome.summary:
        print(f"the job was written to {outcome.summary['template']} and not started")
        return 0, False
    about_input = told(outcome.passed_over, options.private_root)
    if not outcome.computed:
        print(
            f"nothing to do: all {outcome.summary['sessions']} sessions are in version "
            f"{outcome.version} of {output}; {outcome.seconds:.1f} s"
        )
        for line in about_input:
            print(line)
        return _exit_code(outcome.summary, options), True
    for line in [*report.ending(output, outcome.summary, outcome.seconds), *about_input]:
        print(line)
    if len(options.configurations) > 1:
        from pipeline.compare import write_comparison

        if written := write_comparison(output, outcome.run_id):
            print(f"{written}    the model configurations side by side; see also tracemill compare")
    if storage.is_local(output):
        report.write_page(output, outcome.summary, outcome.seconds)
        for line in report.first_example(str(storage.local_path(output))):
            print(line)
    return _exit_code(outcome.summary, options), True


def _exit_code(summary: dict, options: Options) -> int:
    if summary.get("counts", {}).get("failures/internal_error"):
        print("tracemill run: internal errors; see failures", file=sys.stderr)
        return 3
    failed, all_of_them = summary["failed_sessions"], summary["sessions"]
    if all_of_them and failed / all_of_them > options.max_failure_ratio:
        print(
            f"tracemill run: {failed} of {all_of_them} sessions failed, more than "
            f"--max_failure_ratio {options.max_failure_ratio}",
            file=sys.stderr,
        )
        return 1
    return 0
