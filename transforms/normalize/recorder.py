"""The recorder's own traces in a session: its window, and the hotkey that stops it."""

from __future__ import annotations

from schemas.traces import Event, RecorderInfo
from transforms.key_names import MODIFIERS, key_name, key_of
from transforms.normalize.draft import SECOND_US

HELD_US = 10 * SECOND_US
"""A key of the hotkey that went down longer ago than this is not held any more."""

_MODIFIER_SET = frozenset(MODIFIERS)


def recorder_events(events: list[Event], recorder: RecorderInfo | None) -> dict[int, str]:
    """Returns place → reason of the events (sorted by time) that are the recorder's own."""
    if recorder is None:
        return {}
    found: dict[int, str] = {}
    if recorder.window:
        found.update((place, "recorder_window") for place in _in_window(events, recorder.window))
    hotkey = _hotkey(recorder.stop_hotkey)
    if hotkey:
        found.update((place, "stop_hotkey") for place in _hotkey_events(events, hotkey))
    return found


def _hotkey(keys: tuple[str, ...]) -> frozenset[str]:
    names = [name for key in keys for name in (key.split("+") if len(key) > 1 else [key])]
    return frozenset(_folded(key_name(name.strip())) for name in names if name.strip())


def _folded(key: str) -> str:
    return key.lower() if len(key) == 1 else key


def _key_in(event: Event, hotkey: frozenset[str]) -> str:
    """The key of an event; its position on a US keyboard where that is in the hotkey.

    Option and R give ® on a Mac, and other alphabets give other letters.
    """
    key = _folded(key_of(event))
    position = (event.code or "").removeprefix("Key").removeprefix("Digit").lower()
    return position if len(position) == 1 and position in hotkey else key


def _in_window(events: list[Event], window: str) -> list[int]:
    """Places of events in the recorder's window; a tab stays in it until a title says otherwise."""
    wanted = window.strip().casefold()
    inside: dict[str | None, bool] = {}
    last: str | None = None
    found = []
    for place, event in enumerate(events):
        tab = event.tab if event.tab is not None else last
        last = tab
        if event.window is not None:
            title = event.window.strip().casefold()
            # Browsers and systems put their own name behind a title.
            inside[tab] = title == wanted or title.startswith(
                (wanted + " - ", wanted + " – ", wanted + " — ")
            )
        elif event.type == "navigation":
            inside[tab] = False
        if inside.get(tab):
            found.append(place)
    return found


def _hotkey_events(events: list[Event], hotkey: frozenset[str]) -> list[int]:
    """Places of the keys that make up the hotkey, each time it is complete.

    Releases may be missing: the recorder stops listening in the middle of them.
    """
    held: dict[str, tuple[int, list[int]]] = {}
    ending: set[str] = set()
    found: list[int] = []
    for place, event in enumerate(events):
        if event.type == "keyup":
            key = _key_in(event, hotkey)
            held.pop(key, None)
            if key in ending:
                ending.discard(key)
                found.append(place)
            continue
        if event.type != "keydown":
            continue
        key = _key_in(event, hotkey)
        if key in ending:
            found.append(place)  # it repeats while it is held
            continue
        if key not in _MODIFIER_SET:
            ending.clear()
        fresh = event.timestamp_us - HELD_US
        places = held[key][1] if key in held and held[key][0] >= fresh else []
        places.append(place)
        held[key] = (event.timestamp_us, places)
        down = {name for name, (us, _) in held.items() if us >= fresh} | set(event.modifiers)
        if key in hotkey and hotkey <= down and (down & _MODIFIER_SET) == (hotkey & _MODIFIER_SET):
            for name in hotkey:
                if name in held:
                    found.extend(held.pop(name)[1])
                ending.add(name)
    return found
