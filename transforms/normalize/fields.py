"""What kind of thing an event's target is: a field for text, a list to choose from, a button."""

from __future__ import annotations

from schemas.traces import Target

TEXT_LINE = "text_line"
TEXT_AREA = "text_area"
SELECT = "select"
CHOICE = "choice"
"""Checkbox, radio button, slider, colour, file: a value that isn't typed."""
CONTROL = "control"
"""Button, link, option …: keys operate it."""
PAGE = "page"
"""An element that takes text only if it is editable, which its target doesn't say."""
UNKNOWN = "unknown"

_CHOICES = frozenset(("checkbox", "radio", "range", "color", "file"))
_BUTTONS = frozenset(("button", "submit", "reset", "image"))
_CONTROL_TAGS = frozenset(("button", "a", "option", "summary", "label"))
_CONTROL_ROLES = frozenset(
    """button link option menuitem menuitemcheckbox menuitemradio tab treeitem switch
    checkbox radio slider""".split()
)
_LINE_ROLES = frozenset(("searchbox", "combobox", "spinbutton"))
_PAGE_TAGS = frozenset(
    """article aside body canvas dd details dialog div dl dt fieldset figure footer form h1 h2 h3
    h4 h5 h6 header html iframe img li main nav ol p section span svg table tbody td th thead tr
    ul video""".split()
)


def field_kind(target: Target | None) -> str:
    """Returns which of the kinds above a target is."""
    if target is None:
        return UNKNOWN
    tag = target.tag
    if tag is not None:
        tag = tag.lower()
        if tag == "input":
            kind = target.input_type
            if kind is None:
                return TEXT_LINE
            if kind in _CHOICES:
                return CHOICE
            return CONTROL if kind in _BUTTONS else TEXT_LINE
        if tag == "textarea":
            return TEXT_AREA
        if tag == "select":
            return SELECT
    role = target.role
    if role is not None:
        if role == "textbox":
            return TEXT_AREA
        if role in _LINE_ROLES:
            return TEXT_LINE
        if role in _CONTROL_ROLES:
            return CONTROL
    if tag in _CONTROL_TAGS:
        return CONTROL
    return PAGE if tag in _PAGE_TAGS else UNKNOWN


def is_sent_by_click(target: Target | None) -> bool:
    """Whether a click on the target usually opens another page: a link, a button, a submit."""
    if target is None:
        return False
    return (
        (target.tag or "").lower() in ("a", "button")
        or target.role in ("link", "button")
        or target.input_type in ("submit", "image")
    )
