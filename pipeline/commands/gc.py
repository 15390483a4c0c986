"""``tracemill gc``: delete old versions and what nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dataset import manifest_of
from pipeline.options import Parser, UsageError, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints what was deleted, by kind."""
    parser = Parser(prog="tracemill gc", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("--keep", nargs="*", default=[], help="versions to keep beside the current")
    parser.add_argument("--dry_run", action="store_true", help="only say what would be deleted")
    given = parser.parse_args(list(arguments))
    manifest_of(given.output)  # before the lock, which would make the folder
    from pipeline.housekeeping import collect_garbage, versions_of
    from pipeline.locks import only_run

    there = versions_of(given.output)
    for version in given.keep:
        if version not in there:
            raise UsageError(f"--keep {version}: {given.output} has {', '.join(there)}")
    with only_run(given.output):
        removed = collect_garbage(given.output, given.keep, given.dry_run)
    print("would delete" if given.dry_run else "deleted")
    print("\n".join(removed.lines()))
    return 0
