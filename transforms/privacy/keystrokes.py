"""Typing put back together: what the single key events of a field say, and which must go.

Events of one field between two moves of the focus are one run. A run is rebuilt with caret,
selection, Backspace and paste, and remembers which event wrote which character; it is searched as
it was before every deletion and at its end. All events between the first and the last character of
a hit go, the corrected ones too; in a sensitive field all events go but those that act (Enter, Tab,
Escape, shortcuts).

What is published of the events that go is one row: the first one's, without key, code and text. In
everything published such a masked run counts as one event, in the ledger too, which stays balanced:
a count of its keys would be the length of the password. Where a recorder numbers its events, their
ids show a gap; they are kept, since everything else refers to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from schemas.findings import Span
from schemas.traces import Event, Target

TYPING = frozenset("keydown keyup input paste compositionstart compositionend".split())
LEAVING = frozenset(
    """mousedown click dblclick auxclick contextmenu touchstart focus blur submit navigation
    tabswitch drop""".split()
)
"""Events after which the caret may be elsewhere."""

ACTING_KEYS = frozenset("Enter Tab Escape NumpadEnter".split())
MODIFIERS = frozenset("Shift Control Alt Meta CapsLock AltGraph NumLock Fn".split())
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
        """Every text the run went through that is worth a search, with its characters' events."""
        seen: dict[str, tuple[int, ...]] = {}
        for snapshot in (*self.snapshots, tuple(self.chars)):
            text = "".join(char for char, _ in snapshot)
            if text:
                seen.setdefault(text, tuple(number for _, number in snapshot))
        return list(seen.items())


@dataclass(frozen=True)
class MaskedRun:
    """Events that are published as one: the first one, stripped."""

    events: tuple[int, ...]
    entity: str
    value: str
    """What was typed; seeds the replacement. In clear, so never published."""


class _Editor:
    """A text field: characters, caret and selection, moved by key events."""

    def __init__(self, run: TypingRun) -> None:
        self.run = run
        self.caret = len(run.chars)
        self.anchor: int | None = None
        self.pending = ""
        self.composing = False
        self.deleting = False

    def key(self, number: int, event: Event) -> None:
        key = event.key or ""
        key = " " if key in ("Space", "Spacebar") else key
        chord = ("Control" in event.modifiers or "Meta" in event.modifiers) and not (
            "Alt" in event.modifiers and len(key) == 1
        )
        if len(key) == 1 and not chord:
            self.insert(key, number)
            self.pending += key
        elif chord and key.lower() == "a":
            self.anchor, self.caret = 0, len(self.run.chars)
        elif chord and key.lower() == "x":
            self.delete(number, 0, 0)
        elif key == "Backspace":
            self.delete(number, self._word_left() if chord or "Alt" in event.modifiers else 1, 0)
        elif key == "Delete":
            self.delete(number, 0, self._word_right() if chord else 1)
        elif key in ("ArrowLeft", "ArrowRight", "Home", "End", "ArrowUp", "ArrowDown"):
            self.move(key, "Shift" in event.modifiers, chord)
        elif key == "Enter" and self.run.target is not None and self.run.target.tag == "textarea":
            self.insert("\n", number)

    def insert(self, text: str, number: int) -> None:
        self.drop_selection(number)
        self.deleting = False
        room = MAX_RUN_CHARS - len(self.run.chars)
        added = [(char, number) for char in text[:room]]
        self.run.chars[self.caret : self.caret] = added
        self.caret += len(added)

    def delete(self, number: int, left: int, right: int) -> None:
        if not self.deleting:
            self.snapshot()
            self.deleting = True
        if self.drop_selection(number):
            return
        start = max(0, self.caret - left)
        del self.run.chars[start : self.caret + right]
        self.caret = start

    def drop_selection(self, number: int) -> bool:
        if self.anchor is None or self.anchor == self.caret:
            self.anchor = None
            return False
        self.snapshot()
        start, end = sorted((self.anchor, self.caret))
        del self.run.chars[start:end]
        self.caret, self.anchor = start, None
        return True

    def move(self, key: str, selecting: bool, far: bool) -> None:
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
            self.snapshot()
        new = [(char, number) for char in value[head : len(value) - tail]]
        self.run.chars[head : len(old) - tail] = new
        self.caret, self.anchor = head + len(new), None

    def snapshot(self) -> None:
        if self.run.chars and len(self.run.snapshots) < MAX_SNAPSHOTS:
            self.run.snapshots.append(tuple(self.run.chars))

    def event(self, number: int, event: Event) -> None:
        if event.type == "compositionstart":
            self.composing = True
        elif event.type == "compositionend":
            self.composing = False
            if event.text and event.value is None:
                self.insert(event.text, number)
        elif event.type == "keydown" and not self.composing:
            self.key(number, event)
        elif event.type == "paste" and event.text:
            self.insert(event.text, number)
            self.pending = event.text
        elif event.type == "input" and not self.composing and event.value is None and event.text:
            # The character of a keydown that was taken already comes again as an input event.
            if self.pending.startswith(event.text):
                self.pending = self.pending[len(event.text) :]
            elif not self.pending:
                self.insert(event.text, number)
            else:
                self.pending = ""
        if event.value is not None and event.type in ("input", "paste", "compositionend"):
            self.take_value(event.value, number)
            self.pending = ""


def _identity(event: Event) -> tuple:
    target = event.target
    page = (event.url or "").split("?")[0].split("#")[0]
    if target is None:
        return (event.tab, page or event.window)
    return (
        event.tab,
        page,
        target.selector or target.id or target.name or target.label or target.bounds,
    )


def typing_runs(events: Sequence[Event]) -> list[TypingRun]:
    """Groups the typing events of a session, in order of time, into runs and rebuilds each.

    A field that is entered again goes on from what it held, so that a value typed in two visits is
    one value.
    """
    runs: list[TypingRun] = []
    held: dict[tuple, list[Char]] = {}
    editor: _Editor | None = None
    current: tuple = ()
    down: set[str | None] = set()
    for number, event in enumerate(events):
        if event.type in LEAVING:
            editor = None
        if event.type not in TYPING:
            continue
        identity = _identity(event)
        name = event.code or event.key
        released = event.type == "keyup" and name in down
        if event.type == "keydown":
            down.add(name)
        elif event.type == "keyup":
            down.discard(name)
            # Only a key whose keydown nobody recorded types anything by its keyup.
            silent = released or len(event.key or "") != 1
            if silent and (editor is None or identity != current):
                continue
        if editor is None or identity != current:
            run = TypingRun(event.target, event.url, event.tab, event.window)
            run.chars = list(held.get(identity, ())) if event.target is not None else []
            runs.append(run)
            editor, current = _Editor(run), identity
        editor.run.events.append(number)
        if event.type == "keyup" and not released and not editor.composing:
            editor.key(number, event)
        editor.event(number, event)
        held[identity] = editor.run.chars
        if event.type == "keydown" and event.key in ("Tab", "Enter", "NumpadEnter"):
            multiline = event.target is not None and event.target.tag == "textarea"
            if not (multiline and event.key == "Enter"):
                editor = None
    return runs


def _acts(event: Event) -> bool:
    """Whether a typing event does something that may be told: submits, leaves, a shortcut."""
    if event.type not in ("keydown", "keyup"):
        return False
    if event.key in ACTING_KEYS:
        return True
    chord = {"Control", "Meta"} & set(event.modifiers)
    return bool(chord) and "Alt" not in event.modifiers and event.key not in MODIFIERS


def mask_runs(
    events: Sequence[Event],
    runs: Iterable[TypingRun],
    entity_of: Callable[[TypingRun], str | None],
    spans_of: Callable[[str], Sequence[Span]],
) -> list[MaskedRun]:
    """Returns which events of which runs are published as one.

    Args:
        events: of the session, in order of time.
        runs: of :func:`typing_runs` over the same events.
        entity_of: the entity a whole field holds, None for an ordinary one.
        spans_of: what is sensitive in what was typed into an ordinary field.
    """
    masked: list[MaskedRun] = []
    gone: set[int] = set()
    for run in runs:
        entity = entity_of(run)
        if entity is not None:
            value = max((text for text, _ in run.readings()), key=len, default="")
            for group in _stretches(events, run.events):
                masked.append(MaskedRun(group, entity, run.text or value))
                gone |= set(group)
            continue
        for first, last, entity, value in _hits(run, spans_of):
            within = [n for n in run.events if first <= n <= last and n not in gone]
            within = _with_keyups(events, run.events, within)
            for group in _stretches(events, [n for n in within if n not in gone]):
                masked.append(MaskedRun(group, entity, value))
                gone |= set(group)
    return _with_late_keyups(events, masked, gone)


def _hits(run: TypingRun, spans_of) -> list[tuple[int, int, str, str]]:
    """(first event, last event, entity, value) of every hit in every reading, merged."""
    hits: list[tuple[int, int, str, str]] = []
    for text, numbers in run.readings():
        for span in spans_of(text):
            wrote = numbers[span.start : span.end]
            hits.append((min(wrote), max(wrote), span.entity, text[span.start : span.end]))
    hits.sort(key=lambda hit: (hit[0], -hit[1]))
    joined: list[tuple[int, int, str, str]] = []
    for hit in hits:
        if joined and hit[0] <= joined[-1][1]:
            first, last, _, value = joined[-1]
            longer = hit if len(hit[3]) > len(value) else joined[-1]
            joined[-1] = (first, max(last, hit[1]), longer[2], longer[3])
        else:
            joined.append(hit)
    return joined


def _with_keyups(events: Sequence[Event], run: Sequence[int], within: list[int]) -> list[int]:
    """The events, with those that only finish them: their keyups and input events."""
    if not within:
        return within
    keys = {(events[n].key, events[n].code) for n in within if events[n].type == "keydown"}
    started = within[0]
    extra = []
    for number in run:
        event = events[number]
        if number > within[-1] and event.type in ("keyup", "input"):
            same_key = event.type == "keyup" and (event.key, event.code) in keys
            if not same_key and not (event.type == "input" and number == within[-1] + 1):
                continue
            extra.append(number)
            if len(extra) > 4:
                break
        elif number > within[-1] and event.type == "keydown" and extra:
            break
    # The keydown of the first character stands before the input event that carried it.
    before = [n for n in run if n < started][-2:]
    for number in reversed(before):
        event = events[number]
        if (
            events[started].type == "input"
            and event.type == "keydown"
            and len(event.key or "") == 1
        ):
            extra.append(number)
            break
    return sorted({*within, *extra})


def _stretches(events: Sequence[Event], numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """Cuts events at those that act, which stay; events of other kinds between do not cut."""
    groups: list[tuple[int, ...]] = []
    group: list[int] = []
    for number in numbers:
        if _acts(events[number]):
            if group:
                groups.append(tuple(group))
            group = []
        else:
            group.append(number)
    if group:
        groups.append(tuple(group))
    return groups


def _with_late_keyups(
    events: Sequence[Event], masked: list[MaskedRun], gone: set[int]
) -> list[MaskedRun]:
    """Adds keyups that came after the focus had moved on: they name the key of a masked run."""
    result = []
    for run in masked:
        down = {}
        for number in run.events:
            event = events[number]
            if event.type == "keydown":
                down[event.code or event.key] = number
            elif event.type == "keyup":
                down.pop(event.code or event.key, None)
        late = []
        for number in range(run.events[-1] + 1, min(run.events[-1] + 40, len(events))):
            event = events[number]
            if not down:
                break
            name = event.code or event.key
            if name in down and number not in gone:
                if event.type == "keyup":
                    late.append(number)
                    gone.add(number)
                    del down[name]
                elif event.type == "keydown":
                    del down[name]
        result.append(MaskedRun((*run.events, *late), run.entity, run.value))
    return result
