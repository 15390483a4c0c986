"""``tracemill plan``: what a run would ask and cost, before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cli import job_options


def main(arguments: Sequence[str]) -> int:
    """Prints sessions, segments, calls, tokens and price; writes nothing, asks nobody."""
    as_json = "--json" in arguments
    options = job_options(
        "plan",
        "Say what a run with these options would ask and cost; --json prints one JSON object.",
        [a for a in arguments if a != "--json"],
    )
    import msgspec

    from pipeline.plan import lines, plan

    made = plan(options)
    print(msgspec.json.encode(made).decode() if as_json else "\n".join(lines(made)))
    return 0
