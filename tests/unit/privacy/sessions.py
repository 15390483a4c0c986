"""Sessions for the tests of the text side: recorded ones, read for real, and built ones."""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.outcomes import Disposition, Ledger
from schemas.traces import Event, Request, Session, SessionRef, Target, Trace
from schemas.work import SessionWork
from transforms.ingest.find import find_sessions
from transforms.ingest.network_rules import load_network_rules
from transforms.ingest.read import ReadLimits, read_trace
from transforms.normalize.coalesce import normalize_events
from transforms.normalize.match import MatchSettings
from transforms.normalize.observe import observe
from transforms.snapshots import session_snapshots

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "sessions"


def with_actions(work: SessionWork) -> SessionWork:
    """A read session after NormalizeEvents."""
    normalized = normalize_events(work.trace)
    return msgspec.structs.replace(
        work,
        actions=normalized.actions,
        dispositions=normalized.dispositions,
        ledger=normalized.ledger,
    )


def recorded(name: str):
    """(work, dom) of a session of ``examples/``, read and normalised by the real stages."""
    return read_session(EXAMPLES / name)


def read_session(path: Path):
    """(work, dom) of a session in a folder, read and normalised by the real stages."""
    (ref,) = find_sessions([str(path)])
    trace = read_trace(ref, ReadLimits(), load_network_rules(None))
    work = with_actions(SessionWork(ref=ref, key="k", trace=trace))
    steps, dropped = observe(work, MatchSettings())
    work = msgspec.structs.replace(work, steps=steps, dropped=dropped)
    return work, session_snapshots(work.ref, trace).trees()


def built(
    events: list[Event], requests: list[Request] = (), description: str | None = None, dom=()
) -> SessionWork:
    """A session of the given events, normalised."""
    ref = SessionRef(
        session_id="0b0f7d0e-0000-4000-8000-000000000001",
        uri="s",
        layout="native",
        size_bytes=1,
        fingerprint="f",
    )
    trace = Trace(
        ref=ref,
        session=Session(id=ref.session_id, description=description, storage_path="s"),
        events=tuple(events),
        requests=tuple(requests),
        dom=tuple(dom),
        ledger=Ledger(lines=len(events), raw=len(events)),
    )
    return with_actions(SessionWork(ref=ref, key="k", trace=trace, ledger=trace.ledger))


def typed(
    text: str,
    target: Target | None,
    start_us: int = 1_700_000_000_000_000,
    first_id: int = 1,
    url: str = "https://shop.test/login",
    values: bool = False,
    before: str = "",
) -> list[Event]:
    """Key events of a text as a browser sends them, with Backspace, Tab and Enter as characters."""
    events: list[Event] = []
    held = before

    def add(type: str, **fields) -> None:
        number = first_id + len(events)
        events.append(
            Event(
                id=f"e{number:04d}",
                type=type,
                timestamp_us=start_us + 20_000 * len(events),
                file="input_events.jsonl",
                line=number,
                url=url,
                window="Sign in",
                target=target,
                **fields,
            )
        )

    for char in text:
        key = {"\b": "Backspace", "\n": "Enter", "\t": "Tab"}.get(char, char)
        add("keydown", key=key)
        if char not in "\n\t":
            held = held[:-1] if char == "\b" else held + char
            if values:
                add("input", text=None if char == "\b" else char, value=held)
        add("keyup", key=key)
    return events


def kept_dispositions(events) -> tuple[Disposition, ...]:
    """One disposition an event."""
    return tuple(Disposition(event_id=e.id, outcome="kept") for e in events)


def everything(result) -> str:
    """All that redacting returned, as one text."""
    return msgspec.json.encode(result).decode("utf-8")
