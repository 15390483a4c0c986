"""Names of keys: one spelling (that of UI Events KeyboardEvent key Values) for all recorders."""

from __future__ import annotations

from schemas.traces import Event

MODIFIERS = ("Control", "Alt", "Shift", "Meta", "AltGraph")
"""In the order in which a chord names them."""
COMMANDS = frozenset(("Control", "Alt", "Meta"))
LOCKS = frozenset(("CapsLock", "NumLock", "ScrollLock", "Fn", "FnLock"))
INPUT_METHOD = "Process"
"""Stands for every key whose text an input method decides (also ``Dead``, ``Unidentified``)."""

_NAMED = """
Alt AltGraph ArrowDown ArrowLeft ArrowRight ArrowUp AudioVolumeDown AudioVolumeMute AudioVolumeUp
Backspace BrowserBack BrowserForward BrowserRefresh CapsLock Clear ContextMenu Control Copy Cut
Delete End Enter Escape Fn Home Insert MediaPlayPause MediaTrackNext MediaTrackPrevious Meta
NumLock PageDown PageUp Paste Pause PrintScreen ScrollLock Shift Tab Undo
""".split()
_ALIASES = {name.lower(): name for name in _NAMED} | {
    "altgr": "AltGraph",
    "alt_gr": "AltGraph",
    "alt_l": "Alt",
    "alt_r": "Alt",
    "altleft": "Alt",
    "altright": "Alt",
    "apps": "ContextMenu",
    "back": "Backspace",
    "backspace": "Backspace",
    "caps_lock": "CapsLock",
    "cmd": "Meta",
    "cmd_l": "Meta",
    "cmd_r": "Meta",
    "command": "Meta",
    "compose": INPUT_METHOD,
    "control_l": "Control",
    "control_r": "Control",
    "controlleft": "Control",
    "controlright": "Control",
    "ctrl": "Control",
    "ctrl_l": "Control",
    "ctrl_r": "Control",
    "ctrlleft": "Control",
    "ctrlright": "Control",
    "dead": INPUT_METHOD,
    "del": "Delete",
    "down": "ArrowDown",
    "esc": "Escape",
    "left": "ArrowLeft",
    "menu": "ContextMenu",
    "metaleft": "Meta",
    "metaright": "Meta",
    "num_lock": "NumLock",
    "option": "Alt",
    "os": "Meta",
    "osleft": "Meta",
    "osright": "Meta",
    "page_down": "PageDown",
    "page_up": "PageUp",
    "pagedn": "PageDown",
    "pgdn": "PageDown",
    "pgup": "PageUp",
    "print_screen": "PrintScreen",
    "process": INPUT_METHOD,
    "return": "Enter",
    "right": "ArrowRight",
    "scroll_lock": "ScrollLock",
    "shift_l": "Shift",
    "shift_r": "Shift",
    "shiftleft": "Shift",
    "shiftright": "Shift",
    "space": " ",
    "spacebar": " ",
    "super": "Meta",
    "super_l": "Meta",
    "super_r": "Meta",
    "unidentified": INPUT_METHOD,
    "up": "ArrowUp",
    "win": "Meta",
    "windows": "Meta",
    "numpadenter": "Enter",
}
# What a key of a US keyboard gives, for recorders that name the key but not its character.
_CODES = {
    "Backquote": "`~",
    "Backslash": "\\|",
    "BracketLeft": "[{",
    "BracketRight": "]}",
    "Comma": ",<",
    "Equal": "=+",
    "Minus": "-_",
    "Period": ".>",
    "Quote": "'\"",
    "Semicolon": ";:",
    "Slash": "/?",
    "Space": "  ",
    "NumpadAdd": "++",
    "NumpadDecimal": "..",
    "NumpadDivide": "//",
    "NumpadMultiply": "**",
    "NumpadSubtract": "--",
    **{f"Key{letter}": letter.lower() + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{f"Digit{digit}": digit + shifted for digit, shifted in zip("0123456789", ")!@#$%^&*(")},
    **{f"Numpad{digit}": digit * 2 for digit in "0123456789"},
}
_known: dict[str, str] = {}


def key_name(key: str) -> str:
    """Returns the one spelling of a key's name; a character stays what it is."""
    name = _known.get(key)
    if name is None:
        name = key
        if len(key) > 1:
            folded = key.strip().strip("<>$").lower().removeprefix("key.")
            name = _ALIASES.get(folded) or _ALIASES.get(folded.replace(" ", "_"))
            if name is None and folded[:1] == "f" and folded[1:].isdigit():
                name = folded.upper()
            name = name or key
        if len(_known) < 10_000:
            _known[key] = name
    return name


def key_of(event: Event) -> str:
    """Returns the key of an event: a name, or the text it gives; empty when nothing says it."""
    key = event.key
    if key:
        return key if len(key) == 1 and key not in "\r\n\t" else _control(key)
    if event.code:
        pair = _CODES.get(event.code)
        if pair:
            return pair["Shift" in event.modifiers]
        return key_name(event.code)
    if event.text:
        return _control(event.text)
    return ""


def _control(key: str) -> str:
    if key == "\t":
        return "Tab"
    if key in ("\r", "\n", "\r\n"):
        return "Enter"
    return key_name(key)


def is_text(key: str) -> bool:
    """Whether a key gives text: one character, or several that are no name (an emoji, a letter
    with its accent)."""
    return len(key) == 1 or (bool(key) and not key.isascii())


def latin_key(event: Event, key: str) -> str:
    """The letter of a chord where the keyboard writes another alphabet: its place decides."""
    code = event.code or ""
    if not key.isascii() and len(code) == 4 and code.startswith("Key"):
        return code[3].lower()
    return key


def chord(modifiers: set[str] | frozenset[str] | tuple[str, ...], key: str) -> tuple[str, ...]:
    """Returns modifiers in their fixed order and the key, letters in lower case."""
    if key == " ":
        key = "Space"
    if modifiers and len(key) == 1:
        key = key.lower()
    return (*(name for name in MODIFIERS if name in modifiers and name != key), key)
