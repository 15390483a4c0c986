"""``tracemill forget``: remove sessions from an output, everywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.dataset import manifest_of
from pipeline.options import Parser, output_place


def main(arguments: Sequence[str]) -> int:
    """Publishes a version without the sessions and deletes what was made of them.

    Started again after it was interrupted, it goes on.
    """
    parser = Parser(prog="tracemill forget", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("session", nargs="+", help="session ids as published")
    parser.add_argument(
        "--private",
        type=output_place,
        help="where private material lies; as the runs had it by default",
    )
    parser.add_argument(
        "--model_cache",
        type=output_place,
        help="where replies are kept; as the runs had it by default",
    )
    given = parser.parse_args(list(arguments))
    manifest_of(given.output)  # before the lock, which would make the folder
    from pipeline.housekeeping import forget, known_sessions
    from pipeline.locks import only_run
    from pipeline.run_places import places_of

    places = places_of(given.output, given.private, given.model_cache)
    with only_run(given.output):
        known = known_sessions(given.output, places, given.session)
        if missing := [s for s in given.session if s not in known]:
            print(f"tracemill forget: not found: {', '.join(missing)}", file=sys.stderr)
            return 1
        version = forget(given.output, places, set(given.session))
    print(f"forgotten: {len(given.session)} sessions; the dataset is version {version}")
    return 0
