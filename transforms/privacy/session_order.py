"""The order of a session's events, requests and snapshots, and its ledger without some events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from schemas.outcomes import Disposition, Ledger
from schemas.traces import Event, Trace
from transforms.dom import DomTree


def ordered_events(trace: Trace, dispositions: Sequence[Disposition]) -> list[Event]:
    """Returns the events in the order they were processed: by time, then as they were written."""
    if len(dispositions) == len(trace.events):
        by_id = {event.id: event for event in trace.events}
        if all(d.event_id in by_id for d in dispositions):
            return [by_id[d.event_id] for d in dispositions]
    return sorted(trace.events, key=lambda event: event.timestamp_us)


def timeline(
    trace: Trace, events: Sequence[Event], dom: Mapping[str, DomTree]
) -> list[tuple[tuple[int, int, int], str, Any]]:
    """Returns events, requests and snapshots by (time, kind, order); numbering follows it."""
    items: list[tuple[tuple[int, int, int], str, Any]] = []
    last = 0
    for number, event in enumerate(events):
        last = max(last, event.timestamp_us)
        items.append(((last, 0, number), "event", (number, event)))
    for number, request in enumerate(trace.requests):
        items.append(((request.started_us, 1, number), "request", request))
    for number, snapshot in enumerate(trace.dom):
        if snapshot.file in dom:
            items.append(((snapshot.timestamp_us, 2, number), "dom", snapshot.file))
    items.sort(key=lambda item: item[0])
    return items


def ledger_of(ledger: Ledger, dispositions: Sequence[Disposition], left: Collection[str]) -> Ledger:
    """The ledger in which a masked run is one event: what was merged into it is not counted."""
    kept, merged_, dropped = ledger.kept, ledger.merged, dict(ledger.dropped)
    gone = 0
    for disposition in dispositions:
        if disposition.event_id in left:
            continue
        gone += 1
        if disposition.outcome == "kept":
            kept -= 1
        elif disposition.outcome == "merged":
            merged_ -= 1
        else:
            reason = disposition.reason or ""
            dropped[reason] = dropped.get(reason, 0) - 1
    return Ledger(
        lines=ledger.lines - gone,
        failed_lines=ledger.failed_lines,
        raw=ledger.raw - gone,
        kept=kept,
        merged=merged_,
        dropped={reason: n for reason, n in sorted(dropped.items()) if n},
    )


def counts_of(
    counts: Mapping[str, int], events: Iterable[Event], left: Collection[str]
) -> dict[str, int]:
    """The counts in which a masked run is one event: of what reading noticed of single events."""
    gone = Counter(flag for event in events if event.id not in left for flag in event.flags)
    return {name: number - gone[name] for name, number in counts.items() if number > gone[name]}
