"""Which fields, keys and headers hold nothing but something sensitive, whatever it looks like.

A field is known by what it is (type, role, autocomplete) or by what people call it (name, id,
label, placeholder); JSON, forms and queries by their keys. A field that was a password once in a
session stays one, so that "show password" does not make it a text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from schemas.traces import Target
from transforms.privacy.config import FieldRule, ScrubberConfig

EDITABLE_TAGS = frozenset(("input", "textarea", "select"))
EDITABLE_ROLES = frozenset(
    """textbox searchbox combobox spinbutton entry edit textfield textarea passwordtext password
    securetextfield axtextfield axtextarea axsecuretextfield axcombobox axsearchfield edittext
    autocompletetextview multiautocompletetextview""".split()
)
UNTYPED_INPUTS = frozenset("checkbox radio button submit reset image file range color".split())
"""Inputs that hold no text of a person."""

SEARCH_ENTITIES = frozenset(("EMAIL", "PHONE", "PERSON", "USERNAME", "ADDRESS"))
"""What a search box is asked for is found in its text; its label says only what can be searched."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\s_\-.:/\[\]*]+")
_BULLETS = re.compile(r"[•●∙·*⬤◦\u2217\uf0b7]{3,}")


@functools.lru_cache(8192)
def readable(name: str) -> str:
    """Returns a name as words: ``cardNumber``, ``card_number`` → ``card number``."""
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", name)).strip().lower()


@functools.lru_cache(4096)
def plain_role(role: str) -> str:
    """Returns a role or class without blanks and case, and without what its toolkit puts before.

    ``android.widget.EditText`` → ``edittext``, ``XCUIElementTypeTextField`` → ``textfield``
    """
    role = role.rpartition(".")[2].lower().replace(" ", "").replace("_", "")
    return role.removeprefix("xcuielementtype")


def is_bullets(value: str | None) -> bool:
    """Whether a value is what a masked field shows."""
    return value is not None and _BULLETS.fullmatch(value) is not None


class FieldRules:
    """The field rules of a configuration, asked for one field, key or header at a time."""

    def __init__(self, config: ScrubberConfig) -> None:
        self.rules = tuple(
            rule
            for rule in config.fields
            if rule.entity == "keep" or rule.entity in config.entities
        )
        self._roles = EDITABLE_ROLES.union(*(rule.role for rule in self.rules))
        self._kind_of = functools.lru_cache(4096)(self._find_kind)
        self._of_key = functools.lru_cache(16384)(self._find_key)
        self._of_field = functools.lru_cache(16384)(self._find_field)

    def of_target(self, target: Target | None) -> str | None:
        """Returns the entity that the field behind a target holds, None for an ordinary one."""
        if target is None:
            return None
        return self.of_field(
            tag=target.tag,
            role=target.role,
            input_type=target.input_type,
            autocomplete=target.autocomplete,
            hints=(target.name, target.id, target.label),
        )

    def of_field(
        self,
        *,
        tag: str | None = None,
        role: str | None = None,
        input_type: str | None = None,
        autocomplete: str | None = None,
        hints: Iterable[str | None] = (),
        value: str | None = None,
    ) -> str | None:
        """Returns the entity that a field of these properties holds, None for an ordinary one.

        Args:
            hints: what the field is called: name, id, label, placeholder.
            value: what it shows; nothing but bullets makes it a password.
        """
        tag, role, ordinary = self._kind_of(tag, role)
        if ordinary and not input_type and not autocomplete:  # nearly every node of a page
            return "PASSWORD" if not tag and is_bullets(value) else None
        input_type = (input_type or "").lower()
        if input_type in UNTYPED_INPUTS:
            return None
        editable = tag in EDITABLE_TAGS or role in EDITABLE_ROLES or bool(input_type)
        if is_bullets(value) and (editable or not tag):
            return "PASSWORD"
        return self._of_field(
            editable,
            role,
            input_type,
            (autocomplete or "").lower(),
            tuple(readable(hint) for hint in hints if hint),
        )

    def _find_kind(self, tag: str | None, role: str | None) -> tuple[str, str, bool]:
        """Tag and role as rules know them, and whether nothing is typed into such an element."""
        tag, role = (tag or "").lower(), plain_role(role or "")
        if tag and tag not in EDITABLE_TAGS and plain_role(tag) in self._roles:
            role = plain_role(tag)
        return tag, role, tag not in EDITABLE_TAGS and role not in self._roles

    def _find_field(
        self, editable: bool, role: str, input_type: str, autocomplete: str, hints: tuple[str, ...]
    ) -> str | None:
        tokens = autocomplete.split()
        for rule in self.rules:
            if input_type in rule.input_type or role in rule.role:
                return _entity(rule)
            if any(token in rule.autocomplete for token in tokens):
                return _entity(rule)
        if not editable:
            return None
        searches = input_type == "search" or role in ("searchbox", "axsearchfield")
        for hint in hints:
            for rule in self.rules:
                if searches and rule.entity in SEARCH_ENTITIES:
                    continue
                if rule.hint is not None and rule.hint.search(hint):
                    return _entity(rule)
        return None

    def of_key(self, key: str) -> str | None:
        """Returns the entity that the value under a key of JSON, form, query or cookie is."""
        return self._of_key(key) if len(key) <= 128 else None

    def _find_key(self, key: str) -> str | None:
        words = readable(key)
        for rule in self.rules:
            if rule.key is not None and rule.key.fullmatch(words):
                return _entity(rule)
        return None

    def of_header(self, name: str) -> str | None:
        """Returns the entity that the value of a header is, None for an ordinary one."""
        name = name.strip().lower()
        for rule in self.rules:
            if rule.header is not None and rule.header.fullmatch(name):
                return _entity(rule)
        return None


def _entity(rule: FieldRule) -> str | None:
    return None if rule.entity == "keep" else rule.entity


def field_keys(
    url: str | None,
    tab: str | None,
    *,
    id: str | None = None,
    name: str | None = None,
    selector: str | None = None,
    label: str | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Returns what one field is recognised by on its page, whatever its type is at the moment.

    A page is its address without query and fragment (the tab where there is none).
    """
    page = (url or "").split("#", 1)[0].split("?", 1)[0] or f"tab {tab or ''}"
    named = (("id", id), ("name", name), ("selector", selector), ("label", label))
    return tuple((page, kind, value) for kind, value in named if value)
