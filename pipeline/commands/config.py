"""``tracemill config``: print a packaged configuration, to start one's own from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.options import Parser, reference_markdown

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = {
    "scrubber": "transforms/privacy/scrubber.yaml",
    "network": "transforms/ingest/network_rules.yaml",
}


def main(arguments: Sequence[str]) -> int:
    """Prints one of the packaged files, or the options page of the docs."""
    parser = Parser(prog="tracemill config", description=__doc__)
    parser.add_argument("what", choices=[*FILES, "options", "dataflow"])
    given = parser.parse_args(list(arguments))
    if given.what == "options":
        print(reference_markdown())
    elif given.what == "dataflow":
        import json

        from pipeline.dataflow import template_metadata

        print(json.dumps(template_metadata(), indent=2))
    else:
        print((ROOT / FILES[given.what]).read_text(encoding="utf-8"), end="")
    return 0
