"""One field while somebody types into it: what it holds, and which event wrote which character."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from schemas.traces import Event, Target
from transforms.key_names import key_of

MAX_RUN_CHARS = 20_000
MAX_SNAPSHOTS = 40

Char = tuple[str, int]
"""A character and the number of the event that wrote it."""


@dataclass
class TypingRun:
    """The typing events of one field until the focus moved."""

    target: Target | None
    url: str | None
    tab: str | None
    window: str | None
    events: list[int] = field(default_factory=list)
    """Numbers of its events, in order."""
    chars: list[Char] = field(default_factory=list)
    snapshots: list[tuple[Char, ...]] = field(default_factory=list)
    """What the field held before each deletion began, and at the end."""
    values: list[str] = field(default_factory=list)
    """Whole values that the recorder gave, in order."""

    @property
    def text(self) -> str:
        """What the field held at the end of the run."""
        return "".join(char for char, _ in self.chars)

    def readings(self) -> list[tuple[str, tuple[int, ...]]]:
        """Every text the run went through that is worth a search, with its characters' events.

        What the run wrote itself is one too: a field that was emptied in between holds no more.
        """
        seen: dict[str, tuple[int, ...]] = {}
        first = self.events[0] if self.events else 0
        for snapshot in (*self.snapshots, tuple(self.chars)):
            own = tuple(char for char in snapshot if char[1] >= first)
            for chars in (snapshot, own) if len(own) < len(snapshot) else (snapshot,):
                text = "".join(char for char, _ in chars)
                if text:
                    seen.setdefault(text, tuple(number for _, number in chars))
        return list(seen.items())


_CHAR_NAMES = frozenset("data char character chars key keychar text value symbol".split())
_NUMBER_NAMES = frozenset("charcode keycode which".split())
_NUMBERED_KEYS = {
    **{n: f"Digit{chr(n)}" for n in range(48, 58)},
    **{n: f"Key{chr(n)}" for n in range(65, 91)},
    **{n: f"Numpad{n - 96}" for n in range(96, 106)},
    **dict(
        zip(
            (8, 9, 13, 27, 32, 35, 36, 37, 39, 46, 106, 107, 109, 110, 111),
            """Backspace Tab Enter Escape Space End Home ArrowLeft ArrowRight Delete NumpadMultiply
            NumpadAdd NumpadSubtract NumpadDecimal NumpadDivide""".split(),
        )
    ),
    **dict(
        zip(
            (186, 187, 188, 189, 190, 191, 192, 219, 220, 221, 222),
            """Semicolon Equal Comma Minus Period Slash Backquote BracketLeft Backslash BracketRight
            Quote""".split(),
        )
    ),
}
"""Legacy key codes (UI Events, appendix A) → ``code``."""


def pressed_key(event: Event) -> str:
    """The key of an event by its name, its place or its number; empty when nothing tells it."""
    named = key_of(event)
    if named:
        return named
    numbers = _numbers(event)
    if numbers.get("charcode"):
        return _printable(numbers["charcode"])
    code = _NUMBERED_KEYS.get(numbers.get("keycode") or numbers.get("which") or 0)
    return key_of(msgspec.structs.replace(event, code=code)) if code else ""


def typed_char(event: Event) -> str | None:
    """The character that an event of no known type tells (``keypress``, ``beforeinput`` …)."""
    given = [event.key, event.text, event.value]
    for said in (event.extra, event.additional_info):
        given += [v for k, v in said.items() if k.lower() in _CHAR_NAMES and isinstance(v, str)]
    given += map(_printable, _numbers(event).values())  # of a keypress all numbers are characters
    given.append(key_of(event))
    return next((v for v in given if v is not None and len(v) == 1), None)


def _numbers(event: Event) -> dict[str, int]:
    return {
        key.lower(): value
        for said in (event.extra, event.additional_info)
        for key, value in said.items()
        if type(value) is int and key.lower() in _NUMBER_NAMES
    }


def _printable(number: int) -> str:
    char = chr(number) if 0 < number < 0x110000 else ""
    return char if char.isprintable() else ""


class Editor:
    """A text field: characters, caret and selection, moved by key events."""

    def __init__(self, run: TypingRun) -> None:
        self.run = run
        self.caret = len(run.chars)
        self.anchor: int | None = None
        self.pending = ""
        self.composing = False
        self.deleting = False
        self.echo: str | None = None
        """What the key that is down wrote; other events may tell it once more."""

    def key(self, number: int, event: Event) -> None:
        """Does what a key that goes down does to the text."""
        key = pressed_key(event)
        chord = ("Control" in event.modifiers or "Meta" in event.modifiers) and not (
            "Alt" in event.modifiers and len(key) == 1
        )
        self.echo = key
        if len(key) == 1 and not chord:
            self._insert(key, number)
            self.pending += key
        elif chord and key.lower() == "a":
            self.anchor, self.caret = 0, len(self.run.chars)
        elif chord and key.lower() == "x":
            self._delete(number, 0, 0)
        elif key == "Backspace":
            self._delete(number, self._word_left() if chord or "Alt" in event.modifiers else 1, 0)
        elif key == "Delete":
            self._delete(number, 0, self._word_right() if chord else 1)
        elif key in ("ArrowLeft", "ArrowRight", "Home", "End", "ArrowUp", "ArrowDown"):
            self._move(key, "Shift" in event.modifiers, chord)
        elif key == "Enter" and self.run.target is not None and self.run.target.tag == "textarea":
            self._insert("\n", number)

    def _insert(self, text: str, number: int) -> None:
        self._drop_selection(number)
        self.deleting = False
        room = MAX_RUN_CHARS - len(self.run.chars)
        added = [(char, number) for char in text[:room]]
        self.run.chars[self.caret : self.caret] = added
        self.caret += len(added)

    def _delete(self, number: int, left: int, right: int) -> None:
        if not self.deleting:
            self._snapshot()
            self.deleting = True
        if self._drop_selection(number):
            return
        start = max(0, self.caret - left)
        del self.run.chars[start : self.caret + right]
        self.caret = start

    def _drop_selection(self, number: int) -> bool:
        if self.anchor is None or self.anchor == self.caret:
            self.anchor = None
            return False
        self._snapshot()
        start, end = sorted((self.anchor, self.caret))
        del self.run.chars[start:end]
        self.caret, self.anchor = start, None
        return True

    def _move(self, key: str, selecting: bool, far: bool) -> None:
        if selecting:
            self.anchor = self.caret if self.anchor is None else self.anchor
        else:
            self.anchor = None
        if key == "ArrowLeft":
            self.caret = max(0, self.caret - (self._word_left() if far else 1))
        elif key == "ArrowRight":
            step = self._word_right() if far else 1
            self.caret = min(len(self.run.chars), self.caret + step)
        elif key == "Home":
            self.caret = 0
        elif key == "End":
            self.caret = len(self.run.chars)

    def _word_left(self) -> int:
        at = self.caret
        while at and self.run.chars[at - 1][0].isspace():
            at -= 1
        while at and not self.run.chars[at - 1][0].isspace():
            at -= 1
        return self.caret - at

    def _word_right(self) -> int:
        at, chars = self.caret, self.run.chars
        while at < len(chars) and not chars[at][0].isspace():
            at += 1
        return max(1, at - self.caret)

    def take_value(self, value: str, number: int) -> None:
        """Makes the field hold a whole value that the recorder gave."""
        self.run.values.append(value)
        old = self.run.text
        if value == old:
            return
        value = value[:MAX_RUN_CHARS]
        head = 0
        while head < min(len(old), len(value)) and old[head] == value[head]:
            head += 1
        tail = 0
        while tail < min(len(old), len(value)) - head and old[-1 - tail] == value[-1 - tail]:
            tail += 1
        if len(value) - head - tail < len(old) - head - tail:
            self._snapshot()
        new = [(char, number) for char in value[head : len(value) - tail]]
        self.run.chars[head : len(old) - tail] = new
        self.caret, self.anchor = head + len(new), None

    def _snapshot(self) -> None:
        if self.run.chars and len(self.run.snapshots) < MAX_SNAPSHOTS:
            self.run.snapshots.append(tuple(self.run.chars))

    def event(self, number: int, event: Event) -> None:
        """Takes the next event of the field, numbered as in the session."""
        if event.type == "unknown":
            char = typed_char(event)
            if char is not None and char != self.echo:
                self._insert(char, number)
                self.pending += char
        elif event.type == "compositionstart":
            self.composing = True
        elif event.type == "compositionend":
            self.composing = False
            if event.text and event.value is None:
                self._insert(event.text, number)
        elif event.type == "keydown" and not self.composing:
            self.key(number, event)
        elif event.type == "paste" and event.text:
            self._insert(event.text, number)
            self.pending = event.text
        elif event.type == "input" and not self.composing and event.value is None and event.text:
            # The character of a keydown that was taken already comes again as an input event.
            if self.pending.startswith(event.text):
                self.pending = self.pending[len(event.text) :]
            elif not self.pending:
                self._insert(event.text, number)
            else:
                self.pending = ""
        if event.value is not None and event.type in ("input", "paste", "compositionend"):
            self.take_value(event.value, number)
            self.pending = ""
