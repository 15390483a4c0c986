"""How many raw events a second become actions: `python -m benchmarks.normalize [EVENTS]`.

The session is synthetic and mixed as recorders write it: half of it pointer movement, then typing
with input events, clicks, wheel turns, drags, and a change of page now and then. Ingestion and
matching are not part of the figure. CPU seconds of one thread; the best of five runs.
"""

from __future__ import annotations

import random
import sys
import time

from schemas.outcomes import Ledger
from schemas.traces import Event, Session, SessionRef, Target, Trace, Viewport
from transforms.normalize.coalesce import normalize_events

VIEWPORT = Viewport(1280.0, 720.0, 1.0)


def make_trace(n: int, seed: int = 7) -> Trace:
    """Returns a trace of about ``n`` events that a person could have made."""
    rng = random.Random(seed)
    events: list[Event] = []
    us = 1_767_225_600_000_000
    page = 0

    def add(kind: str, wait_ms: float, **fields: object) -> None:
        nonlocal us
        us += round(wait_ms * 1000)
        events.append(
            Event(
                id=f"e{len(events)}",
                type=kind,
                timestamp_us=us,
                file="input_events.jsonl",
                line=len(events) + 1,
                tab="tab-1",
                url=f"https://shop.example.org/{page}",
                window=f"Page {page}",
                viewport=VIEWPORT,
                **fields,  # type: ignore[arg-type]
            )
        )

    while len(events) < n:
        for _ in range(rng.randrange(8, 40)):
            add("mousemove", 30, x=rng.random() * 1280, y=rng.random() * 720, buttons=0)
        x, y = rng.random() * 1280, rng.random() * 720
        field = Target(tag="input", input_type="text", selector=f"#f{rng.randrange(20)}", label="F")
        button = Target(tag="button", selector=f"#b{rng.randrange(20)}", text="Go")
        what = rng.random()
        target = field if what < 0.4 else button
        add("mousedown", 90, x=x, y=y, button="left", buttons=1, target=target)
        if what > 0.9:
            for step in range(12):
                add("mousemove", 16, x=x + 9 * step, y=y, buttons=1)
        add("mouseup", 80, x=x, y=y, button="left", buttons=0, target=target)
        add("click", 0, x=x, y=y, button="left", target=target)
        if what < 0.4:
            value = ""
            for _ in range(rng.randrange(4, 24)):
                key = rng.choice("abcdefgh ijkl")
                value += key
                add("keydown", 70, key=key, code="KeyA", target=field)
                add("input", 2, value=value, text=key, target=field)
                add("keyup", 40, key=key, code="KeyA", target=field)
            add("change", 300, value=value, target=field)
        elif what < 0.6:
            for _ in range(rng.randrange(2, 12)):
                add("wheel", 60, x=x, y=y, delta_x=0.0, delta_y=100.0)
                add("scroll", 10, additional_info={"scroll_top": rng.randrange(4000)})
        elif what < 0.7:
            page += 1
            add("navigation", 500)
    return Trace(
        ref=SessionRef("s", "/nowhere", "native", 0, ""),
        session=Session(id="s"),
        events=tuple(events),
        ledger=Ledger(lines=len(events), raw=len(events)),
    )


def main() -> None:
    """Measures and prints one line."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    trace = make_trace(n)
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        made = normalize_events(trace)
        best = min(best, time.process_time() - start)
    events = len(trace.events)
    moves = sum(event.type == "mousemove" for event in trace.events)
    print(
        f"normalize: {events / best:,.0f} events/s ({events:,} events, {moves / events:.0%} of "
        f"them pointer movement, {len(made.actions):,} actions, {best:.3f} CPU s)"
    )


if __name__ == "__main__":
    main()
