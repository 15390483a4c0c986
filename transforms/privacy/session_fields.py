"""What the fields of one session hold: fields known to be sensitive stay so all session long."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from schemas.traces import Event, Target
from transforms.dom import DomNode, DomTree
from transforms.privacy.entities import HIDDEN_ENTITIES
from transforms.privacy.fields import (
    EDITABLE_ROLES,
    EDITABLE_TAGS,
    FieldRules,
    field_keys,
    plain_role,
    readable,
)
from transforms.privacy.words import INTERFACE_WORDS

STATIC_ROLES = frozenset(
    """button tab menuitem menuitemcheckbox menuitemradio checkbox radio switch columnheader
    tooltip slider progressbar separator toolbar""".split()
)
STATIC_TAGS = frozenset("button label th legend summary".split())
"""Elements whose text is the program's own, unless it holds a person's name."""

ANYWHERE = "*"
"""Stands for the page where a snapshot does not say which it is of."""

_GENERATED = re.compile(r"[:«_]r\w*[:»_]|(?=\D*\d)[0-9a-f\-]{6,}")
_PARTS = frozenset(
    "input textbox textarea control element ctl ctrl mui ember react radix headlessui".split()
)
"""What libraries put into the ids they make."""


class SessionFields:
    """Answers what a field holds, remembering what it was at any time of the session."""

    def __init__(
        self, rules: FieldRules, events: Iterable[Event], trees: Iterable[DomTree]
    ) -> None:
        self.rules = rules
        self._known: dict[tuple[str, ...], str] = {}
        self._names: dict[str, str] = {}
        for event in events:
            entity = rules.of_target(event.target)
            if entity is not None and event.target is not None:
                self._learn(event.target, event.url, event.tab, entity)
        for tree in trees:
            for node in tree.iter():
                entity = self._rule_of_node(node)
                if entity in HIDDEN_ENTITIES and node.id:
                    self._known.setdefault((ANYWHERE, "id", node.id), entity)

    def learn(self, target: Target, url: str | None, tab: str | None, entity: str) -> None:
        """Notes what a field holds that does not say so itself, wherever it is seen."""
        self._learn(target, url, tab, entity)
        if target.id:
            self._known.setdefault((ANYWHERE, "id", target.id), entity)

    def _learn(self, target: Target, url: str | None, tab: str | None, entity: str) -> None:
        for page, kind, value in field_keys(
            url,
            tab,
            id=target.id,
            name=target.name,
            selector=target.selector,
            label=target.label,
        ):
            self._known.setdefault((page, kind, value), entity)
            if entity in HIDDEN_ENTITIES and kind in ("id", "selector"):
                self._known.setdefault((ANYWHERE, kind, value), entity)
        for name in (target.id, target.name):
            if name and is_telling_name(name):
                self._names.setdefault(readable(name), entity)

    def of_target(self, target: Target | None, url: str | None, tab: str | None) -> str | None:
        """Returns the entity a target's field holds, None for an ordinary one."""
        if target is None:
            return None
        entity = self.rules.of_target(target)
        if entity is not None:
            return entity
        if not is_editable(target.tag, target.role, target.input_type):
            return None
        keys = field_keys(
            url,
            tab,
            id=target.id,
            name=target.name,
            selector=target.selector,
            label=target.label,
        )
        for page, kind, value in keys:
            entity = self._known.get((page, kind, value)) or self._known.get(
                (ANYWHERE, kind, value)
            )
            if entity is not None:
                return entity
        return None

    def of_node(self, node: DomNode) -> str | None:
        """Returns the entity a node of a snapshot holds, None for an ordinary one."""
        entity = self._rule_of_node(node)
        if entity is None and node.id and is_editable(node.tag, node.role, node.input_type):
            entity = self._known.get((ANYWHERE, "id", node.id))
        return entity

    def _rule_of_node(self, node: DomNode) -> str | None:
        return self.rules.of_field(
            tag=node.tag,
            role="textbox" if node.attributes.get("contenteditable") == "true" else node.role,
            input_type=node.input_type,
            autocomplete=node.autocomplete,
            hints=(
                node.attributes.get("form_name"),
                node.id,
                node.attributes.get("label"),
                node.name,
                node.attributes.get("placeholder"),
            ),
            value=node.value,
        )

    def of_key(self, key: str) -> str | None:
        """Returns the entity under a key of a body or query; names of sensitive fields count."""
        return self.rules.of_key(key) or self._names.get(readable(key[:128]))

    def of_header(self, name: str) -> str | None:
        """Returns the entity that the value of a header is."""
        return self.rules.of_header(name)


@functools.lru_cache(4096)
def is_editable(tag: str | None, role: str | None, input_type: str | None) -> bool:
    """Whether an element is one that people type into."""
    return (
        (tag or "").lower() in EDITABLE_TAGS
        or plain_role(role or "") in EDITABLE_ROLES
        or plain_role(tag or "") in EDITABLE_ROLES
        or bool(input_type)
    )


def is_written_in(node: DomNode) -> bool:
    """Whether an element that is no field is made one (``contenteditable``)."""
    return node.attributes.get("contenteditable") == "true"


@functools.lru_cache(4096)
def is_static(tag: str | None, role: str | None) -> bool:
    """Whether an element's text is the program's own (a button, a label, a column's head)."""
    return (role or "").lower() in STATIC_ROLES or (tag or "").lower() in STATIC_TAGS


def is_telling_name(name: str) -> bool:
    """Whether a field's id or name means the same wherever it stands as a key.

    Words of every interface (``name``, ``email-subject``) do not, nor ids that a library counts
    (``:r1:``, ``input-12``).
    """
    if _GENERATED.fullmatch(name):
        return False
    words = [word.rstrip("0123456789") for word in readable(name).split() if len(word) >= 3]
    return any(word and word not in INTERFACE_WORDS and word not in _PARTS for word in words)
