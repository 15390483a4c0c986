"""``tracemill validate``: read sessions and say what is wrong with them; nothing is written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.options import Parser, UsageError

MAX_TYPES = 10
"""Unknown event types that are named, the commonest first."""


def main(arguments: Sequence[str]) -> int:
    """Reads and normalises every session; exit code 1 when one of them would fail."""
    parser = Parser(prog="tracemill validate", description=__doc__)
    parser.add_argument("input", nargs="+", help="folders, files, archives or globs")
    parser.add_argument("--network_rules", help="YAML rules for network traffic")
    parser.add_argument("--max_bad_lines", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    given = parser.parse_args(list(arguments))
    import msgspec

    from transforms.ingest.find import InputError, find_inputs
    from transforms.ingest.network import ConfigError, load_network_rules
    from transforms.ingest.read import ReadLimits, read_trace
    from transforms.normalize.coalesce import normalize_events

    try:
        rules = load_network_rules(given.network_rules)
        found = find_inputs(given.input)
    except (ConfigError, InputError) as error:
        raise UsageError(str(error)) from None
    limits = ReadLimits(max_bad_lines=given.max_bad_lines)
    failed = 0
    for ref in found.sessions:
        trace = read_trace(ref, limits, rules)
        made = None if trace.failed else normalize_events(trace)
        failed += trace.failed is not None
        facts: dict[str, Any] = {
            "session_id": ref.session_id,
            "layout": ref.layout,
            "status": "FAILED" if trace.failed else "ok",
            "error_code": trace.failed.code if trace.failed else None,
            "events": len(trace.events),
            "actions": len(made.actions) if made else 0,
            "frames": len(trace.frames),
            "dom": len(trace.dom),
            "requests": len(trace.requests),
            "failures": len(trace.failures),
            "dropped": len(trace.dropped),
        }
        unknown = Counter(
            str(e.extra.get("type")) for e in trace.events if "unknown_type" in e.flags
        )
        if unknown:
            facts["unknown_types"] = dict(unknown.most_common(MAX_TYPES))
        if given.json:
            print(json.dumps(facts))
            continue
        rest = "  ".join(f"{n} {k}" for k, n in facts.items() if isinstance(n, int) and n)
        print(f"{ref.session_id}  {facts['status']}  {facts['error_code'] or ref.layout}  {rest}")
        if unknown:
            types = ", ".join(f"{name} ({n})" for name, n in unknown.most_common(MAX_TYPES))
            print(f"    {unknown.total()} events of types that are not known: {types}")
        for failure in trace.failures[:20]:
            place = f"{failure.file or '-'}" + (f":{failure.line}" if failure.line else "")
            print(f"    {failure.code}  {place}  {failure.message}")
        for dropped in trace.dropped[:20]:
            print(f"    dropped {dropped.kind} {dropped.record}: {dropped.reason}")
    for one in found.passed_over:
        if given.json:
            print(json.dumps({"status": "passed over", **msgspec.structs.asdict(one)}))
        else:
            print(f"{one.uri}  passed over  {one.kind}")
    return 1 if failed else 0
