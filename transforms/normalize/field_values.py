"""Events that say what a field holds: input, change, paste, composition.

They never add an action of their own where a key, a click or a paste explains them.
"""

from __future__ import annotations

from schemas.traces import Event
from transforms.normalize import fields
from transforms.normalize.draft import SECOND_US, Assembly, Draft, TabState, field_key
from transforms.normalize.keyboard import Keyboard
from transforms.normalize.typing_run import TypingRun, inserted

AT_ONCE_US = 300_000
"""An input event this soon after a press or a click was caused by it."""
CHOICE_US = 1_500_000
"""A checkbox, slider or list reports its value this soon after the click or key."""
LIST_US = 30 * SECOND_US
"""A list may stay open this long before something is chosen."""
PASTE_KEYS = frozenset((("Control", "v"), ("Meta", "v"), ("Shift", "Insert"), ("Paste",)))

_POINTED = frozenset(
    ("click", "double_click", "triple_click", "tap", "drag", "long_press", "right_click", "swipe")
)


class FieldValues:
    """Takes input, change, paste and composition events of one session."""

    def __init__(self, assembly: Assembly, keyboard: Keyboard) -> None:
        self.assembly = assembly
        self.keyboard = keyboard
        self.ended = _ended_compositions(assembly.events)
        """Places of compositionstart events that a compositionend follows."""

    # input ---------------------------------------------------------------------------------

    def input(self, place: int, event: Event, tab: TabState) -> None:
        """Takes an input event: the field's content has just changed."""
        target = event.target or tab.focused
        kind = fields.field_kind(target)
        if kind == fields.SELECT:
            self._selected(place, event, tab)
        elif kind in (fields.CHOICE, fields.CONTROL):
            self._chosen(place, event, tab)
        else:
            self._typed(place, event, tab, kind)

    def _typed(self, place: int, event: Event, tab: TabState, kind: str) -> None:
        info = event.additional_info
        how = str(info.get("input_type") or "")
        value = event.value
        target = event.target or tab.focused
        key = field_key(target)
        latest = tab.latest.root if tab.latest is not None else None
        since = event.timestamp_us - latest.end_us if latest is not None else 0
        if how.startswith("insertFromDrop") and tab.dropped is not None:
            self._attach(place, event, tab, tab.dropped.root, value)
            return
        if how.startswith("insertFromPaste") or (tab.pasting is not None and latest is not None):
            pasting = tab.pasting.root if tab.pasting is not None else None
            tab.pasting = None
            if pasting is None and latest is not None and latest.keys in PASTE_KEYS:
                pasting = latest
            if pasting is not None and pasting is latest and since <= SECOND_US:
                self._pasted(place, event, tab, pasting, value)
                return
            if how.startswith("insertFromPaste"):
                draft = self.assembly.begin("paste", place, event, tab)
                draft.text = event.text
                self._hold(draft, tab, key, value)
                return
        composing = tab.composing or info.get("is_composing") is True
        if tab.run is not None and tab.run.tail and not how.startswith("delete"):
            self._confirm_break(tab.run, event, key)
        run = self.keyboard.open_run(event, tab, target)
        if run is None and latest is not None and latest.is_same_field(key) and since <= AT_ONCE_US:
            is_typing = how.startswith("insert") and event.text and not composing
            if latest.kind in ("press", "paste", "select") or (
                latest.kind in _POINTED and not is_typing and value is not None
            ):
                self._attach(place, event, tab, latest, value)
                return
        if run is None and tab.presses and value is not None:
            # The field changes while a button is down on it: an arrow of a number field.
            self._attach(place, event, tab, next(iter(tab.presses.values())).root, value)
            return
        if run is None and key is not None and value is not None and not composing:
            edit = tab.edits.get(key)
            if edit is not None and edit.root.field_value == value and edit.root.run is None:
                edit.add(place)
                return
        run = self.keyboard.run_for(place, event, tab, kind)
        run.answered = True
        if composing or how == "insertCompositionText":
            run.draft.flags.add("ime")
            run.composition = event.text if event.text is not None else run.composition
        elif run.pending:
            self._credit(run, event)
        elif run.confirmed_us == event.timestamp_us:
            pass
        elif event.text and (not how or how.startswith("insert")):
            run.insert(event.text)
            run.has_keys = True
        elif how.startswith("deleteContent") and value is None:
            run.erase("Delete" if how.endswith("Forward") else "Backspace")
        elif how in ("insertLineBreak", "insertParagraph"):
            run.insert("\n")
            run.has_keys = True
        if value is not None:
            run.hold(value)
            if run.field is not None:
                tab.values[run.field] = value
                tab.edits[run.field] = run.draft

    @staticmethod
    def _confirm_break(run: TypingRun, event: Event, key: object) -> None:
        """An input event right after Enter or Tab says that the key became text."""
        stroke = run.tail[-1]
        at_once = event.timestamp_us - stroke.start_us <= AT_ONCE_US
        if at_once and stroke.key in ("Enter", "Tab") and stroke.is_same_field(key):
            run.confirm()
            run.has_keys = True
            run.confirmed_us = event.timestamp_us

    @staticmethod
    def _credit(run: TypingRun, event: Event) -> None:
        """Finds the key that an input event confirms."""
        if event.text in run.pending:
            del run.pending[: run.pending.index(event.text) + 1]
        else:
            del run.pending[0]

    def _pasted(
        self, place: int, event: Event, tab: TabState, draft: Draft, value: str | None
    ) -> None:
        draft.kind = "paste"
        if draft.text is None:
            draft.text = event.text
        self._attach(place, event, tab, draft, value)

    def _attach(
        self, place: int, event: Event, tab: TabState, draft: Draft, value: str | None
    ) -> None:
        draft.add(place)
        draft.settled_us = max(draft.settled_us, event.timestamp_us)
        self._hold(draft, tab, field_key(event.target or tab.focused), value)

    @staticmethod
    def _hold(draft: Draft, tab: TabState, key: object, value: str | None) -> None:
        if value is None:
            return
        if draft.kind == "paste" and draft.text is None:
            draft.text = inserted(tab.values.get(key) or "", value)
        draft.field_value = value
        if key is not None:
            tab.values[key] = value
            tab.edits[key] = draft

    # change --------------------------------------------------------------------------------

    def change(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a change event: a field was left, or something was chosen."""
        target = event.target or tab.focused
        kind = fields.field_kind(target)
        if kind == fields.SELECT:
            self._selected(place, event, tab)
            return
        if kind in (fields.CHOICE, fields.CONTROL):
            self._chosen(place, event, tab)
            return
        key = field_key(target)
        value = event.value
        edit = tab.edits.get(key) if key is not None else None
        if edit is None and tab.run is not None and (key is None or tab.run.field is None):
            edit = tab.run.draft
        if edit is not None:
            edit = edit.root
            edit.add(place)
            if value is not None:
                if edit.run is not None:
                    edit.run.value = value
                else:
                    edit.field_value = value
                if key is not None:
                    tab.values[key] = value
            return
        latest = self.assembly.cause(tab, event.timestamp_us, CHOICE_US)
        if latest is not None and latest.is_same_field(key):
            self._attach(place, event, tab, latest, value)
        elif value is not None:
            run = self.keyboard.run_for(place, event, tab, kind)
            run.value = value
            if key is not None:
                tab.values[key] = value
                tab.edits[key] = run.draft
        else:
            self.assembly.drop(place, "change")

    def _chosen(self, place: int, event: Event, tab: TabState) -> None:
        """A checkbox, radio button, slider …: the value belongs to the click or key."""
        value = event.value
        if tab.presses:
            press = next(iter(tab.presses.values())).root
            self._attach(place, event, tab, press, value)
            return
        latest = self.assembly.cause(tab, event.timestamp_us, CHOICE_US)
        if latest is not None and latest.kind in (*_POINTED, "press"):
            self._attach(place, event, tab, latest, value)
            return
        key = field_key(event.target or tab.focused)
        edit = tab.edits.get(key) if key is not None else None
        if edit is not None and edit.root.field_value == value:
            edit.add(place)
            return
        draft = self.assembly.begin("click", place, event, tab)
        draft.flags.add("value_only")
        self._hold(draft, tab, key, value)

    def _selected(self, place: int, event: Event, tab: TabState) -> None:
        """An option of a list was chosen; the clicks and keys that led there are part of it."""
        key = field_key(event.target or tab.focused)
        value = event.value
        shown = event.text or value
        latest = tab.latest.root if tab.latest is not None else None
        if (
            latest is not None
            and latest.kind == "select"
            and latest.is_same_field(key)
            and latest.field_value == value
        ):
            latest.add(place)
            return
        draft = self.assembly.begin("select", place, event, tab)
        draft.target = event.target or tab.focused
        for earlier in self._leading(draft, key):
            draft.x = earlier.x if draft.x is None else draft.x
            draft.y = earlier.y if draft.y is None else draft.y
            draft.events[:0] = earlier.events
            draft.flags |= earlier.flags
            draft.start_us = earlier.start_us
            draft.keys = draft.keys or earlier.keys if earlier.kind != "press" else draft.keys
            earlier.events = []
            earlier.into = draft
            draft.previous = earlier.previous
        draft.text = shown
        self._hold(draft, tab, key, value)

    def _leading(self, draft: Draft, key: object) -> list[Draft]:
        """The actions right before a choice that were spent on opening and walking the list."""
        found: list[Draft] = []
        by_mouse = False
        earlier = draft.previous
        while earlier is not None:
            earlier = earlier.root
            kind = fields.field_kind(earlier.target)
            on_list = earlier.is_same_field(key) and earlier.target is not None
            on_option = earlier.target is not None and (earlier.target.tag or "") == "option"
            if earlier.tab is not draft.tab or not (on_list or on_option):
                break
            if draft.start_us - earlier.end_us > LIST_US:
                break
            if earlier.kind in ("click", "double_click", "tap"):
                by_mouse = True
            elif earlier.kind == "select":
                # Walking a list with the arrow keys chooses at every step.
                if by_mouse or earlier.x is not None:
                    break
            elif earlier.kind != "press" or kind != fields.SELECT:
                break
            found.append(earlier)
            earlier = earlier.previous
        return found

    # paste and composition -----------------------------------------------------------------

    def paste(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a paste event; the chord before it and the input after it are part of it."""
        text = event.text if event.text is not None else event.value
        latest = self.assembly.cause(tab, event.timestamp_us, SECOND_US)
        if latest is not None and latest.keys in PASTE_KEYS and latest.kind in ("press", "paste"):
            draft = latest
            if draft.kind == "paste" and draft.text is not None and not draft.run:
                if draft.text == text:
                    draft.add(place)
                    return
                draft = self.assembly.begin("paste", place, event, tab)
            else:
                draft.kind = "paste"
                draft.add(place)
        else:
            draft = self.assembly.begin("paste", place, event, tab)
        draft.text = text
        if draft.target is None:
            draft.target = event.target or tab.focused
        tab.pasting = draft

    def compositionstart(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the start of a composition: until its end, keys give no text."""
        kind = fields.field_kind(event.target or tab.focused)
        run = self.keyboard.run_for(place, event, tab, kind)
        run.draft.flags.add("ime")
        # Without an end to come, only the input events can say how long it lasts.
        tab.composing = place in self.ended

    def compositionend(self, place: int, event: Event, tab: TabState) -> None:
        """Takes the end of a composition: its text is committed, once."""
        kind = fields.field_kind(event.target or tab.focused)
        run = self.keyboard.run_for(place, event, tab, kind)
        run.draft.flags.add("ime")
        tab.composing = False
        text = event.text if event.text is not None else run.composition
        run.composition = None
        if text:
            run.insert(text)
            run.has_keys = True
            # Some browsers send the input event of a composition after its end.
            run.pending = [text]


def _ended_compositions(events: list[Event]) -> set[int]:
    started: dict[str | None, int] = {}
    ended = set()
    for place, event in enumerate(events):
        if event.type == "compositionstart":
            started[event.tab] = place
        elif event.type == "compositionend" and event.tab in started:
            ended.add(started.pop(event.tab))
    return ended
