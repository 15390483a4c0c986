"""``tracemill evaluate``: compare an output with labelled truth."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.options import Parser


def main(arguments: Sequence[str]) -> int:
    """Prints accuracy of actions and parameters, and how far confidence can be trusted."""
    parser = Parser(prog="tracemill evaluate", description=__doc__)
    parser.add_argument("output", help="folder or bucket path of the dataset")
    parser.add_argument(
        "--truth",
        required=True,
        help="JSON lines: {session_id, actions: [{action, parameters, first_event_id, "
        "last_event_id}]}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(list(arguments))
    from pipeline.evaluate import evaluate, lines

    result = evaluate(given.output, given.truth)
    if given.json:
        print(json.dumps(result))
    else:
        print("\n".join(lines(result)))
    return 0
