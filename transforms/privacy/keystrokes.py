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
from dataclasses import dataclass

from schemas.findings import Span
from schemas.traces import Event
from transforms.privacy.focus import with_focused_fields
from transforms.privacy.typed_text import Char, Editor, TypingRun, pressed_key, typed_char

TYPING = frozenset("keydown keyup input paste compositionstart compositionend".split())
LEAVING = frozenset(
    """mousedown click dblclick auxclick contextmenu touchstart focus blur submit navigation
    tabswitch drop""".split()
)
"""Events after which the caret may be elsewhere."""

ACTING_KEYS = frozenset("Enter Tab Escape".split())
MODIFIERS = frozenset("Shift Control Alt Meta CapsLock AltGraph NumLock Fn".split())


@dataclass(frozen=True)
class MaskedRun:
    """Events that are published as one: the first one, stripped."""

    events: tuple[int, ...]
    entity: str
    value: str
    """What was typed; seeds the replacement. In clear, so never published."""


def is_typing(event: Event) -> bool:
    """Whether an event is part of typing, whatever its recorder calls it."""
    return event.type in TYPING or (event.type == "unknown" and typed_char(event) is not None)


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
    editor: Editor | None = None
    current: tuple = ()
    down: set[str | None] = set()
    for number, event in enumerate(with_focused_fields(events)):
        if event.type in LEAVING:
            editor = None
        if not is_typing(event):
            continue
        identity = _identity(event)
        name = event.code or event.key
        released = event.type == "keyup" and name in down
        if event.type in ("keydown", "unknown"):
            down.add(name)
        elif event.type == "keyup":
            down.discard(name)
            # Only a key whose keydown nobody recorded types anything by its keyup.
            silent = released or len(pressed_key(event)) != 1
            if editor is not None:
                editor.echo = None
            if silent and (editor is None or identity != current):
                continue
        if editor is None or identity != current:
            run = TypingRun(event.target, event.url, event.tab, event.window)
            run.chars = list(held.get(identity, ())) if event.target is not None else []
            runs.append(run)
            editor, current = Editor(run), identity
        editor.run.events.append(number)
        if event.type == "keyup" and not released and not editor.composing:
            editor.key(number, event)
        editor.event(number, event)
        held[identity] = editor.run.chars
        key = pressed_key(event) if event.type == "keydown" else ""
        if key in ("Tab", "Enter"):
            multiline = event.target is not None and event.target.tag == "textarea"
            if not (multiline and key == "Enter"):
                editor = None
    return runs


def _acts(event: Event) -> bool:
    """Whether a typing event does something that may be told: submits, leaves, a shortcut."""
    if event.type not in ("keydown", "keyup"):
        return False
    key = pressed_key(event)
    if key in ACTING_KEYS:
        return True
    chord = {"Control", "Meta"} & set(event.modifiers)
    return bool(chord) and "Alt" not in event.modifiers and key not in MODIFIERS


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
    keys = {
        (events[n].key, events[n].code) for n in within if events[n].type in ("keydown", "unknown")
    }
    started = within[0]
    extra = []
    last, echoed = events[within[-1]], False
    for number in run:
        event = events[number]
        if number <= within[-1]:
            continue
        if event.type == "keydown":
            if extra:
                break
            echoed = True
        same_key = event.type == "keyup" and (event.key, event.code) in keys
        if same_key or (not echoed and _echoes(last, event)):
            echoed = echoed or event.type == "input"
            extra.append(number)
            if len(extra) > 4:
                break
    # The keydown of the first character stands before the input event that carried it.
    before = [n for n in run if n < started][-2:]
    for number in reversed(before):
        event = events[number]
        if (
            events[started].type in ("input", "unknown")
            and event.type == "keydown"
            and len(pressed_key(event)) == 1
        ):
            extra.append(number)
            break
    return sorted({*within, *extra})


def _echoes(last: Event, event: Event) -> bool:
    """Whether an event right after the one that wrote a character may tell it again."""
    if last.type not in ("keydown", "unknown"):
        return False
    char = pressed_key(last) if last.type == "keydown" else typed_char(last)
    return event.type == "input" or (event.type == "unknown" and typed_char(event) == char)


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
