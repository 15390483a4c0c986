"""Keys: typing, chords and single presses, told apart key by key.

A key that gives text goes to the typing run of its tab and field. Enter and Tab are text only
where they can be (an area of several lines, or a field nothing is known of) and where typing goes
on after them or an input event confirms them; in a line they are presses. A chord of Control, Alt
or Meta is always a press, except where AltGr or Option makes a character.
"""

from __future__ import annotations

from schemas.traces import Event
from transforms.key_names import (
    COMMANDS,
    INPUT_METHOD,
    LOCKS,
    MODIFIERS,
    chord,
    is_text,
    key_of,
    latin_key,
)
from transforms.normalize import fields
from transforms.normalize.draft import (
    SECOND_US,
    Assembly,
    Draft,
    TabState,
    field_key,
    is_same_window,
)
from transforms.normalize.typing_run import TENTATIVE, TypingRun

SAME_KEY_US = 5_000
"""Two downs of a held key this close are one event seen in two phases."""
LOST_RELEASE_US = 1_200_000
"""A key that repeats by itself repeats faster than this; a slower second down is a new one."""
MODIFIER_STALE_US = 10 * SECOND_US
"""A modifier held longer than this without being used has lost its release."""
OTHER_TAB_US = 500_000
"""Nobody changes tabs, acts there and comes back within this time."""

_MODIFIER_SET = frozenset(MODIFIERS)
_NO_MODIFIERS: frozenset[str] = frozenset()


class _Held:
    """A key that is down."""

    __slots__ = ("adopted", "draft", "key", "us")

    def __init__(self, draft: Draft, key: str, us: int) -> None:
        self.draft = draft
        self.key = key
        self.us = us
        self.adopted = False


class Keyboard:
    """Takes keydown and keyup events of one session."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.held: dict[str, _Held] = {}
        self.modifiers: dict[str, _Held] = {}
        """Held modifiers by name; the same objects as in ``held``."""

    # Modifiers -----------------------------------------------------------------------------

    def active(self, event: Event) -> frozenset[str]:
        """The modifiers that count for an event."""
        if self.assembly.habits.modifiers:
            if not event.modifiers and "AltGraph" not in self.modifiers:
                return _NO_MODIFIERS
            names = set(event.modifiers)
        elif not self.modifiers:
            return _NO_MODIFIERS
        else:
            fresh = event.timestamp_us - MODIFIER_STALE_US
            names = {name for name, held in self.modifiers.items() if held.us >= fresh}
        if "AltGraph" in self.modifiers:
            names.add("AltGraph")
        return frozenset(names)

    def adopt(self, draft: Draft, names: frozenset[str], us: int) -> None:
        """Gives the events of held modifiers to the first action that uses them."""
        for name in names:
            held = self.modifiers.get(name)
            if held is not None:
                held.us = us
                if not held.adopted:
                    held.draft.merge_into(draft)
                    held.adopted = True

    def adopt_all(self, draft: Draft, us: int) -> None:
        """Gives held modifiers to an action that the browser carried out for a chord it ate."""
        for name, held in self.modifiers.items():
            if not held.adopted and us - held.us <= MODIFIER_STALE_US:
                self.adopt(draft, frozenset((name,)), us)

    def _modifier_down(self, place: int, event: Event, tab: TabState, name: str) -> None:
        held = self.modifiers.get(name)
        if held is not None:
            held.draft.add(place)
            held.us = event.timestamp_us
            return
        draft = Draft("press", place, event, tab)
        draft.key, draft.keys = name, (name,)
        identity = _identity(event, name)
        self._displace(identity)
        self.modifiers[name] = self.held[identity] = _Held(draft, name, event.timestamp_us)

    def _displace(self, identity: str) -> None:
        """Ends a modifier whose place another key takes without a release."""
        held = self.held.pop(identity, None)
        if held is not None and held.key in _MODIFIER_SET:
            self.modifiers.pop(held.key, None)
            self._end_modifier(held)
            held.draft.root.flags.add("missing_release")

    def _modifier_up(self, place: int, event: Event, held: _Held) -> None:
        self.modifiers.pop(held.key, None)
        held.draft.add(place)
        if not held.adopted:
            held.draft.end_us = event.timestamp_us
        self._end_modifier(held)

    def _end_modifier(self, held: _Held) -> None:
        """A modifier that nothing used was pressed for its own sake, except Shift in a text."""
        if held.adopted:
            return
        run = held.draft.tab.run
        if run is not None and held.key == "Shift":
            held.draft.merge_into(run.draft)
            return
        if run is not None:
            self.assembly.close_run(held.draft.tab)
        self.assembly.register(held.draft)

    # Down ----------------------------------------------------------------------------------

    def keydown(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a key going down (also when it repeats)."""
        key = key_of(event)
        if key in _MODIFIER_SET:
            self._modifier_down(place, event, tab, key)
            return
        identity = _identity(event, key)
        held = self.held.get(identity)
        repeats = False
        if held is not None and self.assembly.habits.keyups:
            gap = event.timestamp_us - held.us
            if gap <= SAME_KEY_US and not event.additional_info.get("repeat"):
                held.draft.add(place)
                return
            if self.assembly.habits.repeats:
                repeats = event.additional_info.get("repeat") is True
            else:
                # Under Command, macOS reports no release of other keys.
                repeats = gap <= LOST_RELEASE_US and "Meta" not in self.modifiers
            held.us = event.timestamp_us
            if not repeats and "Meta" not in held.draft.root.keys:
                held.draft.root.flags.add("missing_release")
        elif event.additional_info.get("repeat") is True:
            repeats = held is not None
        active = self.active(event)
        is_command = bool(active & COMMANDS) and not _makes_text(key, active)
        if key == INPUT_METHOD or not key or (tab.composing and not is_command):
            draft = self._input_method(place, event, tab)
        elif repeats and held is not None and _is_press(held, tab):
            draft = held.draft.root
            draft.add(place)
            draft.end_us = event.timestamp_us
            draft.flags.add("auto_repeat")
            return
        elif is_command:
            draft = self._press(place, event, tab, chord(active, latin_key(event, key)), active)
        elif is_text(key):
            draft = self._text(place, event, tab, key, active)
        else:
            draft = self._named(place, event, tab, key, active)
        if repeats:
            draft.flags.add("auto_repeat")
        self._displace(identity)
        self.held[identity] = _Held(draft, key, event.timestamp_us)

    def _press(
        self,
        place: int,
        event: Event,
        tab: TabState,
        keys: tuple[str, ...],
        active: frozenset[str],
    ) -> Draft:
        draft = self.assembly.begin("press", place, event, tab)
        draft.key, draft.keys = keys[-1], keys
        if draft.target is None:
            draft.target = tab.focused
        if keys[-1] == "Enter":
            tab.values.pop(field_key(draft.target), None)  # what was sent may be cleared
        if active:
            self.adopt(draft, active, event.timestamp_us)
        return draft

    def _text(
        self, place: int, event: Event, tab: TabState, key: str, active: frozenset[str]
    ) -> Draft:
        target = event.target or tab.focused
        kind = fields.field_kind(target)
        is_typed = kind in (fields.TEXT_LINE, fields.TEXT_AREA, fields.UNKNOWN) or (
            kind == fields.PAGE and (self._is_answered(place, event) or not self._answers())
        )
        if not is_typed:
            keys = chord(active - {"Shift"}, key)
            return self._press(place, event, tab, keys, active)
        run = self.run_for(place, event, tab, kind)
        if active:
            self.adopt(run.draft, active, event.timestamp_us)
        run.insert(key)
        run.has_keys = True
        run.await_input(key)
        return run.draft

    def _named(
        self, place: int, event: Event, tab: TabState, key: str, active: frozenset[str]
    ) -> Draft:
        target = event.target or tab.focused
        run = self.open_run(event, tab, target)
        keys = chord(active, key)
        if run is not None and key in LOCKS:
            run.draft.add(place)
            return run.draft
        if run is not None and key in ("Backspace", "Delete"):
            run.draft.add(place)
            self._touch(run, event)
            if active:
                self.adopt(run.draft, active, event.timestamp_us)
            run.erase(key)
            run.await_input("")
            return run.draft
        if key not in TENTATIVE:
            return self._press(place, event, tab, keys, active)
        is_break = key in ("Enter", "Tab")
        if is_break and (key == "Tab" and "Shift" in active):
            return self._press(place, event, tab, keys, active)
        if run is None:
            kind = fields.field_kind(target)
            if key == "Enter" and kind == fields.TEXT_AREA and self._is_answered(place, event):
                run = self.run_for(place, event, tab, kind)
                run.insert("\n")
                run.has_keys = True
                run.await_input("\n")
                return run.draft
            return self._press(place, event, tab, keys, active)
        if is_break and run.single_line:
            return self._press(place, event, tab, keys, active)
        stroke = Draft("press", place, event, tab)
        stroke.key, stroke.shift = key, "Shift" in active
        stroke.target = target
        if not run.attempt(stroke):
            return self._press(place, event, tab, keys, active)
        self._touch(run, event)
        if active:
            self.adopt(stroke, active, event.timestamp_us)
        return stroke

    def _input_method(self, place: int, event: Event, tab: TabState) -> Draft:
        kind = fields.field_kind(event.target or tab.focused)
        run = self.run_for(place, event, tab, kind)
        if event.key or event.code:
            run.draft.flags.add("ime")
        return run.draft

    # Runs ----------------------------------------------------------------------------------

    def open_run(self, event: Event, tab: TabState, target: object) -> TypingRun | None:
        """The run that goes on in this tab and field, if one does."""
        run = tab.run
        if run is None or run.left_field:
            return None
        key = field_key(target)  # type: ignore[arg-type]
        if key is not None and run.field is not None:
            if key != run.field:
                return None
        elif not is_same_window(run.window, tab.window):
            return None
        run.window = tab.window
        latest = self.assembly.latest
        if (
            latest is not None
            and latest.root is not run.draft
            and event.timestamp_us - run.last_us > OTHER_TAB_US
        ):
            return None
        if run.field is None and key is not None:
            run.field = key
        return run

    def run_for(self, place: int, event: Event, tab: TabState, kind: str) -> TypingRun:
        """The run an event belongs to, begun if there is none; the event is added to it."""
        target = event.target or tab.focused
        run = self.open_run(event, tab, target)
        if run is not None:
            run.draft.events.append(place)
            self._touch(run, event)
            return run
        draft = self.assembly.begin("type", place, event, tab)
        draft.target = target
        field = field_key(target)
        single_line = {fields.TEXT_LINE: True, fields.TEXT_AREA: False}.get(kind)
        run = TypingRun(draft, field, tab.values.get(field) if field else None, single_line)
        draft.run = tab.run = run
        if field is not None:
            tab.edits[field] = draft
        return run

    @staticmethod
    def _touch(run: TypingRun, event: Event) -> None:
        run.last_us = run.draft.end_us = max(run.draft.end_us, event.timestamp_us)

    def _answers(self) -> bool:
        return self.assembly.habits.inputs

    def _is_answered(self, place: int, event: Event) -> bool:
        """Whether an input event follows the key before the next key goes down in the tab."""
        events = self.assembly.events
        for later in events[place + 1 : place + 40]:
            if later.timestamp_us - event.timestamp_us > SECOND_US:
                return False
            if later.tab != event.tab:
                continue
            if later.type == "input":
                return True
            if later.type == "keydown" and key_of(later) not in _MODIFIER_SET:
                return False
        return False

    # Up ------------------------------------------------------------------------------------

    def keyup(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a key going up; it belongs to whatever its down became."""
        key = key_of(event)
        identity = _identity(event, key)
        held = self.held.pop(identity, None)
        if held is None:
            identity, held = self._by_name(key)
            if held is not None:
                del self.held[identity]
        if held is None:
            self.assembly.drop(place, "release_without_press")
        elif held.key in _MODIFIER_SET:
            self._modifier_up(place, event, held)
        else:
            held.draft.add(place)
            draft = held.draft.root
            if draft.kind == "press":
                draft.end_us = max(draft.end_us, event.timestamp_us)

    def _by_name(self, key: str) -> tuple[str, _Held | None]:
        """A held key by its name: some recorders give codes on the way down only."""
        folded = key.casefold()
        for identity, held in self.held.items():
            if held.key.casefold() == folded:
                return identity, held
        return "", None

    def finish(self) -> None:
        """Ends the recording: what is still held was never released."""
        for held in self.held.values():
            if held.key in _MODIFIER_SET:
                self._end_modifier(held)
            if self.assembly.habits.keyups and "Meta" not in held.draft.root.keys[:-1]:
                held.draft.root.flags.add("missing_release")


def _identity(event: Event, key: str) -> str:
    """What is the same on the way down and up: Shift may be released before the letter."""
    return event.code or key.casefold()


def _is_press(held: _Held, tab: TabState) -> bool:
    """Whether a held key is a press by now, not a stroke on trial in a run."""
    draft = held.draft.root
    return draft.kind == "press" and (tab.run is None or draft not in tab.run.tail)


def _makes_text(key: str, active: frozenset[str]) -> bool:
    """Whether a chord makes a character: AltGr (on Windows also as Control+Alt), or Option."""
    if not is_text(key) or key == " " or "Meta" in active:
        return False
    if "AltGraph" in active:
        return True
    is_plain = key.isascii() and key.isalnum()
    if "Control" in active:
        return "Alt" in active and not is_plain
    return not key.isascii()
