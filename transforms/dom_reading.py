"""Reads DOM and accessibility snapshots of many kinds into one kind of tree, within limits."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from transforms.dom_fields import bounds_of, field_name
from transforms.dom_tree import (
    KEPT_ATTRIBUTES,
    DomDefect,
    DomNode,
    DomTree,
    folded_blanks,
    implicit_role,
)

MAX_BYTES = 8 << 20
MAX_NODES = 100_000
MAX_DEPTH = 200
MAX_ATTRIBUTES = 5_000
FORMATS = ("xml", "html", "json")
UNSEEN_TAGS = frozenset("script style link meta head noscript template".split())
"""HTML elements whose content nobody sees."""
UNCLOSED_TAGS = frozenset("wbr source track".split())
"""HTML elements without content that libxml2 takes for elements with some: it would put all that
follows into them. A word that may break at a ``wbr`` is one word."""


def parse_dom(data: bytes | str, format: str, max_bytes: int = MAX_BYTES) -> DomTree:
    """Reads a snapshot.

    Args:
        data: the snapshot; bytes may be UTF-8, UTF-16 or what an XML declaration names.
        format: ``xml``, ``html`` or ``json``.
        max_bytes: anything longer is refused unread.

    Raises:
        DomDefect: the snapshot is empty, malformed, too large or too deep, or declares entities.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown snapshot format {format!r}; known: {', '.join(FORMATS)}")
    if len(data) > max_bytes:
        raise DomDefect("dom_too_large", f"{len(data)} bytes; at most {max_bytes} are read")
    text = data if isinstance(data, str) else _decoded(data)
    if not text.strip("\ufeff \t\r\n"):
        raise DomDefect("dom_empty", "the snapshot is empty")
    if format == "json":
        return _from_json(text)
    text = text.lstrip("\ufeff \t\r\n")
    if any(tag[0].count("=") > MAX_ATTRIBUTES for tag in _LONG_TAG.finditer(text)):
        raise DomDefect("dom_too_large", f"an element with more than {MAX_ATTRIBUTES} attributes")
    if format == "html":
        return _from_markup(text, as_html=True)
    # Declared entities are how small files grow into gigabytes or read other files; no recorder
    # needs them.
    if "<!ENTITY" in text or ("<!" in text and "<!ENTITY" in text.upper()):
        raise DomDefect("dom_entities", "the snapshot declares entities")
    try:
        return _from_markup(text, as_html=False)
    except DomDefect as defect:
        # Many recorders save a page's HTML under .xml.
        if defect.code == "dom_syntax" and re.search(r"<(html|body|div)\b", text[:20_000], re.I):
            return _from_markup(text, as_html=True)
        raise


_LONG_TAG = re.compile(r"<[^<>]{65536,}")
_ENCODINGS = frozenset("utf-8 ascii iso8859-1 iso8859-15 cp1252 utf-16 utf-16-le utf-16-be".split())


def _decoded(data: bytes) -> str:
    name = "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    elif data[:4] == b"<\0?\0":
        name = "utf-16-le"
    elif data[:4] == b"\0<\0?":
        name = "utf-16-be"
    elif declared := re.match(rb"\s*<\?xml[^>]{0,200}?encoding=[\"']([\w.-]{1,40})", data):
        name = declared[1].decode("ascii")
    try:
        name = codecs.lookup(name).name
    except LookupError:
        raise DomDefect("dom_encoding", "the declared encoding is unknown") from None
    if name not in _ENCODINGS:
        raise DomDefect("dom_encoding", "the declared encoding is not one that snapshots use")
    try:
        return data.decode("utf-8-sig" if name == "utf-8" else name)
    except UnicodeDecodeError as error:
        raise DomDefect("dom_encoding", f"not {name} at byte {error.start}") from None


class _TreeBuilder:
    """Receives a parser's events and builds nodes, within limits; never holds a second tree."""

    def __init__(self, as_html: bool) -> None:
        self.as_html = as_html
        self.root: DomNode | None = None
        self.path: list[tuple[DomNode, list[str]]] = []
        self.count = 0
        self.unseen = 0
        self.labels: dict[str, DomNode] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self.path) + self.unseen >= MAX_DEPTH:
            raise DomDefect("dom_too_deep", f"nested more than {MAX_DEPTH} levels")
        self.count += 1
        if self.count > MAX_NODES:
            raise DomDefect("dom_too_large", f"more than {MAX_NODES} elements")
        name = tag.rpartition("}")[2]
        if self.as_html and name in UNCLOSED_TAGS:
            return
        if self.unseen or (self.as_html and name in UNSEEN_TAGS):
            self.unseen += 1
            return
        fields = {field_name(key): value for key, value in attributes.items()}
        node = _node(fields, name, self.as_html)
        if name == "label" and "for" in fields:
            self.labels.setdefault(fields["for"], node)
        if self.path:
            parent, said = self.path[-1]
            parent.children.append(node)
            said.append(" ")
        elif self.root is None:
            self.root = node
        self.path.append((node, []))

    def data(self, text: str) -> None:
        if self.path and not self.unseen:
            self.path[-1][1].append(text)

    def comment(self, text: str) -> None:
        pass

    def pi(self, target: str, data: str | None = None) -> None:
        pass

    def end(self, tag: str) -> None:
        if self.as_html and tag in UNCLOSED_TAGS:
            return
        if self.unseen:
            self.unseen -= 1
            return
        if not self.path:
            return
        node, parts = self.path.pop()
        if parts:
            text = "".join(parts)
            said = folded_blanks(text)
            if node.tag == "textarea" and self.as_html:
                node.value = node.value or text or None
            elif said:
                node.text = f"{node.text} {said}" if node.text else said

    def close(self) -> DomNode | None:
        if self.labels and self.root is not None:
            for node in DomTree(self.root).iter():
                label = self.labels.get(node.id or "")
                if label is not None and node.role:
                    node.attributes.setdefault("label", label.inner_text())
                    node.attributes = dict(sorted(node.attributes.items()))
        return self.root


def _from_markup(text: str, as_html: bool) -> DomTree:
    from lxml import etree

    builder = _TreeBuilder(as_html)
    if as_html:
        parser = etree.HTMLParser(target=builder, no_network=True, encoding="utf-8")
    else:
        parser = etree.XMLParser(
            target=builder,
            resolve_entities="internal",  # none is declared: only &amp; and its like
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            encoding="utf-8",
        )
    try:
        data = text.encode("utf-8", "replace")
        for start in range(0, len(data), 1 << 16):
            parser.feed(data[start : start + (1 << 16)])
        root = parser.close()
    except etree.LxmlError:
        raise DomDefect("dom_syntax", "not well-formed") from None
    if root is None:
        raise DomDefect("dom_empty", "the snapshot has no element")
    return DomTree(root)


def _from_json(text: str) -> DomTree:
    import orjson

    data = text.encode("utf-8", "replace").removeprefix(codecs.BOM_UTF8)
    if _nested(data) > 2 * MAX_DEPTH:
        raise DomDefect("dom_too_deep", f"nested more than {MAX_DEPTH} levels")
    if data.count(b"{") + data.count(b"[") > 4 * MAX_NODES or data.count(b",") > 15 * MAX_NODES:
        raise DomDefect("dom_too_large", f"more than {MAX_NODES} elements")
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DomDefect("dom_syntax", f"not JSON at character {error.pos}") from None
    del data
    if isinstance(raw, list):
        raw = {"children": raw}
    if not isinstance(raw, dict):
        raise DomDefect("dom_syntax", "neither an object nor a list of objects")
    fields = _json_fields(raw)
    if "children" not in fields and isinstance(raw.get("root") or raw.get("tree"), dict):
        raw = raw.get("root") or raw["tree"]
        fields = _json_fields(raw)
    root = _node(fields, None, as_html=False)
    waiting = deque([(root, fields.get("children"), 1)])
    count = 1
    while waiting:
        node, children, depth = waiting.popleft()
        if isinstance(children, dict):
            children = [children]
        if not isinstance(children, list):
            continue
        if depth >= MAX_DEPTH:
            raise DomDefect("dom_too_deep", f"nested more than {MAX_DEPTH} levels")
        for child in children:
            if isinstance(child, str):
                node.text = (
                    f"{node.text} {folded_blanks(child)}" if node.text else folded_blanks(child)
                )
            if not isinstance(child, dict):
                continue
            count += 1
            if count > MAX_NODES:
                raise DomDefect("dom_too_large", f"more than {MAX_NODES} elements")
            fields = _json_fields(child)
            made = _node(fields, None, as_html=False)
            node.children.append(made)
            waiting.append((made, fields.get("children"), depth + 1))
    return DomTree(root)


def _nested(data: bytes) -> int:
    """How deep brackets nest, strings aside; parsers of JSON recurse, so this is asked first."""
    deepest = depth = 0
    for match in _JSON_MARKS.finditer(data):
        mark = match[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > 2 * MAX_DEPTH:
                    break
        elif mark in (b"]", b"}"):
            depth -= 1
    return deepest


_JSON_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.S)


def _json_fields(raw: dict[str, Any]) -> dict[str, Any]:
    return {field_name(key): value for key, value in raw.items() if value is not None}


def _string(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("value")  # the accessibility trees of Chrome's protocol
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def _node(fields: Mapping[str, Any], tag: str | None, as_html: bool) -> DomNode:
    said_tag = _string(fields.get("tag"))
    if said_tag or tag is None or tag.lower() == "node":
        tag = said_tag or _string(fields.get("class")) or (tag and tag.lower())
    input_type = _string(fields.get("input_type"))
    if tag is None:
        tag, input_type = input_type, None  # accessibility trees call their tag "type"
    if tag is not None:
        tag = tag.removeprefix("ControlType.")
        if as_html or tag.isupper():
            tag = tag.lower()
    if tag not in ("input", "button"):
        input_type = None
    if any((_string(fields.get(said)) or "").lower() == "true" for said in _SAYS_PASSWORD):
        input_type = "password"
    name = _string(fields.get("aria_label"))
    attributes = {}
    if as_html:
        form_name = _string(fields.get("name"))
        if form_name:
            attributes["form_name"] = form_name
    else:
        name = name or _string(fields.get("name"))
    for key in fields.keys() & _KEPT:
        value = _string(fields[key])
        if value is not None:
            attributes[key] = value
        elif as_html and fields[key] == "":
            attributes[key] = "true"
    if len(attributes) > 1:
        attributes = dict(sorted(attributes.items()))
    role = _string(fields.get("role"))
    return DomNode(
        tag=tag,
        id=_string(fields.get("id")),
        role=role.lower() if role else implicit_role(tag, input_type),
        name=name,
        text=folded_blanks(_string(fields.get("text")) or "") or None,
        value=_string(fields.get("value")),
        input_type=input_type,
        autocomplete=_string(fields.get("autocomplete")),
        bounds=bounds_of(fields),
        attributes=attributes,
    )


_KEPT = frozenset(KEPT_ATTRIBUTES)
_SAYS_PASSWORD = ("password", "ispassword")
"""Flags of Android and of UI Automation: what is typed there is not shown."""
