"""A run of typing in one field: keys edit a text, and what the field holds has the last word."""

from __future__ import annotations

from transforms.normalize.draft import Draft

_MOVES = frozenset(("ArrowLeft", "ArrowRight", "Home", "End"))
_TEXTS = {"Enter": "\n", "Tab": "\t"}
TENTATIVE = _MOVES | _TEXTS.keys()
"""Keys that belong to a run only if typing goes on after them; at its end they are presses."""


class _Buffer:
    """The text typed so far with a caret and a selection, all inside this text."""

    __slots__ = ("anchor", "caret", "erased", "letters")

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.caret = 0
        self.anchor: int | None = None
        self.erased = False

    def copy(self) -> _Buffer:
        other = _Buffer()
        other.letters = self.letters.copy()
        other.caret, other.anchor, other.erased = self.caret, self.anchor, self.erased
        return other

    def _cut_selection(self) -> bool:
        if self.anchor is None or self.anchor == self.caret:
            self.anchor = None
            return False
        low, high = sorted((self.anchor, self.caret))
        del self.letters[low:high]
        self.caret, self.anchor = low, None
        return True

    def insert(self, text: str) -> None:
        if self.anchor is not None:
            self._cut_selection()
        if len(text) == 1 and self.caret == len(self.letters):
            self.letters.append(text)
            self.caret += 1
        else:
            letters = list(text)
            self.letters[self.caret : self.caret] = letters
            self.caret += len(letters)

    def backspace(self) -> None:
        if self._cut_selection():
            return
        if self.caret:
            self.caret -= 1
            del self.letters[self.caret]
        else:
            self.erased = True

    def delete(self) -> None:
        if self._cut_selection():
            return
        if self.caret < len(self.letters):
            del self.letters[self.caret]
        else:
            self.erased = True

    def move(self, key: str, shift: bool, may_jump: bool) -> bool:
        """Moves the caret; False when it would leave the text of this run."""
        caret = self.caret
        if self.anchor is not None and not shift and key in ("ArrowLeft", "ArrowRight"):
            pick = min if key == "ArrowLeft" else max
            self.caret, self.anchor = pick(self.anchor, caret), None
            return True
        if key == "ArrowLeft":
            caret -= 1
        elif key == "ArrowRight":
            caret += 1
        elif key == "Home":
            while caret and self.letters[caret - 1] != "\n":
                caret -= 1
            if not caret and not may_jump:
                return False
        else:
            while caret < len(self.letters) and self.letters[caret] != "\n":
                caret += 1
            if caret == len(self.letters) and not may_jump:
                return False
        if not 0 <= caret <= len(self.letters):
            return False
        if not shift:
            self.anchor = None
        elif self.anchor is None:
            self.anchor = self.caret
        self.caret = caret
        return True


class TypingRun:
    """What is being typed in one field."""

    __slots__ = (
        "_buffer",
        "_tail",
        "_trial",
        "answered",
        "before",
        "composition",
        "confirmed_us",
        "draft",
        "field",
        "has_keys",
        "last_us",
        "pending",
        "single_line",
        "value",
        "window",
    )

    def __init__(
        self, draft: Draft, field: object, before: str | None, single_line: bool | None
    ) -> None:
        self.draft = draft
        self.field = field
        self.before = before
        """The whole value of the field before this run, where it is known."""
        self.single_line = single_line
        """None: nothing says what kind of field it is."""
        self.value: str | None = None
        self.answered = False
        """Whether input events came: then a key without one changed no text."""
        self.composition: str | None = None
        """What an input method shows but has not committed yet."""
        self.has_keys = False
        self.pending: list[str] = []
        """Texts of keys that no input event has confirmed yet; empty string: a deletion."""
        self.last_us = draft.start_us
        self.window = draft.window
        self.confirmed_us: int | None = None
        """When an input event last said that Enter or Tab became text."""
        self._buffer = _Buffer()
        self._trial: _Buffer | None = None
        self._tail: list[Draft] = []

    @property
    def text(self) -> str:
        """The text that the keys and commitments of this run leave behind."""
        return "".join(self._buffer.letters)

    @property
    def erases(self) -> bool:
        """Whether text that stood there before was deleted."""
        return self._buffer.erased

    @property
    def tail(self) -> list[Draft]:
        """Tentative strokes since the last change of the text."""
        return self._tail

    @property
    def left_field(self) -> bool:
        """Whether Enter or Tab was pressed last and did not become text."""
        return self.answered and any(stroke.key in _TEXTS for stroke in self._tail)

    def insert(self, text: str) -> None:
        """Puts text in at the caret."""
        self._commit()
        self._buffer.insert(text)

    def erase(self, key: str) -> None:
        """Applies Backspace or Delete."""
        self._commit()
        if key == "Backspace":
            self._buffer.backspace()
        else:
            self._buffer.delete()

    def await_input(self, text: str) -> None:
        """Notes what the next input event will confirm."""
        if len(self.pending) >= 64:
            del self.pending[:32]
        self.pending.append(text)

    def hold(self, value: str) -> None:
        """Takes the whole value of the field, as it is now."""
        is_first = self.value is None
        if is_first and self.before and not self.has_keys and len(value) <= 1:
            shorter = len(self.before) - len(value)
            self.before = "" if shorter > 1 else self.before  # emptied in the meantime
        if is_first and self.before is None and self.has_keys:
            # The first one also tells what stood there before.
            text = self.text
            if value.endswith(text):
                self.before = value[: len(value) - len(text)]
            elif value.startswith(text):
                self.before = value[len(text) :]
        self.value = value

    def attempt(self, stroke: Draft) -> bool:
        """Takes a caret move, Enter or Tab on trial; False when it cannot belong to the run."""
        trial = self._trial or self._buffer.copy()
        key = stroke.key
        assert key is not None
        if key in _TEXTS:
            trial.insert(_TEXTS[key])
        elif not trial.move(key, stroke.shift, may_jump=not self.before):
            return False
        self._trial = trial
        self._tail.append(stroke)
        return True

    def confirm(self) -> None:
        """Makes what was taken on trial part of the text."""
        self._commit()

    def _commit(self) -> None:
        if self._trial is not None:
            self._buffer, self._trial = self._trial, None
            for stroke in self._tail:
                stroke.merge_into(self.draft)
            self._tail = []
        if self.composition is not None:
            # Typing goes on, so it was committed, though nobody said so.
            self._buffer.insert(self.composition)
            self.has_keys = self.has_keys or bool(self.composition)
            self.composition = None

    def give_back(self) -> list[Draft]:
        """Ends the run and returns the strokes that changed nothing."""
        if self.composition is not None and self._trial is None:
            self._commit()
        tail, self._tail, self._trial = self._tail, [], None
        return tail

    def settle(self) -> None:
        """Writes text and field value into the draft; called once, after all events.

        The whole value a recorder gives wins over the text rebuilt from keys: sites correct,
        format and cut what is typed.
        """
        draft = self.draft
        text = self.text
        if self._buffer.erased:
            draft.flags.add("erases_before")
        if self.value is not None:
            draft.field_value = self.value
            if not self.has_keys:
                text = inserted(self.before or "", self.value)
                draft.flags.add("value_only")
            elif not _explains(self.before, text, self.value):
                text = inserted(self.before or "", self.value)
                draft.flags.add("value_differs")
        draft.text = text


def _explains(before: str | None, text: str, value: str) -> bool:
    """Whether typing ``text`` somewhere into ``before`` (or over a part of it) gives ``value``."""
    if before is None:
        return text in value
    kept = len(value) - len(text)
    if not 0 <= kept <= len(before):
        return False
    head, tail = _common(before, value, overlapping=True)
    return value.find(text, max(0, kept - tail), min(head, kept) + len(text)) >= 0


def inserted(before: str, value: str) -> str:
    """The middle of ``value`` that ``before`` doesn't have."""
    head, tail = _common(before, value, overlapping=False)
    return value[head : len(value) - tail]


def _common(one: str, other: str, overlapping: bool) -> tuple[int, int]:
    """Lengths of the common start and end of two texts."""
    limit = min(len(one), len(other))
    head = 0
    while head < limit and one[head] == other[head]:
        head += 1
    limit = limit if overlapping else limit - head
    tail = 0
    while tail < limit and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    return head, tail
