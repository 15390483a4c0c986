"""Builds traces event by event, the way a person would act."""

from __future__ import annotations

from typing import Any

from schemas.outcomes import Ledger
from schemas.traces import (
    Event,
    RecorderInfo,
    Session,
    SessionRef,
    Target,
    Touch,
    Trace,
    Viewport,
)
from schemas.trajectories import Action, NormalizedSession
from transforms.normalize.coalesce import normalize_events

START_US = 1_767_225_600_000_000

LINE = Target(tag="input", input_type="text", selector="#line", label="Subject")
OTHER_LINE = Target(tag="input", input_type="text", selector="#other", label="To")
AREA = Target(tag="textarea", selector="#area", label="Message")
BUTTON = Target(tag="button", selector="#send", text="Send")
LINK = Target(tag="a", selector="#inbox", text="Inbox")
LIST = Target(tag="select", selector="#folder", label="Folder")
BOX = Target(tag="input", input_type="checkbox", selector="#stay", label="Stay signed in")


class Recording:
    """Events in the order they are added; ``wait`` and ``at`` move the clock (milliseconds)."""

    def __init__(self, **session: Any) -> None:
        self.events: list[Event] = []
        self.us = START_US
        self.session = session
        self.common: dict[str, Any] = {}
        self.trace_fields: dict[str, Any] = {}

    def wait(self, ms: float) -> Recording:
        self.us += round(ms * 1000)
        return self

    def add(self, kind: str, **fields: Any) -> str:
        """Adds an event now and returns its id."""
        made = {
            "id": f"e{len(self.events) + 1}",
            "file": "input_events.jsonl",
            "line": len(self.events) + 1,
            "timestamp_us": self.us,
            **self.common,
            **fields,
        }
        if isinstance(made.get("touches"), list):
            made["touches"] = tuple(Touch(n, x, y) for n, x, y in made["touches"])
        event = Event(type=kind, **made)
        self.events.append(event)
        return event.id

    # Keys --------------------------------------------------------------------------------------

    def key(self, key: str, hold_ms: float = 30, gap_ms: float = 40, **fields: Any) -> Recording:
        """A key pressed and released, without any input event."""
        self.add("keydown", key=key, **fields)
        self.wait(hold_ms).add("keyup", key=key, **fields)
        return self.wait(gap_ms)

    def keys(self, text: str, **fields: Any) -> Recording:
        for character in text:
            self.key(
                {"\n": "Enter", "\t": "Tab", "\b": "Backspace"}.get(character, character), **fields
            )
        return self

    def typed(self, text: str, before: str = "", **fields: Any) -> Recording:
        """Keys with the input event (whole value) each of them causes; \\b is Backspace."""
        value = before
        for character in text:
            key = {"\n": "Enter", "\b": "Backspace"}.get(character, character)
            self.add("keydown", key=key, **fields)
            value = value[:-1] if character == "\b" else value + character
            self.wait(3).add("input", value=value, **fields)
            self.wait(25).add("keyup", key=key, **fields)
            self.wait(40)
        return self

    def chord(self, *keys: str, named: bool = True, **fields: Any) -> Recording:
        """Modifiers go down, the key is pressed, modifiers go up."""
        *modifiers, key = keys
        down: list[str] = []
        for name in modifiers:
            down.append(name)
            self.add("keydown", key=name, modifiers=tuple(sorted(down)) if named else (), **fields)
            self.wait(30)
        held = tuple(sorted(down)) if named else ()
        self.key(key, modifiers=held, **fields)
        for name in reversed(modifiers):
            down.remove(name)
            self.add("keyup", key=name, modifiers=tuple(sorted(down)) if named else (), **fields)
            self.wait(20)
        return self

    # Mouse -------------------------------------------------------------------------------------

    def down(self, x: float = 50, y: float = 50, **fields: Any) -> Recording:
        self.add("mousedown", **{"x": x, "y": y, "button": "left", **fields})
        return self

    def up(self, x: float = 50, y: float = 50, **fields: Any) -> Recording:
        self.add("mouseup", **{"x": x, "y": y, "button": "left", **fields})
        return self

    def click(
        self, x: float = 50, y: float = 50, with_click: bool = True, **fields: Any
    ) -> Recording:
        """Down, up and the click event."""
        self.down(x, y, **fields).wait(60).up(x, y, **fields)
        if with_click:
            self.add("click", **{"x": x, "y": y, "button": "left", **fields})
        return self

    def tap(self, x: float = 50, y: float = 50, hold_ms: float = 80, **fields: Any) -> Recording:
        self.add("touchstart", x=x, y=y, touches=[(0, x, y)], **fields)
        self.wait(hold_ms).add("touchend", x=x, y=y, **fields)
        return self

    # Outcome -----------------------------------------------------------------------------------

    def trace(self) -> Trace:
        session = dict(self.session)
        recorder = session.pop("recorder", None)
        if isinstance(recorder, dict):
            recorder = RecorderInfo(**recorder)
        return Trace(
            ref=SessionRef("s", "/nowhere", "native", 0, ""),
            session=Session(id="s", recorder=recorder, **session),
            events=tuple(self.events),
            ledger=Ledger(lines=len(self.events), raw=len(self.events)),
            **self.trace_fields,
        )

    def normalized(self) -> NormalizedSession:
        made = normalize_events(self.trace())
        assert made.ledger.balanced
        return made

    def actions(self) -> tuple[Action, ...]:
        return self.normalized().actions

    def only(self) -> Action:
        """The one action that all this is."""
        (action,) = self.actions()
        return action

    def fates(self) -> dict[str, str]:
        """Event id → kept, merged, or the reason it was dropped for."""
        return {d.event_id: d.reason or d.outcome for d in self.normalized().dispositions}


def said(actions: tuple[Action, ...]) -> list[str]:
    """Actions as short lines: ``type: hello``, ``press: Control+s``, ``click``."""
    lines = []
    for action in actions:
        if action.type == "press":
            lines.append("press: " + "+".join(action.keys))
        elif action.text is not None:
            lines.append(f"{action.type}: {action.text}")
        else:
            lines.append(action.type)
    return lines


VIEWPORT = Viewport(200.0, 100.0, 1.0)
