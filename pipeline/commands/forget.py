"""``tracemill forget``: remove sessions from an output, everywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.dataset import read_table
from pipeline.options import Parser


def main(arguments: Sequence[str]) -> int:
    """Publishes a version without the sessions and deletes what was made of them."""
    parser = Parser(prog="tracemill forget", description=__doc__)
    parser.add_argument("output", help="folder or bucket path of the dataset")
    parser.add_argument("session", nargs="+", help="session ids as published")
    parser.add_argument("--private", help="where private material lies; OUTPUT/private by default")
    parser.add_argument("--max_shard_mb", type=float, default=500.0)
    parser.add_argument("--model_cache", help="where replies are kept; OUTPUT/cache by default")
    given = parser.parse_args(list(arguments))
    known = set(read_table(given.output, "sessions", ["session_id"])["session_id"].to_pylist())
    missing = [s for s in given.session if s not in known]
    if missing:
        print(f"tracemill forget: not found: {', '.join(missing)}", file=sys.stderr)
        return 1
    from pipeline.housekeeping import forget
    from pipeline.runner import only_run

    private = given.private or f"{given.output.rstrip('/')}/private"
    with only_run(given.output):
        version = forget(
            given.output, private, set(given.session), given.max_shard_mb, given.model_cache
        )
    print(f"forgotten: {len(given.session)} sessions; the dataset is version {version}")
    return 0
