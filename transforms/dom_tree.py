"""The tree that DOM and accessibility snapshots become: nodes, roles, names, hit tests."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.traces import Bounds

MAX_NAME = 200
"""Characters of an accessible name that is made of the text below a node."""

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
        return folded_blanks(" ".join(parts))[:limit]

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
        return folded_blanks(found or "")[:MAX_NAME] or None


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
        """The tree as text, the same for equal trees."""
        from transforms.dom_writing import to_text

        return to_text(self, format)


def implicit_role(tag: str | None, input_type: str | None = None) -> str | None:
    """The role an element has by its tag (HTML-AAM), or by its class in desktop trees."""
    if not tag:
        return None
    if tag == "input":
        return _INPUT_ROLES.get(input_type or "text", "textbox")
    name = tag.rpartition(".")[2].lower().replace("-", "").replace("_", "").replace(" ", "")
    return _TAG_ROLES.get(name) or _TAG_ROLES.get(name.removesuffix("control"))


def folded_blanks(text: str) -> str:
    """The text with every run of blanks as one space, none at its ends."""
    return " ".join(text.split())


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() == "true"
