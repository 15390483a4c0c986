"""``tracemill status``: how sessions and examples of an output stand."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence

from pipeline.dataset import manifest_of, read_table
from pipeline.options import Parser, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints the state of an output, or of the sessions and examples that are named."""
    parser = Parser(prog="tracemill status", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("id", nargs="*", help="session or example ids; all by default")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    given = parser.parse_args(list(arguments))
    manifest = manifest_of(given.output)
    sessions = read_table(
        given.output,
        "sessions",
        ["session_id", "suite", "status", "error_code", "events", "steps", "frames"],
    ).to_pylist()
    examples = read_table(
        given.output,
        "examples",
        ["id", "session_id", "status", "error_code", "confidence", "review_reasons"],
    ).to_pylist()
    if given.id:
        return _named(given.id, sessions, examples, given.json)
    if given.json:
        for row in sessions:
            print(json.dumps({"kind": "session", **row}))
        for row in examples:
            print(json.dumps({"kind": "example", **row}))
        return 0
    print(f"version {manifest['version']}, privacy {manifest['privacy']}")
    for what, rows in (("sessions", sessions), ("examples", examples)):
        counts = Counter(r["status"] for r in rows)
        print(f"{len(rows)} {what}: " + ", ".join(f"{n} {s}" for s, n in sorted(counts.items())))
    by_session: dict[str, list[dict]] = {}
    for example in examples:
        by_session.setdefault(example["session_id"], []).append(example)
    for row in sessions:
        print(_session_line(row, by_session.get(row["session_id"], [])))
    return 0


def _session_line(row: dict, examples: list[dict]) -> str:
    why = f" {row['error_code']}" if row["error_code"] else ""
    reasons = sorted({r for e in examples for r in e["review_reasons"]})
    # A COMPLETED example has reasons too where its conversation was split around unsure segments.
    verb = "waits" if any(e["status"] == "PENDING" for e in examples) else "split around"
    waits = f" {verb}: {', '.join(reasons)}" if reasons else ""
    return (
        f"{row['session_id']}  {row['status']:<9}{why}  {row['suite'] or '-'}  "
        f"{row['events']} events, {row['steps']} steps, {len(examples)} examples{waits}"
    )


def _named(ids: Sequence[str], sessions: list, examples: list, as_json: bool) -> int:
    missing = 0
    for wanted in ids:
        rows = [("session", r) for r in sessions if r["session_id"] == wanted]
        rows += [("example", r) for r in examples if wanted in (r["id"], r["session_id"])]
        if not rows:
            print(f"tracemill status: {wanted}: not found", file=sys.stderr)
            missing += 1
        for kind, row in rows:
            if as_json:
                print(json.dumps({"kind": kind, **row}))
            else:
                print(kind + "  " + "  ".join(f"{k}={v}" for k, v in row.items() if v is not None))
    return 1 if missing else 0
