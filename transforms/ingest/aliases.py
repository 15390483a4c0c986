"""The one table of other names for event types, fields, buttons and keys.

Names are compared folded: lower case, letters and digits only (``key_down``, ``keyDown`` and
``KEY-DOWN`` are one). Canonical names are those of W3C UI Events, Pointer Events and HTML.
"""

from __future__ import annotations

from itertools import permutations

from schemas.traces import EVENT_TYPES


def fold(name: str) -> str:
    """Returns a name in lower case without anything but letters and digits."""
    return "".join(c for c in name.lower() if c.isalnum())


_TYPE_ALIASES = {
    "keydown": "keypressed keyboarddown keyboardpress",
    "keyup": "keyrelease keyreleased keyboardup keyboardrelease",
    "input": "textinput",
    "paste": "clipboardpaste",
    "mousedown": "mousepress mousepressed mousebuttondown pointerdown",
    "mouseup": "mouserelease mousereleased mousebuttonup pointerup",
    "mousemove": "move moved mousemoved mousemotion cursormove pointermove",
    "click": "mouseclick leftclick singleclick",
    "dblclick": "doubleclick mousedoubleclick",
    "auxclick": "middleclick",
    "contextmenu": "rightclick",
    "wheel": "mousewheel mousescroll",
    "touchcancel": "pointercancel",
    "focus": "focusin",
    "blur": "focusout",
    "submit": "formsubmit",
    "navigation": "navigate navigated pageload urlchange goto popstate hashchange",
    "tabswitch": "switchtab tabactivated tabchange tabchanged tabfocus activatetab",
    "screenshot": "screencapture screenframe frame",
    "dom": "domsnapshot accessibilitysnapshot accessibilitytree a11ytree a11ysnapshot domtree",
}
EVENT_ALIASES: dict[str, str] = {
    **{t: t for t in EVENT_TYPES if t != "unknown"},
    **{alias: t for t, aliases in _TYPE_ALIASES.items() for alias in aliases.split()},
}
"""Folded name → event type. ``press`` and ``release`` depend on what was pressed."""

POINTER_EVENTS = {"pointerdown", "pointerup", "pointermove", "pointercancel"}
"""Doubles of mouse or touch events where a recorder writes both."""
POINTER_TOUCH = {
    "pointerdown": "touchstart",
    "pointermove": "touchmove",
    "pointerup": "touchend",
    "pointercancel": "touchcancel",
}

_FIELD_ALIASES = {
    "id": "eventid",
    "type": "eventtype action kind event",
    "timestamp": "timestamp ts time timestampms timestampus datetime",
    "tab": "tabid",
    "url": "pageurl href",
    "window": "activewindow windowtitle title pagetitle",
    "target": "element selector",
    "viewport": "viewportsize",
    "x": "clientx",
    "y": "clienty",
    "button": "mousebutton",
    "buttons": "pressedbuttons",
    "delta_x": "deltax",
    "delta_y": "deltay",
    "key": "keyname keychar",
    "code": "keycodename",
    "modifiers": "modifierkeys",
    "text": "data chars",
    "value": "newvalue inputvalue",
    "touches": "touchpoints",
    "additional_info": "additionalinfo",
}
FIELDS = frozenset(_FIELD_ALIASES)
FIELD_ALIASES: dict[str, str] = {
    alias: field
    for field, aliases in _FIELD_ALIASES.items()
    for alias in (fold(field), *aliases.split())
}
"""Folded name → field. A field under its own name wins over its aliases."""

MODIFIER_FLAGS = {
    "ctrlkey": "Control",
    "shiftkey": "Shift",
    "altkey": "Alt",
    "metakey": "Meta",
}
"""The boolean fields of DOM events."""

_TARGET_ALIASES = {
    "tag": "tagname nodename",
    "id": "elementid",
    "name": "accessiblename arialabel",
    "role": "ariarole controltype",
    "label": "labeltext",
    "text": "innertext textcontent",
    "input_type": "inputtype type",
    "autocomplete": "",
    "selector": "css cssselector csspath",
    "bounds": "boundingbox boundingrect rect bbox boundingrectangle",
}
TARGET_ALIASES: dict[str, str] = {
    alias: field
    for field, aliases in _TARGET_ALIASES.items()
    for alias in (fold(field), *aliases.split())
}

BUTTONS: dict[object, str] = {
    **{n: b for n, b in enumerate(("left", "middle", "right", "back", "forward"))},
    **{b: b for b in ("left", "middle", "right", "back", "forward")},
    **{"primary": "left", "auxiliary": "middle", "secondary": "right", "wheel": "middle"},
    **{"main": "left", "x1": "back", "x2": "forward"},
}

MODIFIERS: dict[str, str] = {
    **{m: m for m in ("Alt", "Control", "Meta", "Shift")},
    **{m.lower(): m for m in ("Alt", "Control", "Meta", "Shift")},
    **{"ctrl": "Control", "cmd": "Meta", "command": "Meta", "win": "Meta", "super": "Meta"},
    **{"option": "Alt", "opt": "Alt", "Ctrl": "Control", "Cmd": "Meta", "os": "Meta"},
}
SORTED_MODIFIERS: dict[tuple[str, ...], tuple[str, ...]] = {
    p: tuple(sorted(p))
    for n in range(5)
    for p in permutations(("Alt", "Control", "Meta", "Shift"), n)
}
"""Every order in which canonical modifiers can be given → the sorted one."""

_KEY_NAMES = {
    "Enter": "Return return enter KP_Enter",
    "Escape": "Esc esc escape",
    "Backspace": "BackSpace backspace",
    "Delete": "Del del delete",
    "Tab": "tab",
    " ": "Spacebar Space space",
    "ArrowUp": "Up up",
    "ArrowDown": "Down down",
    "ArrowLeft": "Left left",
    "ArrowRight": "Right right",
    "Home": "home",
    "End": "end",
    "PageUp": "page_up Page_Up pageup Prior",
    "PageDown": "page_down Page_Down pagedown Next",
    "Insert": "insert Ins",
    "CapsLock": "caps_lock capslock",
    "Control": "Ctrl ctrl ctrl_l ctrl_r Control_L Control_R",
    "Shift": "shift shift_l shift_r Shift_L Shift_R",
    "Alt": "alt alt_l alt_r alt_gr Alt_L Alt_R Option",
    "Meta": "cmd cmd_l cmd_r Cmd Command Super Super_L Super_R Win OS",
    **{f"F{n}": f"f{n}" for n in range(1, 25)},
}
KEYS: dict[str, str] = {
    name: key
    for key, aliases in _KEY_NAMES.items()
    for alias in aliases.split()
    for name in (alias, f"Key.{alias}")
}
"""Key names of other systems (pynput, X11, old browsers) → W3C ``key`` values."""

FILE_FIELDS = ("file", "path", "screenshot_path", "screenshot", "image", "filename", "dom_path")
"""Where ``screenshot`` and ``dom`` events name their file."""
DOM_FIELDS = ("dom", "html", "xml", "tree", "snapshot", "dom_tree", "a11y_tree", "axtree")
"""Where ``dom`` events hold the snapshot itself."""
