"""Writes trees so that equal trees give equal texts, which `parse_dom` reads back."""

from __future__ import annotations

import html
import re
from typing import Any

from transforms.dom_reading import FORMATS, UNSEEN_TAGS
from transforms.dom_tree import DomNode, DomTree

_VOID_TAGS = frozenset("area base br col embed hr img input link meta source track wbr".split())


def _shown(node: DomNode) -> dict[str, Any]:
    """The fields of a node that are set, in the order in which they are written."""
    fields: dict[str, Any] = {
        "tag": node.tag,
        "id": node.id,
        "role": node.role,
        "name": node.name,
        "text": node.text,
        "value": node.value,
        "input_type": node.input_type,
        "autocomplete": node.autocomplete,
        **dict(sorted(node.attributes.items())),
    }
    fields = {key: value for key, value in fields.items() if value is not None}
    if node.bounds is not None:
        fields["bounds"] = [int(n) if n == int(n) else round(n, 3) for n in node.bounds]
    return fields


def to_text(tree: DomTree, format: str = "json") -> str:
    """Writes a tree so that equal trees give equal texts; `parse_dom` reads it back."""
    if format == "json":
        return _json(tree)
    if format not in FORMATS:
        raise ValueError(f"unknown snapshot format {format!r}; known: {', '.join(FORMATS)}")
    parts: list[str] = []
    stack: list[DomNode | str] = [tree.root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        opening, said, closing = _markup(node, format)
        parts.append(opening)
        parts.append(said)
        stack.append(closing)
        stack.extend(reversed(node.children))
    return "".join(parts)


def _json(tree: DomTree) -> str:
    """Written piece by piece: encoders recurse, and trees may be deeper than they like."""
    import orjson

    parts: list[str] = []
    stack: list[DomNode | str] = [tree.root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        fields = orjson.dumps(_shown(node)).decode("utf-8")
        if not node.children:
            parts.append(fields)
            continue
        comma = "," if len(fields) > 2 else ""
        parts.append(f'{fields[:-1]}{comma}"children":[')
        stack.append("]}")
        for place in range(len(node.children) - 1, -1, -1):
            stack.append(node.children[place])
            if place:
                stack.append(",")
    return "".join(parts)


_XML_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _markup(node: DomNode, format: str) -> tuple[str, str, str]:
    fields = _shown(node)
    tag = node.tag or ""
    named = bool(_XML_NAME.fullmatch(tag)) and tag.lower() not in ("node", *UNSEEN_TAGS)
    if named:
        del fields["tag"]
    else:
        tag = "node"
    said = fields.pop("text", "")
    if format == "html":
        if "name" in fields:
            fields["aria-label"] = fields.pop("name")
        if "form_name" in fields:
            fields["name"] = fields.pop("form_name")
        if "input_type" in fields:
            fields["type"] = fields.pop("input_type")
        if "label" in fields:
            fields["data-label"] = fields.pop("label")
        if "bounds" in fields:
            fields["data-bounds"] = fields.pop("bounds")
    if "data-bounds" in fields or "bounds" in fields:
        key = "bounds" if "bounds" in fields else "data-bounds"
        fields[key] = ",".join(f"{n}" for n in fields[key])
    pairs = "".join(f' {key}="{_escaped(value)}"' for key, value in fields.items())
    if format == "html" and tag in _VOID_TAGS and not node.children and not said:
        return f"<{tag}{pairs}>", "", ""
    if not said and not node.children and format == "xml":
        return f"<{tag}{pairs}/>", "", ""
    return f"<{tag}{pairs}>", _escaped(said), f"</{tag}>"


def _escaped(text: str) -> str:
    escaped = html.escape(_NOT_XML.sub("\ufffd", text), quote=True)
    # Attribute values lose line breaks and tabs unless they are written as references.
    return escaped.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
