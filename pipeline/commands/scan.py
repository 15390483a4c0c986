"""``tracemill scan``: search a finished output for personal data."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.options import Parser, UsageError, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints what was found by entity and place, never a value; exit code 3 when there is any."""
    parser = Parser(prog="tracemill scan", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("--private", help="where private material lies; OUTPUT/private by default")
    parser.add_argument(
        "--privacy_key_file", help="the project key; PRIVATE/project.key by default"
    )
    parser.add_argument("--scrubber_config", help="YAML of scrubbing rules")
    parser.add_argument("--verify_pictures", default="all", help="sample:N, all or none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(list(arguments))
    number = given.verify_pictures.removeprefix("sample:")
    if given.verify_pictures not in ("all", "none") and not number.isdigit():
        raise UsageError(
            f"--verify_pictures {given.verify_pictures}: allowed is sample:N, all or none"
        )
    pictures = {"all": None, "none": 0}.get(given.verify_pictures, -1)
    from pipeline.scan import scan

    private = given.private or f"{given.output.rstrip('/')}/private"
    found = scan(
        given.output,
        given.privacy_key_file or f"{private}/project.key",
        given.scrubber_config,
        int(number) if pictures == -1 else pictures,
    )
    if given.json:
        print(
            json.dumps(
                {
                    "sessions": found.values_of_sessions,
                    "pictures": found.pictures,
                    "hits": found.hits,
                    "sessions_with_hits": found.sessions,
                }
            )
        )
    else:
        print(f"searched {found.values_of_sessions} sessions and {found.pictures} pictures")
        for place, n in found.hits.items():
            print(f"{n:>8}  {place}")
        for session in found.sessions:
            print(f"          in session {session}")
        print("personal data was found" if found.hits else "nothing was found")
    return 3 if found.hits else 0
