"""Which field has the focus, for recorders that tell it of few events or of none.

Trajectories name an element of their snapshot, or a point in it; others tell the target of clicks
but not of keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.traces import Event, Target
from schemas.trajectories import Step
from transforms.dom import DomNode, DomTree
from transforms.privacy.session_fields import is_editable
from transforms.privacy.typed_text import pressed_key

TYPED = frozenset("keydown keyup input paste compositionstart compositionend unknown".split())
_POINTED = frozenset("mousedown click dblclick touchstart focus".split())
_LEFT = frozenset("blur submit navigation tabswitch".split())
_TYPING_ACTIONS = frozenset(("type", "press", "paste"))

_SIGN_IN = re.compile(
    r"\b(?:log|sign)[ \-_]?(?:in|on)\b|\blogin\b|\bsignin\b|\bauth|anmeld|einlogg|connexion|"
    r"iniciar[ \-_]sesi|accedi\b|inloggen|logga in|zaloguj|вход",
    re.IGNORECASE,
)
_WHO = re.compile(r"user|e-?mail|login|account|benutzer|utilisateur|usuario|konto", re.IGNORECASE)
_ASKS_FOR_PASSWORD = re.compile(
    r"(?:password|passphrase) (?:for|required|to unlock)\b|"
    r"\b(?:enter|type) (?:your |the |a )?(?:password|passphrase|pin)\b|\bauthentication required|"
    r"\bunlock (?:login )?key(?:ring|chain)|passwort (?:eingeben|für)\b|\bkennwort eingeben",
    re.IGNORECASE,
)
"""Windows and prompts in which a password is typed into no field that anyone tells."""
PASSWORD_FIELD = Target(tag="input", input_type="password")
_ENDS_IN_ID = re.compile(r"#([\w\-]+)\Z")
_OF_PASSWORDS = re.compile(r"\[type\s*=\s*[\"']?password")


def seen_fields(
    steps: Iterable[Step], events: Iterable[Event], dom: Mapping[str, DomTree]
) -> dict[str, Target]:
    """Event id → the field that the event went to, of actions of which only a snapshot tells it."""
    points = {event.id: (event.x, event.y) for event in events}
    fields: dict[str, Target] = {}
    for step in steps:
        action = step.action
        if action.target is None and action.raw_event_ids:
            # A trajectory's own point is where it typed; else keys come from anywhere.
            given = "given" in action.flags
            point = points.get(action.raw_event_ids[0]) if given else (action.x, action.y)
            field = _field_of(step, point, dom.get(step.observation.dom or ""))
            if field is not None:
                fields.update(dict.fromkeys(action.raw_event_ids, field))
    return fields


def _field_of(
    step: Step, point: tuple[float | None, float | None] | None, tree: DomTree | None
) -> Target | None:
    named, typed = step.element_id, step.action.type in _TYPING_ACTIONS
    x, y = point or (None, None)
    node = None
    if tree is not None:
        node = tree.by_id(named) if named else None
        if node is None and x is not None and y is not None:
            node = tree.hit_test(x, y) if not step.observation.stale else None
        elif node is None and typed:
            focused = (n for n in tree.iter() if n.attributes.get("focused") == "true")
            node = next(filter(_is_editable, focused), None)
    if node is not None:
        return _target(node) if _is_editable(node) else None
    return Target(tag="input", id=named) if typed and named else None


def _is_editable(node: DomNode) -> bool:
    return is_editable(node.tag, node.role, node.input_type)


def _target(node: DomNode) -> Target:
    return Target(
        tag=node.tag,
        id=node.id,
        name=node.attributes.get("form_name") or node.name,
        role=node.role,
        label=node.accessible_name,
        input_type=node.input_type,
        autocomplete=node.autocomplete,
        bounds=node.bounds,
    )


def as_field(target: Target) -> Target:
    """What is typed into is a field, also where its recorder tells no more than its name."""
    if target.tag or target.role or target.input_type:
        return target
    selector = target.selector or ""
    named = _ENDS_IN_ID.search(selector)
    return msgspec.structs.replace(
        target,
        tag="input",
        id=target.id or (named[1] if named else None),
        input_type="password" if _OF_PASSWORDS.search(selector) else None,
    )


def as_told(target: Target | None, told: Target | None) -> Target | None:
    """A target without what nobody recorded of it, but this module concluded."""
    if target is None or told is None:
        return None
    return msgspec.structs.replace(
        target, tag=told.tag, id=target.id if told.id else None, input_type=told.input_type
    )


def with_focused_fields(events: Sequence[Event]) -> Sequence[Event]:
    """Returns events in which those of keys that have no target have the field of the focus.

    What Tab leads to is not known, but for the one case that matters: from who signs in on a page
    for signing in it leads to the password. Where nobody tells of fields, what was typed first
    there says who.
    """
    focused: Target | None = None
    typed = False
    made: list[Event] | None = None
    asked: dict[str, bool] = {}
    for number, event in enumerate(events):
        target = event.target
        if event.type in _LEFT or event.type in _POINTED:
            typed = False
        if event.type in _LEFT:
            focused = None
        elif target is not None and (event.type in _POINTED or event.type in TYPED):
            editable = is_editable(target.tag, target.role, target.input_type)
            focused = target if editable else None
        elif event.type in _POINTED and event.type != "focus":
            focused = None
        if event.type not in TYPED or target is not None:
            continue
        if focused is PASSWORD_FIELD and (event.window or event.url) and not _signs_in(event):
            focused = None  # the window says that it has been typed
        if focused is None and event.window:
            if event.window not in asked:
                asked[event.window] = _ASKS_FOR_PASSWORD.search(event.window) is not None
            focused = PASSWORD_FIELD if asked[event.window] else None
        if focused is not None:
            made = list(events) if made is None else made
            made[number] = msgspec.structs.replace(event, target=focused)
        if event.type != "keydown":
            continue
        key = pressed_key(event)
        if key == "Tab":
            says_who = typed if focused is None else _says_who(focused)
            to_password = says_who and "Shift" not in event.modifiers and _signs_in(event)
            focused = PASSWORD_FIELD if to_password else None
        typed = focused is None and key not in ("Tab", "Enter") and (typed or len(key or "") == 1)
    return events if made is None else made


def _says_who(field: Target) -> bool:
    names = " ".join(filter(None, (field.name, field.label, field.id, field.autocomplete)))
    return field.input_type == "email" or _WHO.search(names) is not None


def _signs_in(event: Event) -> bool:
    return _SIGN_IN.search(f"{event.url or ''} {event.window or ''}") is not None
