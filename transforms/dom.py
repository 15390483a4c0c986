"""DOM and accessibility snapshots as one kind of tree, whatever a recorder wrote.

HTML, XML (generic, Android, Windows UI Automation, AT-SPI) and JSON become `DomNode`s with a role,
a name and bounds. Snapshots come from outside: parsing is bounded in bytes, nodes and depth,
entities and the network are off, and every refusal is a typed `DomDefect` that holds no text of
the snapshot.
"""

from __future__ import annotations

import codecs
import html
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.traces import Bounds

MAX_BYTES = 8 << 20
MAX_NODES = 100_000
MAX_DEPTH = 200
MAX_NAME = 200
"""Characters of an accessible name that is made of the text below a node."""

FORMATS = ("xml", "html", "json")

KEPT_ATTRIBUTES = (
    "alt",
    "checked",
    "clickable",
    "contenteditable",
    "draggable",
    "focused",
    "form_name",
    "href",
    "label",
    "multiline",
    "placeholder",
    "selected",
    "title",
)
"""All other attributes are left out: nobody reads them, and they may hold anything."""

TEXT_ATTRIBUTES = {
    "alt": "alt",
    "form_name": "label",
    "href": "url",
    "label": "label",
    "placeholder": "placeholder",
    "title": "title",
}
"""Kept attributes that hold a person's text, and the kind under which they are redacted."""

INTERACTIVE_ROLES = frozenset(
    """button link textbox searchbox checkbox radio combobox listbox option menuitem
    menuitemcheckbox menuitemradio tab slider spinbutton switch treeitem""".split()
)
OVERLAY_ROLES = frozenset("dialog alertdialog menu listbox tooltip".split())

_TAG_ROLES = {
    "a": "link",
    "article": "article",
    "button": "button",
    "dialog": "dialog",
    "fieldset": "group",
    "footer": "contentinfo",
    "form": "form",
    "h1": "heading",
    "h2": "heading",
    "h3": "heading",
    "h4": "heading",
    "h5": "heading",
    "h6": "heading",
    "header": "banner",
    "img": "img",
    "li": "listitem",
    "main": "main",
    "nav": "navigation",
    "ol": "list",
    "option": "option",
    "progress": "progressbar",
    "section": "region",
    "select": "combobox",
    "summary": "button",
    "table": "table",
    "td": "cell",
    "textarea": "textbox",
    "th": "columnheader",
    "tr": "row",
    "ul": "list",
    # Accessibility interfaces of desktops and phones; the part after the last dot, folded.
    "checkbox": "checkbox",
    "combobox": "combobox",
    "document": "document",
    "edit": "textbox",
    "edittext": "textbox",
    "entry": "textbox",
    "hyperlink": "link",
    "image": "img",
    "imagebutton": "button",
    "imageview": "img",
    "label": None,
    "listitem": "listitem",
    "menuitem": "menuitem",
    "pushbutton": "button",
    "radiobutton": "radio",
    "slider": "slider",
    "spinner": "combobox",
    "splitbutton": "button",
    "switch": "switch",
    "tabitem": "tab",
    "textfield": "textbox",
    "togglebutton": "button",
    "treeitem": "treeitem",
}
_INPUT_ROLES = {
    "button": "button",
    "checkbox": "checkbox",
    "image": "button",
    "number": "spinbutton",
    "radio": "radio",
    "range": "slider",
    "reset": "button",
    "search": "searchbox",
    "submit": "button",
}
_NAMED_BY_CONTENT = INTERACTIVE_ROLES - {"textbox", "searchbox", "combobox", "listbox", "slider"}
_VOID_TAGS = frozenset("area base br col embed hr img input link meta source track wbr".split())
_UNSEEN_TAGS = frozenset("script style link meta head noscript template".split())


class DomDefect(Exception):
    """A snapshot that cannot be read; ``code`` says why and nothing repeats its text.

    Codes: ``dom_empty``, ``dom_too_large``, ``dom_too_deep``, ``dom_entities``,
    ``dom_encoding``, ``dom_syntax``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class DomNode:
    """One element: what it is, what it says and where it lies (CSS pixels of the viewport)."""

    __slots__ = (
        "attributes",
        "autocomplete",
        "bounds",
        "children",
        "id",
        "input_type",
        "name",
        "role",
        "tag",
        "text",
        "value",
    )

    def __init__(
        self,
        tag: str | None = None,
        id: str | None = None,
        role: str | None = None,
        name: str | None = None,
        text: str | None = None,
        value: str | None = None,
        input_type: str | None = None,
        autocomplete: str | None = None,
        bounds: Bounds | None = None,
        attributes: dict[str, str] | None = None,
        children: list[DomNode] | None = None,
    ) -> None:
        self.tag = tag
        self.id = id
        self.role = role
        self.name = name
        self.text = text
        self.value = value
        self.input_type = input_type
        self.autocomplete = autocomplete
        self.bounds = bounds
        self.attributes = attributes or {}
        self.children = children if children is not None else []

    @property
    def interactive(self) -> bool:
        """Whether a person can act on this element itself."""
        if self.role in INTERACTIVE_ROLES:
            return True
        attributes = self.attributes
        return bool(attributes) and (
            _is_true(attributes.get("clickable"))
            or _is_true(attributes.get("draggable"))
            or attributes.get("contenteditable", "false").lower() not in ("false", "inherit")
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether the point lies within the bounds (right and bottom edges are outside)."""
        box = self.bounds
        return box is not None and (box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3])

    def inner_text(self, limit: int = MAX_NAME) -> str:
        """The text of this node and all below it, blanks folded, cut to ``limit`` characters."""
        parts: list[str] = []
        length = 0
        stack = [self]
        while stack and length <= limit:
            node = stack.pop()
            said = node.text or (node.name if node is not self else None)
            if said:
                parts.append(said)
                length += len(said) + 1
            stack.extend(reversed(node.children))
        return _folded(" ".join(parts))[:limit]

    @property
    def accessible_name(self) -> str | None:
        """Label, aria-label, text, alt, placeholder, title: the first there is.

        A shortened form of the W3C's *Accessible Name and Description Computation*.
        """
        attributes = self.attributes
        found = attributes.get("label") or self.name
        if not found and (self.role in _NAMED_BY_CONTENT or not self.role):
            found = self.inner_text()
        if not found and self.role == "button":
            found = self.value
        if not found:
            found = (
                attributes.get("alt") or attributes.get("placeholder") or attributes.get("title")
            )
        return _folded(found or "")[:MAX_NAME] or None


class DomTree:
    """A parsed snapshot."""

    __slots__ = ("root",)

    def __init__(self, root: DomNode) -> None:
        self.root = root

    def iter(self) -> Iterator[DomNode]:
        """Yields every node in document order."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def by_id(self, id: str) -> DomNode | None:
        """The first node with this id."""
        return next((node for node in self.iter() if node.id == id), None)

    def hit_test(self, x: float, y: float) -> DomNode | None:
        """The element that takes a click at a point.

        Later elements are painted over earlier ones, so the search starts at the end: the first
        element under the point that is interactive, or lies in one, answers, unless an overlay (a
        dialog, a menu) covers what is below. Of nested interactive ones the innermost wins.
        Without any the innermost element under the point is returned.
        """
        order: list[tuple[DomNode, int]] = []
        stack: list[tuple[DomNode, int]] = [(self.root, -1)]
        while stack:
            node, parent = stack.pop()
            place = len(order)
            order.append((node, parent))
            stack.extend((child, place) for child in reversed(node.children))
        topmost = None
        for node, parent in reversed(order):
            if not node.contains(x, y):
                continue
            covered = False
            current: DomNode | None = node
            while current is not None:
                if current.interactive and (current.bounds is None or current.contains(x, y)):
                    return current
                covered = covered or current.role in OVERLAY_ROLES
                current, parent = order[parent] if parent >= 0 else (None, -1)
            topmost = topmost or node
            if covered:
                return topmost
        return topmost

    def serialise(self, format: str = "json") -> str:
        """The same as `to_text`."""
        return to_text(self, format)


def implicit_role(tag: str | None, input_type: str | None = None) -> str | None:
    """The role an element has by its tag (HTML-AAM), or by its class in desktop trees."""
    if not tag:
        return None
    if tag == "input":
        return _INPUT_ROLES.get(input_type or "text", "textbox")
    name = tag.rpartition(".")[2].lower().replace("-", "").replace("_", "").replace(" ", "")
    return _TAG_ROLES.get(name) or _TAG_ROLES.get(name.removesuffix("control"))


def _folded(text: str) -> str:
    return " ".join(text.split())


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() == "true"


# Reading ---------------------------------------------------------------------------------------


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
    text = text.lstrip("\ufeff \t\r\n")
    if not text:
        raise DomDefect("dom_empty", "the snapshot is empty")
    if format == "json":
        return _from_json(text)
    if format == "html":
        return _from_markup(text, as_html=True)
    # Declared entities are how small files grow into gigabytes or read other files; no recorder
    # needs them.
    if "<!ENTITY" in text.upper() if "<!" in text else False:
        raise DomDefect("dom_entities", "the snapshot declares entities")
    try:
        return _from_markup(text, as_html=False)
    except DomDefect as defect:
        # Many recorders save a page's HTML under .xml.
        if defect.code == "dom_syntax" and re.search(r"<(html|body|div)\b", text[:20_000], re.I):
            return _from_markup(text, as_html=True)
        raise


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
        if self.unseen or (self.as_html and name in _UNSEEN_TAGS):
            self.unseen += 1
            return
        fields = {_field_name(key): value for key, value in attributes.items()}
        node = _node(fields, name, self.as_html)
        if name == "label" and "for" in fields:
            self.labels.setdefault(fields["for"], node)
        if self.path:
            self.path[-1][0].children.append(node)
        elif self.root is None:
            self.root = node
        self.path.append((node, []))

    def data(self, text: str) -> None:
        if self.path and not self.unseen and not text.isspace():
            self.path[-1][1].append(text)

    def comment(self, text: str) -> None:
        pass

    def pi(self, target: str, data: str | None = None) -> None:
        pass

    def end(self, tag: str) -> None:
        if self.unseen:
            self.unseen -= 1
            return
        if not self.path:
            return
        node, parts = self.path.pop()
        if parts:
            said = _folded(" ".join(parts))
            if node.tag == "textarea" and self.as_html:
                node.value = node.value or "".join(parts)
            elif said:
                node.text = f"{node.text} {said}" if node.text else said

    def close(self) -> DomNode | None:
        for node in _below(self.root) if self.labels and self.root else ():
            label = self.labels.get(node.id or "")
            if label is not None and node.role:
                node.attributes.setdefault("label", label.inner_text())
        return self.root


def _below(root: DomNode) -> Iterator[DomNode]:
    return DomTree(root).iter()


def _from_markup(text: str, as_html: bool) -> DomTree:
    from lxml import etree

    builder = _TreeBuilder(as_html)
    if as_html:
        parser = etree.HTMLParser(target=builder, no_network=True, encoding="utf-8")
    else:
        parser = etree.XMLParser(
            target=builder,
            resolve_entities=False,
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

    if _nested(text) > 2 * MAX_DEPTH:
        raise DomDefect("dom_too_deep", f"nested more than {MAX_DEPTH} levels")
    if text.count("{") > 4 * MAX_NODES or text.count(",") > 30 * MAX_NODES:
        raise DomDefect("dom_too_large", f"more than {MAX_NODES} elements")
    try:
        raw = orjson.loads(text.encode("utf-8", "replace"))
    except orjson.JSONDecodeError as error:
        raise DomDefect("dom_syntax", f"not JSON at character {error.pos}") from None
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
                node.text = f"{node.text} {_folded(child)}" if node.text else _folded(child)
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


def _nested(text: str) -> int:
    """How deep brackets nest, strings aside; parsers of JSON recurse, so this is asked first."""
    deepest = depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.S):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > 2 * MAX_DEPTH:
                    break
        elif mark in "]}":
            depth -= 1
    return deepest


def _json_fields(raw: dict[str, Any]) -> dict[str, Any]:
    return {_field_name(key): value for key, value in raw.items() if value is not None}


_field_names: dict[str, str] = {}


def _field_name(key: str) -> str:
    """Folds the names that different recorders give one field into one."""
    known = _field_names.get(key)
    if known is None:
        folded = key.rpartition("}")[2].lower().removeprefix("data-")
        folded = folded.replace("-", "").replace("_", "").replace(" ", "")
        known = _FIELDS.get(folded, folded)
        if len(_field_names) < 10_000:
            _field_names[key] = known
    return known


_FIELDS = {
    "tagname": "tag",
    "nodename": "tag",
    "controltype": "tag",
    "class": "class",
    "classname": "class",
    "type": "input_type",
    "inputtype": "input_type",
    "automationid": "id",
    "elementid": "id",
    "resourceid": "id",
    "ariarole": "role",
    "arialabel": "aria_label",
    "contentdesc": "aria_label",
    "contentdescription": "aria_label",
    "accessiblename": "aria_label",
    "innertext": "text",
    "textcontent": "text",
    "content": "text",
    "boundingrectangle": "bounds",
    "boundingbox": "bounds",
    "bbox": "bounds",
    "bboxpixels": "bounds",
    "rect": "bounds",
    "rectangle": "bounds",
    "childnodes": "children",
    "nodes": "children",
    "hint": "placeholder",
    "tooltip": "title",
    "formname": "form_name",
    "ariamultiline": "multiline",
}


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
    if tag and (as_html or tag.isupper()):
        tag = tag.lower()
    if tag and tag.startswith("ControlType."):
        tag = tag.removeprefix("ControlType.")
    input_type = _string(fields.get("input_type"))
    if tag not in ("input", "button") and input_type and tag is None:
        tag, input_type = input_type, None
    if input_type and tag not in ("input", None) and "inputtype" not in fields:
        input_type = input_type if tag == "input" else None
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
        text=_folded(_string(fields.get("text")) or "") or None,
        value=_string(fields.get("value")),
        input_type=input_type,
        autocomplete=_string(fields.get("autocomplete")),
        bounds=_bounds(fields),
        attributes=attributes,
    )


_KEPT = frozenset(KEPT_ATTRIBUTES)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_CORNERS = re.compile(r"^\s*\[\s*-?[\d.]+\s*,\s*-?[\d.]+\s*\]\s*\[")
_LABELLED = re.compile(r"^\s*\(?\s*L\s*-?\d", re.I)


def _bounds(fields: Mapping[str, Any]) -> Bounds | None:
    """Reads the ways in which trees say where an element lies, as x, y, width, height."""
    raw = fields.get("bounds")
    if raw is None:
        if "screencoord" in fields and "size" in fields:
            return _box(_numbers(fields["screencoord"]) + _numbers(fields["size"]))
        if "x" in fields and "y" in fields:
            return _box(_numbers([fields[k] for k in ("x", "y")]) + _extent(fields))
        if "left" in fields and "top" in fields:
            raw = fields
    if isinstance(raw, Mapping):
        box = {_field_name(str(key)): value for key, value in raw.items()}
        for left, top, right, bottom in (
            ("left", "top", "right", "bottom"),
            ("xmin", "ymin", "xmax", "ymax"),
            ("l", "t", "r", "b"),
        ):
            if left in box and right in box and top in box and bottom in box:
                return _between(_numbers([box[left], box[top], box[right], box[bottom]]))
        return _box(
            _numbers([box.get("x", box.get("left")), box.get("y", box.get("top"))]) + _extent(box)
        )
    if isinstance(raw, str):
        numbers = _numbers(raw)
        if _CORNERS.match(raw) or _LABELLED.match(raw):
            return _between(numbers)
        return _box(numbers)
    if isinstance(raw, list | tuple):
        return _box(_numbers(raw))
    return None


def _extent(fields: Mapping[str, Any]) -> list[float]:
    return _numbers([fields.get("width", fields.get("w")), fields.get("height", fields.get("h"))])


def _numbers(raw: Any) -> list[float]:
    if isinstance(raw, str):
        return [float(n) for n in _NUMBER.findall(raw[:200])]
    found = []
    for value in raw if isinstance(raw, list | tuple) else ():
        if isinstance(value, str) and _NUMBER.fullmatch(value.removesuffix("px")):
            value = float(value.removesuffix("px"))
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(float(value))
    return found


def _box(numbers: list[float]) -> Bounds | None:
    if len(numbers) != 4 or not all(math.isfinite(n) and abs(n) < 1e7 for n in numbers):
        return None
    return (numbers[0], numbers[1], max(numbers[2], 0.0), max(numbers[3], 0.0))


def _between(numbers: list[float]) -> Bounds | None:
    if len(numbers) != 4:
        return None
    left, top, right, bottom = numbers
    return _box([left, top, right - left, bottom - top])


# Rewriting and writing -------------------------------------------------------------------------


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
        **node.attributes,
    }
    fields = {key: value for key, value in fields.items() if value is not None}
    if node.bounds is not None:
        fields["bounds"] = [int(n) if n == int(n) else round(n, 3) for n in node.bounds]
    return fields


def to_text(tree: DomTree, format: str = "json") -> str:
    """Writes a tree so that equal trees give equal texts; `parse_dom` reads it back."""
    if format == "json":
        import orjson

        root = _shown(tree.root)
        waiting = deque([(tree.root, root)])
        while waiting:
            node, shown = waiting.popleft()
            if node.children:
                shown["children"] = [_shown(child) for child in node.children]
                waiting.extend(zip(node.children, shown["children"]))
        return orjson.dumps(root).decode("utf-8")
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


_XML_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _markup(node: DomNode, format: str) -> tuple[str, str, str]:
    fields = _shown(node)
    tag = node.tag or ""
    named = bool(_XML_NAME.fullmatch(tag)) and tag.lower() not in ("node", *_UNSEEN_TAGS)
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
    if format == "html" and tag in _VOID_TAGS and not node.children:
        return f"<{tag}{pairs}>", "", ""
    if not said and not node.children and format == "xml":
        return f"<{tag}{pairs}/>", "", ""
    return f"<{tag}{pairs}>", _escaped(said), f"</{tag}>"


def _escaped(text: str) -> str:
    escaped = html.escape(_NOT_XML.sub("\ufffd", text), quote=True)
    # Attribute values lose line breaks and tabs unless they are written as references.
    return escaped.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
