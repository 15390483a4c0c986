"""Every text of a session, each with its kind: the one walk that locating and redacting share.

A text that one of them saw and the other did not would be a leak or a loss, so both walk here, in
order of time: first with a :class:`Visitor` that only looks, then with one that replaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from schemas.outcomes import Dropped, Failure
from schemas.traces import Event, GivenStep, Request, Session, Target
from schemas.trajectories import Action, Element, Observation, Step
from transforms.dom import DomNode, DomTree
from transforms.privacy.bodies import rewrite_body, rewrite_headers, rewrite_nested
from transforms.privacy.dom_pieces import groups_of_pieces
from transforms.privacy.fields import readable
from transforms.privacy.keystrokes import is_typing
from transforms.privacy.recovery import phrase_nodes
from transforms.privacy.session_fields import (
    SessionFields,
    is_editable,
    is_static,
    is_written_in,
)
from transforms.privacy.values import MIN_CHARS

_TYPED_KEY = re.compile(
    r"\b(?:data|value|text|content|contents|clipboard|chars?|typed|selection)\b"
)
_KEY_CODE = re.compile(r"(?:key|char|scan) ?code|key|code|which")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY_NAME = re.compile(r"[A-Za-z][A-Za-z_.]{0,22}\d{0,2}|<\d+>")
_SAID_IN_SELECTOR = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|(?<=^aria/).+|(?<=^text/).+|(?<=^text=).+", re.DOTALL
)


class Visitor(Protocol):
    """Gets every text once, in order, and returns what stands in its place."""

    place: str
    """Where the walk is: session, event, dom, request, response, step, thought or file."""

    def text(self, text: str, kind: str) -> str:
        """A text that is shown or said."""
        ...

    def value(self, text: str, kind: str) -> str:
        """A value that may be half of one: of a field, a body or a parameter."""
        ...

    def whole(self, text: str, entity: str, key: str = "") -> str:
        """A text that is sensitive from end to end."""
        ...

    def unfinished(self, text: str, entity: str, key: str = "") -> str:
        """What such a field holds while it is typed into; what it holds in the end is known."""
        ...

    def pieces(self, parts: Sequence[str], joiner: str) -> Sequence[str]:
        """Texts of several elements that may hold one value together."""
        ...


def _opt(visitor: Visitor, text: str | None, kind: str) -> str | None:
    return visitor.text(text, kind) if text else text


def loose_kind(name: str) -> str:
    """The kind of a name that is an identifier where recorders are tidy, and a text elsewhere."""
    if "://" in name:
        return "url"
    return "title" if " " in name or "=" in name else "id"


def _loose(visitor: Visitor, name: str | None) -> str | None:
    return visitor.text(name, loose_kind(name)) if name else name


def walk_key(key: str | None, visitor: Visitor) -> str | None:
    """A key or its code: one character and names of keys stay, all else is what somebody wrote."""
    if not key or len(key) == 1 or _KEY_NAME.fullmatch(key):
        return key
    return visitor.value(key, "key")


def walk_selector(selector: str | None, visitor: Visitor) -> str | None:
    """A selector: what it quotes of the page (``[aria-label="…"]``, ``aria/…``) is text."""
    if not selector:
        return selector
    selector = _SAID_IN_SELECTOR.sub(lambda said: visitor.text(said[0], "prose"), selector)
    return visitor.text(selector, "id")


def walk_session(session: Session, visitor: Visitor) -> Session:
    """The session record; its id and storage path are the caller's to publish."""
    visitor.place = "session"
    user = session.user_id
    if user and not _UUID.fullmatch(user) and any(c.isalpha() for c in user):
        user = visitor.text(user, "id")
    return msgspec.structs.replace(
        session,
        user_id=user,
        suite_id=_opt(visitor, session.suite_id, "id"),
        description=_opt(visitor, session.description, "prose"),
    )


def walk_target(
    target: Target | None,
    fields: SessionFields,
    url: str | None,
    tab: str | None,
    visitor: Visitor,
    whole: Callable[[str, str, str], str],
) -> Target | None:
    """The element of an event: its texts; tag, type, role and id stay. ``whole`` takes what a
    sensitive field holds."""
    if target is None:
        return None
    entity = fields.of_target(target, url, tab)
    kind = "ui" if is_static(target.tag, target.role) else "prose"
    text = target.text
    if text and is_editable(target.tag, target.role, target.input_type):
        if entity is not None:
            text = whole(text, entity, target.name or "")
        else:
            text = visitor.value(text, "key")
    else:
        text = _opt(visitor, text, kind)
    return msgspec.structs.replace(
        target,
        id=_opt(visitor, target.id, "id"),
        name=_opt(visitor, target.name, kind),
        label=_opt(visitor, target.label, "ui"),
        text=text,
        selector=walk_selector(target.selector, visitor),
    )


def walk_event(event: Event, fields: SessionFields, visitor: Visitor) -> Event:
    """One raw event; single keys stay, since masked runs are taken out as a whole before."""
    visitor.place = "event"
    entity = fields.of_target(event.target, event.url, event.tab)
    text, value = event.text, event.value
    info, extra = event.additional_info, event.extra
    typing = is_typing(event)
    whole = visitor.unfinished if typing else visitor.whole
    key, code = (event.key, event.code) if entity is None or typing else (None, None)
    if entity is not None:
        info, extra = (_without_typed(part, entity, visitor) for part in (info, extra))
        name = (event.target.name or event.target.id or "") if event.target else ""
        text = whole(text, entity, name) if text else text
        value = whole(value, entity, name) if value else value
    else:
        kind = "typing" if typing and event.type != "paste" else "key"
        text = visitor.value(text, kind) if text else text
        value = visitor.value(value, kind) if value else value
    return msgspec.structs.replace(
        event,
        tab=_loose(visitor, event.tab),
        url=_opt(visitor, event.url, "url"),
        window=_opt(visitor, event.window, "title"),
        target=walk_target(event.target, fields, event.url, event.tab, visitor, whole),
        key=walk_key(key, visitor),
        code=walk_key(code, visitor),
        text=text,
        value=value,
        additional_info=rewrite_nested(info, fields, visitor),
        extra=rewrite_nested(extra, fields, visitor),
    )


def _without_typed(
    said: Any, entity: str, visitor: Visitor, key: str = "", inside: bool = False
) -> Any:
    """What a recorder added of a sensitive field, without what it holds and the keys pressed."""
    named = _TYPED_KEY.search(readable(key)) is not None
    if isinstance(said, dict):
        return {
            name: _without_typed(inner, entity, visitor, name, inside or named)
            for name, inner in said.items()
            if _KEY_CODE.fullmatch(readable(name)) is None
        }
    if isinstance(said, list | tuple):
        return [_without_typed(inner, entity, visitor, key, inside) for inner in said]
    if not (named or inside) or said in (None, "") or isinstance(said, bool):
        return said
    text = str(said)
    # Single characters, and what else lies beside a value, are searched for nowhere.
    take = visitor.whole if named and len(text) >= MIN_CHARS else visitor.unfinished
    return take(text, entity, key)


_OF_CODES = re.compile(
    r"/[\w\-.]*(?:2fa|mfa|otp|two[_\-]?factor|verif(?:y|ication)|one[_\-]?time)[\w\-.]*(?=[/?#]|$)",
    re.IGNORECASE,
)


class _CodeRules:
    """The rules for what is sent to where codes are checked: ``code`` is one there."""

    def __init__(self, fields: SessionFields) -> None:
        self.fields = fields
        self.of_header = fields.of_header

    def of_key(self, key: str) -> str | None:
        return self.fields.of_key(key) or ("OTP" if readable(key) == "code" else None)


def walk_request(request: Request, fields: SessionFields, visitor: Visitor) -> Request:
    """One request: method, URL, headers, types and bodies."""
    visitor.place = "request"
    rules = _CodeRules(fields) if _OF_CODES.search(request.url) else fields
    sent = msgspec.structs.replace(
        request,
        tab=_loose(visitor, request.tab),
        method=visitor.text(request.method, "id"),
        request_mime=_opt(visitor, request.request_mime, "code"),
        url=visitor.text(request.url, "url"),
        request_headers=rewrite_headers(request.request_headers, fields, visitor),
        request_body=rewrite_body(request.request_body, request.request_mime, rules, visitor),
    )
    visitor.place = "response"
    return msgspec.structs.replace(
        sent,
        response_mime=_opt(visitor, request.response_mime, "code"),
        response_headers=rewrite_headers(request.response_headers, fields, visitor),
        response_body=rewrite_body(request.response_body, request.response_mime, fields, visitor),
    )


def dom_texts(node: DomNode, fields: SessionFields) -> Iterator[tuple[str, str, str, str]]:
    """Yields (attribute, text, kind, entity) of a node; entity is set where all of it is one."""
    entity = fields.of_node(node) or ""
    kind = "ui" if is_static(node.tag, node.role) else "prose"
    editable = is_editable(node.tag, node.role, node.input_type)
    editable = editable or bool(entity and is_written_in(node))
    if node.name:
        yield "name", node.name, "ui" if editable else kind, ""
    if node.text:
        yield "text", node.text, kind, entity if editable else ""
    if node.value:
        yield "value", node.value, "key" if editable else kind, entity
    for key, text in node.attributes.items():
        if key == "href":
            yield key, text, "url", ""
        elif key in ("alt", "title"):
            yield key, text, kind, ""
        elif key in ("label", "placeholder"):
            yield key, text, "ui", ""
        elif key == "form_name" or len(text) > 8:  # flags are "true" or "false"
            yield key, text, loose_kind(text), ""
    if node.id:
        yield "id", node.id, "id", ""


def walk_dom(tree: DomTree, fields: SessionFields, visitor: Visitor) -> DomTree:
    """A copy of a snapshot; tags, roles, types and the form stay."""
    visitor.place = "dom"
    phrase = phrase_nodes(tree.iter())

    def copied(node: DomNode, said: str | None) -> DomNode:
        made = DomNode(
            tag=node.tag,
            id=node.id,
            role=node.role,
            name=node.name,
            text=said,
            value=node.value,
            input_type=node.input_type,
            autocomplete=node.autocomplete,
            bounds=node.bounds,
            attributes=dict(node.attributes),
        )
        for attribute, text, kind, entity in dom_texts(node, fields):
            text = said if attribute == "text" else text
            if not text:
                continue
            if phrase and attribute in ("text", "value") and id(node) in phrase:
                new = visitor.unfinished(text, "SECRET")
            elif entity:
                new = visitor.whole(text, entity, node.id or "")
            elif attribute == "value":
                new = visitor.value(text, kind)
            else:
                new = visitor.text(text, kind)
            if new is text:
                continue
            if attribute in made.attributes:
                made.attributes[attribute] = new
            else:
                setattr(made, attribute, new)
        return made

    root = copied(tree.root, tree.root.text)
    waiting = [(tree.root, root)]
    said: dict[int, str] = {}
    while waiting:
        old, new = waiting.pop()
        _take_out_pieces(old, new, said, visitor)
        for child in old.children:
            made = copied(child, said.get(id(child), child.text))
            new.children.append(made)
            waiting.append((child, made))
    return DomTree(root)


def _take_out_pieces(old: DomNode, new: DomNode, said: dict[int, str], visitor: Visitor) -> None:
    """Notes the texts of elements below (by their Python id) that hold a value only together.

    The text of ``new`` is set: it is copied already.
    """
    for joiner, group in groups_of_pieces(old):
        parts = [(new.text if n is old else said.get(id(n), n.text)) or "" for n in group]
        for node, part, redacted in zip(group, parts, visitor.pieces(parts, joiner)):
            if redacted == part:
                continue
            if node is old:
                new.text = redacted
            else:
                said[id(node)] = redacted


def look_at_dom(tree: DomTree, fields: SessionFields, visitor: Visitor) -> None:
    """The same walk without a copy, for a visitor that only looks."""
    visitor.place = "dom"
    for node in tree.iter():
        for attribute, text, kind, entity in dom_texts(node, fields):
            if entity:
                visitor.whole(text, entity, node.id or "")
            elif attribute == "value":
                visitor.value(text, kind)
            else:
                visitor.text(text, kind)
        for joiner, group in groups_of_pieces(node):
            visitor.pieces([part.text or "" for part in group], joiner)


def walk_given(given: GivenStep, visitor: Visitor) -> GivenStep:
    """What a recorder said of an event itself."""
    visitor.place = "thought"
    return msgspec.structs.replace(
        given,
        task_id=_opt(visitor, given.task_id, "id"),
        thought=_opt(visitor, given.thought, "prose"),
        element_id=_opt(visitor, given.element_id, "id"),
    )


def walk_step(
    step: Step, fields: SessionFields, entity: str | None, events: Sequence[str], visitor: Visitor
) -> Step:
    """One step. ``entity`` says what its field holds, ``events`` which raw events are left of it.

    The action's targets are dropped: grounding has read them, and what is left would only repeat.
    """
    visitor.place = "step"
    action = walk_action(step.action, fields, entity, events, visitor)
    seen = step.observation
    observation: Observation = msgspec.structs.replace(
        seen,
        tab=_loose(visitor, seen.tab),
        active_window=_opt(visitor, seen.active_window, "title"),
        url=_opt(visitor, seen.url, "url"),
    )
    visitor.place = "thought"
    return msgspec.structs.replace(
        step,
        task_id=visitor.text(step.task_id, "id") if step.task_id else step.task_id,
        action=action,
        observation=observation,
        thought=_opt(visitor, step.thought, "prose"),
        element_id=_opt(visitor, step.element_id, "id"),
    )


def walk_action(
    action: Action,
    fields: SessionFields,
    entity: str | None,
    events: Sequence[str],
    visitor: Visitor,
) -> Action:
    """The action of a step: its texts and those of its element."""
    target = action.target
    if entity is None:
        entity = fields.of_target(target, action.url, action.tab)
    name = (target.name or target.id or "") if target else ""
    text, value, keys = action.text, action.field_value, action.keys
    if entity is not None:
        text = visitor.whole(text, entity, name) if text else text
        value = visitor.whole(value, entity, name) if value else value
        if any(len(key) == 1 for key in keys) and not {"Control", "Meta", "Alt"} & set(keys):
            keys = ()
    else:
        text = visitor.value(text, "key") if text else text
        value = visitor.value(value, "key") if value else value
    return msgspec.structs.replace(
        action,
        raw_event_ids=tuple(events),
        text=text,
        field_value=value,
        keys=tuple(walk_key(key, visitor) or "" for key in keys),
        tab=_loose(visitor, action.tab),
        element=walk_element(action.element, visitor),
        target=None,
        end_target=None,
        url=_opt(visitor, action.url, "url"),
        window=_opt(visitor, action.window, "title"),
    )


def walk_element(element: Element | None, visitor: Visitor) -> Element | None:
    """The element an action went to: name, label and what its selector says."""
    if element is None:
        return None
    kind = "ui" if is_static(element.tag, element.role) else "prose"
    return msgspec.structs.replace(
        element,
        name=_opt(visitor, element.name, kind),
        label=_opt(visitor, element.label, "ui"),
        id=_opt(visitor, element.id, "id"),
        selector=walk_selector(element.selector, visitor),
    )


def walk_failure(failure: Failure, visitor: Visitor) -> Failure:
    """A failure: its message and the file it names. Shapes hold nothing to read."""
    visitor.place = "file"
    return msgspec.structs.replace(
        failure,
        message=visitor.text(failure.message, "code"),
        file=_opt(visitor, failure.file, "path"),
    )


def walk_dropped(dropped: Dropped, visitor: Visitor) -> Dropped:
    """A record that was removed: the path or id it is named by."""
    visitor.place = "file"
    return msgspec.structs.replace(dropped, record=visitor.text(dropped.record, "path"))


def look_at_files(names: Mapping[str, None], visitor: Visitor) -> None:
    """Names of frames and snapshots, which may tell a name or an address."""
    visitor.place = "file"
    for name in names:
        visitor.text(name, "path")
