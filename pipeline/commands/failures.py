"""``tracemill failures``: list, group or show the dead letters of an output."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from pipeline.dataset import read_table
from pipeline.options import Parser, output_place


def main(arguments: Sequence[str]) -> int:
    """Prints failures; never a record's text, which is not kept."""
    parser = Parser(prog="tracemill failures", description=__doc__)
    parser.add_argument("output", type=output_place, help="folder or bucket path of the dataset")
    parser.add_argument("--session", help="only this session")
    parser.add_argument("--stage", help="only this stage")
    parser.add_argument("--code", help="only this code")
    parser.add_argument("--group", action="store_true", help="count by stage and code")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    given = parser.parse_args(list(arguments))
    rows = [
        r
        for r in read_table(given.output, "failures").to_pylist()
        if (not given.session or r["session_id"] == given.session)
        and (not given.stage or r["stage"] == given.stage)
        and (not given.code or r["code"] == given.code)
    ]
    if given.group:
        counts = Counter((r["stage"], r["code"]) for r in rows)
        for (stage, code), n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            print(
                json.dumps({"stage": stage, "code": code, "failures": n})
                if given.json
                else f"{n:>8}  {stage:<20} {code}"
            )
        return 0
    for row in rows:
        if given.json:
            print(json.dumps(row))
            continue
        place = row["file"] or "-"
        if row["line"]:
            place += f":{row['line']}" + (f":{row['column']}" if row["column"] else "")
        shape = f"  [{row['shape']}]" if row["shape"] else ""
        print(
            f"{row['session_id']}  {row['stage']}  {row['code']}  {place}  {row['message']}{shape}"
        )
    if not rows and not given.json:
        print("no failures")
    return 0
