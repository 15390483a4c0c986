"""What a person entered: the last value of every form field, whatever way it got there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from transforms.classify.facts import StepFacts
from transforms.classify.words import name_tokens, tokens


class FieldEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One form field and the value it was left with."""

    field: str
    label: str
    words: tuple[str, ...]
    """Stemmed tokens of label, name and id."""
    value: Any
    """Text as typed or shown; a bool for check boxes; None when it can't be told."""
    inner: str | None = None
    """The form's value behind the text shown (``dear`` for ``Price: high to low``)."""
    kind: str
    """field, select or toggle."""
    role: str
    event_ids: tuple[str, ...]
    steps: tuple[int, ...]


def collect_entries(facts: Iterable[StepFacts]) -> tuple[FieldEntry, ...]:
    """Returns the fields that these steps changed, in the order of their first change.

    Typing that was corrected or continued counts once, with its result. A field whose recorder
    tells whole values gives the last of them, else the typed texts are put together.
    """
    found: dict[str, FieldEntry] = {}
    for step in facts:
        if not (step.is_entry or step.is_toggle):
            continue
        entry = _entry(step, found.get(step.field or "?"))
        if entry is not None:
            found[entry.field] = entry
    return tuple(found.values())


def _entry(facts: StepFacts, before: FieldEntry | None) -> FieldEntry | None:
    action = facts.action
    inner: str | None = None
    value: Any
    if facts.is_toggle:
        kind, value = "toggle", _state(action.field_value)
        if value is None and before is not None and isinstance(before.value, bool):
            value = not before.value
    elif action.type == "select":
        kind, value = "select", action.text or action.field_value
        inner = action.field_value
    else:
        kind = "select" if facts.role in ("combobox", "listbox") and not action.text else "field"
        value = action.field_value
        if value is not None and action.text and kind == "select":
            value, inner = action.text, action.field_value
        if value is None and action.text is not None:
            continued = before.value if before and isinstance(before.value, str) else ""
            value = continued + action.text
        if value is None and before is not None:
            value, inner = before.value, before.inner
        if isinstance(value, str):
            value = value.rstrip("\t") if "\n" in value.strip() else value.strip("\t\n\r")
    element, target = action.element, action.target
    label = facts.name or (target.name if target else None) or ""
    more = [element.label if element else None, element.id if element else None]
    words = dict.fromkeys(name_tokens(label))
    for text in more:
        words.update(dict.fromkeys(tokens(text or "")))
    return FieldEntry(
        field=facts.field or "?",
        label=label,
        words=tuple(words),
        value=value,
        inner=inner,
        kind=kind,
        role=facts.role,
        event_ids=(before.event_ids if before else ()) + action.raw_event_ids,
        steps=(*(before.steps if before else ()), facts.index),
    )


def _state(value: str | None) -> bool | None:
    if value is None:
        return None
    word = value.strip().lower()
    if word in ("true", "on", "checked", "1", "yes"):
        return True
    return False if word in ("false", "off", "unchecked", "0", "no", "") else None
