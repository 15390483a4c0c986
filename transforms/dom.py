"""DOM and accessibility snapshots as one kind of tree, whatever a recorder wrote.

HTML, XML (generic, Android, Windows UI Automation, AT-SPI) and JSON become `DomNode`s with a role,
a name and bounds. Snapshots come from outside: parsing is bounded in bytes, nodes and depth,
entities and the network are off, and every refusal is a typed `DomDefect` that holds no text of
the snapshot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from transforms.dom_reading import FORMATS, MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_dom
from transforms.dom_tree import (
    INTERACTIVE_ROLES,
    TEXT_ATTRIBUTES,
    DomDefect,
    DomNode,
    DomTree,
    implicit_role,
)
from transforms.dom_writing import to_text

__all__ = [
    "FORMATS",
    "INTERACTIVE_ROLES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "DomDefect",
    "DomNode",
    "DomTree",
    "implicit_role",
    "map_dom_text",
    "parse_dom",
    "to_text",
]


def map_dom_text(tree: DomTree, redact: Callable[[str, str], str]) -> DomTree:
    """Returns a copy in which every text a person may have written went through ``redact``.

    ``redact`` gets the text and its kind: ``name``, ``text``, ``value``, ``password`` (the value
    of a password field), ``label``, ``alt``, ``placeholder``, ``title`` or ``url``. Tags, ids,
    roles and types stay as they are.
    """

    def rewritten(text: str | None, kind: str) -> str | None:
        return redact(text, kind) if text else text

    def copied(node: DomNode) -> DomNode:
        secret = node.input_type == "password"
        return DomNode(
            tag=node.tag,
            id=node.id,
            role=node.role,
            name=rewritten(node.name, "name"),
            text=rewritten(node.text, "text"),
            value=rewritten(node.value, "password" if secret else "value"),
            input_type=node.input_type,
            autocomplete=node.autocomplete,
            bounds=node.bounds,
            attributes={
                key: redact(value, TEXT_ATTRIBUTES[key]) if key in TEXT_ATTRIBUTES else value
                for key, value in node.attributes.items()
            },
        )

    root = copied(tree.root)
    waiting = deque([(tree.root, root)])
    while waiting:
        old, new = waiting.popleft()
        for child in old.children:
            made = copied(child)
            new.children.append(made)
            waiting.append((child, made))
    return DomTree(root)
