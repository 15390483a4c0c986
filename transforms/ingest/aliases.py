"""The one table of other names for event types, fields, buttons and keys.

Names are compared folded: lower case, letters and digits only (``key_down``, ``keyDown`` and
``KEY-DOWN`` are one). Canonical names are those of W3C UI Events, Pointer Events and HTML.
"""

from __future__ import annotations

import re
from itertools import permutations

from schemas.traces import EVENT_TYPES


def fold(name: str) -> str:
    """Returns a name in lower case without anything but letters and digits."""
    return "".join(c for c in name.lower() if c.isalnum())


_TYPE_ALIASES = {
    "keydown": "keypressed keyboarddown keyboardpress",
    "keyup": "keyrelease keyreleased keyboardup keyboardrelease",
    "input": "textinput type typetext fill settext entertext",
    "paste": "clipboardpaste",
    "mousedown": "mousepress mousepressed mousebuttondown pointerdown",
    "mouseup": "mouserelease mousereleased mousebuttonup pointerup",
    "mousemove": "move moved mousemoved mousemotion cursormove pointermove",
    "click": "mouseclick leftclick singleclick check uncheck",
    "dblclick": "doubleclick mousedoubleclick double",
    "auxclick": "middleclick",
    "contextmenu": "rightclick",
    "wheel": "mousewheel mousescroll",
    "touchstart": "touchdown actiondown",
    "touchmove": "actionmove",
    "touchend": "touchup actionup",
    "touchcancel": "pointercancel actioncancel",
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
"""Folded name → event type. Those of HALVES depend on what was pressed."""
HALVES = {"press": "down", "down": "down", "release": "up", "up": "up"}

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
INFO_FIELDS = {
    "repeat": "repeat",
    "inputtype": "input_type",
    "iscomposing": "is_composing",
    "deltamode": "delta_mode",
    "pointertype": "pointer_type",
    "scrollleft": "scroll_left",
    "scrollx": "scroll_left",
    "scrolltop": "scroll_top",
    "scrolly": "scroll_top",
    "transition": "transition",
    "transitiontype": "transition_type",
    "transitionqualifiers": "transition_qualifiers",
    "navigationtype": "navigation_type",
}
"""Folded name → what an event's ``additional_info`` calls it, where normalising reads it."""

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
    "Alt": "alt alt_l alt_r Alt_L Alt_R Option",
    "AltGraph": "alt_gr AltGr ISO_Level3_Shift",
    "Meta": "cmd cmd_l cmd_r Cmd Command Super Super_L Super_R Win OS",
    "AudioVolumeUp": "media_volume_up",
    "AudioVolumeDown": "media_volume_down",
    "AudioVolumeMute": "media_volume_mute",
    "MediaPlayPause": "media_play_pause",
    "MediaTrackNext": "media_next",
    "MediaTrackPrevious": "media_previous",
    **{f"F{n}": f"f{n}" for n in range(1, 25)},
}
KEYS: dict[str, str] = {
    name: key
    for key, aliases in _KEY_NAMES.items()
    for alias in aliases.split()
    for name in (alias, f"Key.{alias}")
}
"""Key names of other systems (pynput, X11, old browsers) → W3C ``key`` values."""
_CONTROLS = {chr(n): chr(n + 96) for n in range(1, 27) if chr(n) not in "\b\t\n\r"}
"""What a letter gives under Control where a recorder writes the character."""
_CONTROLS |= {"\b": "Backspace", "\x1b": "Escape", "\x7f": "Backspace"}
KEYS.update(_CONTROLS | {repr(c): key for c, key in _CONTROLS.items()} | {repr("\\"): "\\"})
_QUOTED = re.compile(r"""(['"])(.)\1""", re.DOTALL)


def key_value(given: str) -> str:
    """Returns the W3C ``key`` value of a key under any name, without pynput's quotes (``'a'``)."""
    quoted = _QUOTED.fullmatch(given)
    if quoted:
        return quoted[2]
    if given.startswith("['"):
        return "Dead"
    return KEYS.get(given, given)


FILE_FIELDS = ("file", "path", "screenshot_path", "screenshot", "image", "filename", "dom_path")
"""Where ``screenshot`` and ``dom`` events name their file."""
DOM_FIELDS = ("dom", "html", "xml", "tree", "snapshot", "dom_tree", "a11y_tree", "axtree")
"""Where ``dom`` events hold the snapshot itself."""
