"""``tracemill compare``: the model configurations of one run, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.options import Parser, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints agreement, cost, confidence and accepted share; accuracy where truth is given."""
    parser = Parser(prog="tracemill compare", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("--truth", help="truth file as for `evaluate`, for the accuracy")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(list(arguments))
    from pipeline.compare import compare, lines

    found = compare(given.output, given.truth)
    print(json.dumps(found) if given.json else "\n".join(lines(found)))
    return 0
