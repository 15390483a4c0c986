"""Which field has the focus, for recorders that tell it of clicks but not of keys."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from schemas.traces import Event, Target
from transforms.privacy.session_fields import is_editable

TYPED = frozenset("keydown keyup input paste compositionstart compositionend unknown".split())
_POINTED = frozenset("mousedown click dblclick touchstart focus".split())
_LEFT = frozenset("blur submit navigation tabswitch".split())

_SIGN_IN = re.compile(
    r"\b(?:log|sign)[ \-_]?(?:in|on)\b|\blogin\b|\bsignin\b|\bauth|anmeld|einlogg|connexion|"
    r"iniciar[ \-_]sesi|accedi\b|inloggen|logga in|zaloguj|вход",
    re.IGNORECASE,
)
_WHO = re.compile(r"user|e-?mail|login|account|benutzer|utilisateur|usuario|konto", re.IGNORECASE)
PASSWORD_FIELD = Target(tag="input", input_type="password")


def with_focused_fields(events: Sequence[Event]) -> Sequence[Event]:
    """Returns events in which those of keys that have no target have the field of the focus.

    What Tab leads to is not known, but for the one case that matters: from who signs in on a page
    for signing in it leads to the password.
    """
    focused: Target | None = None
    made: list[Event] | None = None
    for number, event in enumerate(events):
        target = event.target
        if event.type in _LEFT:
            focused = None
        elif target is not None and (event.type in _POINTED or event.type in TYPED):
            editable = is_editable(target.tag, target.role, target.input_type)
            focused = target if editable else None
        elif event.type in _POINTED and event.type != "focus":
            focused = None
        if event.type not in TYPED or target is not None:
            continue
        if focused is not None:
            made = list(events) if made is None else made
            made[number] = msgspec.structs.replace(event, target=focused)
        if event.type == "keydown" and event.key == "Tab":
            to_password = focused is not None and _leads_to_password(focused, event)
            focused = PASSWORD_FIELD if to_password and "Shift" not in event.modifiers else None
    return events if made is None else made


def _leads_to_password(field: Target, event: Event) -> bool:
    names = " ".join(filter(None, (field.name, field.label, field.id, field.autocomplete)))
    says_who = field.input_type == "email" or _WHO.search(names) is not None
    return says_who and _SIGN_IN.search(f"{event.url or ''} {event.window or ''}") is not None
