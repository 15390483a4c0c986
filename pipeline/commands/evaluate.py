"""``tracemill evaluate``: compare an output with labelled truth, and learn from labels."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.options import Parser, UsageError, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints accuracy of actions and parameters, and how far confidence can be trusted.

    ``--fit`` writes a calibration file from the truth and from what people answered.
    """
    parser = Parser(prog="tracemill evaluate", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument(
        "--truth",
        help="JSON lines: {session_id, actions: [{action, parameters, first_event_id, "
        "last_event_id}]}",
    )
    parser.add_argument(
        "--fit",
        metavar="FILE",
        help="write a calibration from the truth and from OUTPUT/review/answers.jsonl",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(list(arguments))
    if not given.truth and not given.fit:
        raise UsageError("give --truth FILE, --fit FILE or both")
    if given.truth:
        from pipeline.evaluate import evaluate, lines

        result = evaluate(given.output, given.truth)
        print(json.dumps(result) if given.json else "\n".join(lines(result)))
    if given.fit:
        from pipeline.calibrate import fit_file

        said = fit_file(given.output, given.truth, given.fit)
        if not given.json:
            print("\n".join(said))
    return 0
