"""``tracemill gc``: delete old versions and what nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.options import Parser


def main(arguments: Sequence[str]) -> int:
    """Prints what was deleted, by kind."""
    parser = Parser(prog="tracemill gc", description=__doc__)
    parser.add_argument("output", help="folder or bucket path of the dataset")
    parser.add_argument("--keep", nargs="*", default=[], help="versions to keep beside the current")
    parser.add_argument("--dry_run", action="store_true", help="only say what would be deleted")
    given = parser.parse_args(list(arguments))
    from pipeline.housekeeping import collect_garbage
    from pipeline.runner import only_run

    with only_run(given.output):
        removed = collect_garbage(given.output, given.keep, given.dry_run)
    print("would delete" if given.dry_run else "deleted")
    print("\n".join(removed.lines()))
    return 0
