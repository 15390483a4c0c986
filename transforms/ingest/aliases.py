"""The one table of other names for event types, fields, buttons and keys.

Names are compared folded: lower case, letters and digits only (``key_down``, ``keyDown`` and
``KEY-DOWN`` are one). Canonical names are those of W3C UI Events, Pointer Events and HTML.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import permutations

from schemas.traces import EVENT_TYPES


@lru_cache(maxsize=4096)
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
    "touches": "touchpoints changedtouches targettouches",
    "additional_info": "additionalinfo",
}
FIELDS = frozenset(_FIELD_ALIASES)
FIELD_ALIASES: dict[str, str] = {
    alias: field
    for field, aliases in _FIELD_ALIASES.items()
    for alias in (fold(field), *aliases.split())
}
"""Folded name → field. A field under its own name wins over its aliases."""

POINT_FIELDS = frozenset("position pos coordinates coordinate coords point location".split())
"""Folded names of what holds both x and y."""

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

KEY_CODES: dict[int, str] = {
    **{ord(letter): f"Key{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{48 + n: f"Digit{n}" for n in range(10)},
    **{96 + n: f"Numpad{n}" for n in range(10)},
    **{111 + n: f"F{n}" for n in range(1, 13)},
    **dict(zip((8, 9, 13, 16, 17, 18), "Backspace Tab Enter Shift Control Alt".split())),
    **dict(zip((20, 27, 32, 33, 34), "CapsLock Escape Space PageUp PageDown".split())),
    **dict(zip((35, 36, 37, 38), "End Home ArrowLeft ArrowUp".split())),
    **dict(zip((39, 40, 45, 46), "ArrowRight ArrowDown Insert Delete".split())),
    **dict(zip((91, 92, 93, 224, 229), ("Meta", "Meta", "Meta", "Meta", "Process"))),
    **dict(zip(range(186, 193), "Semicolon Equal Comma Minus Period Slash Backquote".split())),
    **dict(zip(range(219, 223), "BracketLeft Backslash BracketRight Quote".split())),
}
"""``keyCode`` of old DOM events → ``code``, for recorders that have nothing else."""

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
    "Enter": "Return return enter KP_Enter VK_RETURN ⏎ ↩",
    "Escape": "Esc esc escape VK_ESCAPE ⎋",
    "Backspace": "BackSpace backspace Back VK_BACK ⌫",
    "Delete": "Del del delete VK_DELETE",
    "Tab": "tab ISO_Left_Tab VK_TAB ⇥",
    " ": "Spacebar Space space VK_SPACE",
    "ArrowUp": "Up up",
    "ArrowDown": "Down down",
    "ArrowLeft": "Left left",
    "ArrowRight": "Right right",
    "Home": "home",
    "End": "end",
    "PageUp": "page_up Page_Up pageup Prior",
    "PageDown": "page_down Page_Down pagedown Next",
    "Insert": "insert Ins",
    "CapsLock": "caps_lock capslock Caps_Lock Capital VK_CAPITAL ⇪",
    "Control": "Ctrl ctrl ctrl_l ctrl_r Control_L Control_R LControlKey RControlKey VK_CONTROL "
    "VK_LCONTROL VK_RCONTROL ⌃",
    "Shift": "shift shift_l shift_r Shift_L Shift_R LShiftKey RShiftKey VK_SHIFT VK_LSHIFT "
    "VK_RSHIFT ⇧",
    "Alt": "alt alt_l alt_r Alt_L Alt_R Option LMenu VK_MENU VK_LMENU ⌥",
    "AltGraph": "alt_gr AltGr ISO_Level3_Shift",
    "Meta": "cmd cmd_l cmd_r Cmd Command Super Super_L Super_R Win OS LWin RWin VK_LWIN VK_RWIN ⌘",
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
_KEYSYMS = """
exclam ! quotedbl " numbersign # dollar $ percent % ampersand & apostrophe ' parenleft (
parenright ) asterisk * plus + comma , minus - period . slash / colon : semicolon ; less < equal =
greater > question ? at @ bracketleft [ backslash \\ bracketright ] asciicircum ^ underscore _
grave ` braceleft { bar | braceright } asciitilde ~ KP_Add + KP_Subtract - KP_Multiply * KP_Divide
/ KP_Decimal . OemPeriod . Oemcomma , OemMinus - Oemplus + VK_OEM_PERIOD . VK_OEM_COMMA ,
VK_OEM_MINUS - VK_OEM_PLUS + adiaeresis ä odiaeresis ö udiaeresis ü Adiaeresis Ä Odiaeresis Ö
Udiaeresis Ü ssharp ß eacute é egrave è agrave à ccedilla ç ntilde ñ
""".split()
KEYS.update(zip(_KEYSYMS[::2], _KEYSYMS[1::2], strict=True))
"""Names that X11 and Windows have for characters."""
KEYS.update(
    {f"{name}{n}": str(n) for name in ("KP_", "D", "NumPad", "VK_NUMPAD") for n in range(10)}
)
KEYS.update({f"VK_{letter}": letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
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
