"""A scripted person: real mouse, key and touch input at a human pace, in a real browser.

Nothing here calls shortcuts such as `element.click()`: the pointer travels, buttons and keys are
held for a moment, and the browser decides what that means.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Locator, Page

from recording.session_files import RecordedSession, Snapshot

SHIFTED = set('~!@#$%^&*()_+{}|:"<>?')
FIRST_TYPES = {"mousedown", "keydown", "touchstart", "wheel"}
LAST_TYPES = {
    *("mouseup", "click", "dblclick", "contextmenu", "drop", "dragend", "keyup", "input"),
    *("change", "paste", "submit", "touchend"),
}
Target = Locator | tuple[float, float]


class Person:
    """Works in the tabs of one browser context while everything is written down."""

    def __init__(self, context: BrowserContext, session: RecordedSession, seed: str) -> None:
        self.context = context
        self.session = session
        self.random = random.Random(seed)
        self.page: Page = None  # type: ignore[assignment]  # set by the first open()
        self._tabs: dict[Page, str] = {}
        self._pointer = (420.0, 300.0)
        self._shown: dict[str, Any] = {}
        self._cdp: dict[Page, CDPSession] = {}
        self._pending: set[Any] = set()
        self._touch_points: list[dict[str, float]] = []
        context.expose_binding("__record", self._record)
        context.on("request", lambda request: self._pending.add(request))
        for name in ("requestfinished", "requestfailed"):
            context.on(name, lambda request: self._pending.discard(request))

    # What is written down -------------------------------------------------------------------

    def _record(self, source: dict[str, Any], payload: str) -> None:
        event = json.loads(payload)
        if event["url"].startswith("http"):
            self._append(event, self._tabs[source["page"]])

    def _append(self, event: dict[str, Any], tab: str) -> None:
        head = {"id": f"e{len(self.session.events) + 1:04}", "type": event.pop("type")}
        event["timestamp"] = round(event["timestamp"], 3)
        head["timestamp"] = event.pop("timestamp")
        self.session.events.append({**head, "tab": tab, **event})

    def settle(self) -> None:
        """Waits until requests are answered and their results are drawn."""
        self.page.wait_for_timeout(60)
        for _ in range(100):
            # A beacon never reports its end.
            if not any("/telemetry/" not in request.url for request in self._pending):
                break
            self.page.wait_for_timeout(20)
        self.page.evaluate("new Promise(r => requestAnimationFrame(() => setTimeout(r, 20)))")

    def look(self, *, force: bool = True) -> None:
        """Takes a frame and a DOM snapshot, unless the last ones show the same.

        Without `force` only another page, view or dialog is worth a frame.
        """
        self.settle()
        seen = self.page.evaluate(
            "[location.href, document.title, !!document.querySelector('.dialog,[role=menu]')]"
        )
        view = [self.page, *seen]
        if not force and view == self._shown.get("view"):
            return
        timestamp = round(time.time() * 1000, 3)
        png = self.page.screenshot()
        dom = self.page.evaluate("window.__snapshot()")
        if (self.page, png) == (self._shown.get("page"), self._shown.get("png")):
            return
        self._shown = {"view": view, "page": self.page, "png": png}
        viewport = self.page.evaluate(
            "({width: innerWidth, height: innerHeight, device_pixel_ratio: devicePixelRatio})"
        )
        snapshot = Snapshot(timestamp, self._tabs[self.page], viewport, png, dom)
        self.session.snapshots.append(snapshot)

    @contextmanager
    def does(self, action: str, **parameters: Any) -> Iterator[None]:
        """Notes a canonical action in the truth: its parameters and the events that belong to it.

        The span goes from the first deliberate input inside the block (a pointer, key or wheel
        goes down) to the last one; travelling with the mouse and focus changes do not count.
        """
        self.settle()
        start = len(self.session.events)
        yield
        self.settle()
        inside = sorted(self.session.events[start:], key=lambda event: event["timestamp"])
        firsts = [event["id"] for event in inside if event["type"] in FIRST_TYPES]
        lasts = [event["id"] for event in inside if event["type"] in LAST_TYPES]
        self.session.truth.append(
            {
                "action": action,
                "parameters": parameters,
                "first_event_id": firsts[0],
                "last_event_id": lasts[-1],
            }
        )

    # Tabs -----------------------------------------------------------------------------------

    def open(self, url: str) -> Page:
        """Opens a page in a new tab and looks at it."""
        page = self.context.new_page()
        self._tabs[page] = f"tab-{len(self._tabs) + 1}"
        first = self.page is None
        self.page = page
        page.goto(url)
        if not first:
            self._context_event("tabswitch")
        self.look()
        return page

    def switch_to(self, page: Page) -> None:
        """Brings another tab to the front."""
        self.pause(0.5, 0.9)
        page.bring_to_front()
        self.page = page
        self._context_event("tabswitch")
        self.look()

    def _context_event(self, kind: str) -> None:
        event = {
            "type": kind,
            "timestamp": time.time() * 1000,
            "url": self.page.url,
            "window": self.page.title(),
        }
        self._append(event, self._tabs[self.page])

    # Pace -----------------------------------------------------------------------------------

    def pause(self, least_s: float = 0.25, most_s: float = 0.6) -> None:
        """Thinks for a moment."""
        self.page.wait_for_timeout(1000 * self.random.uniform(least_s, most_s))

    # Mouse ----------------------------------------------------------------------------------

    def _point(self, target: Target) -> tuple[float, float]:
        if isinstance(target, tuple):
            return target
        target.wait_for(state="visible", timeout=5000)
        box = target.bounding_box()
        assert box, f"not visible: {target}"
        # People aim at the middle of small things and at the beginning of long ones.
        reach_x = min(box["width"] * 0.3, 60)
        return (
            round(box["x"] + min(box["width"] / 2, 140) + self.random.uniform(-0.5, 0.5) * reach_x),
            round(box["y"] + box["height"] * self.random.uniform(0.4, 0.6)),
        )

    def move(self, target: Target, least_steps: int = 3) -> tuple[float, float]:
        """Travels to a target on a slightly bent path."""
        end_x, end_y = self._point(target)
        x, y = self._pointer
        distance = math.hypot(end_x - x, end_y - y)
        steps = max(least_steps, min(16, int(distance / 28)))
        bend = self.random.uniform(-0.1, 0.1)
        for step in range(1, steps + 1):
            part = step / steps
            ease = part * part * (3 - 2 * part)
            side = math.sin(part * math.pi) * bend
            self.page.mouse.move(
                x + (end_x - x) * ease - (end_y - y) * side,
                y + (end_y - y) * ease + (end_x - x) * side,
            )
            self.page.wait_for_timeout(self.random.uniform(10, 22))
        self._pointer = (end_x, end_y)
        return self._pointer

    def wander(self) -> None:
        """Moves the mouse a little without any purpose."""
        x, y = self._pointer
        width, height = self.page.evaluate("[innerWidth, innerHeight]")
        for _ in range(2):
            x = min(max(x + self.random.uniform(-120, 120), 8), width - 8)
            y = min(max(y + self.random.uniform(-60, 60), 8), height - 8)
            self.move((x, y))
        self.pause(0.1, 0.3)

    def _press_button(self, button: Any = "left", count: int = 1) -> None:
        self.page.mouse.down(button=button, click_count=count)
        self.page.wait_for_timeout(self.random.uniform(55, 105))
        self.page.mouse.up(button=button, click_count=count)

    def click(self, target: Target, button: str = "left") -> None:
        """Travels to a target and clicks it."""
        self.look(force=False)
        self.move(target)
        self.pause(0.06, 0.18)
        self._press_button(button)
        self.pause(0.15, 0.35)

    def double_click(self, target: Target) -> None:
        """Clicks twice within the usual time."""
        self.look(force=False)
        self.move(target)
        self.pause(0.08, 0.2)
        self._press_button()
        self.page.wait_for_timeout(self.random.uniform(70, 110))
        self._press_button(count=2)
        self.pause(0.2, 0.4)

    def drag(self, source: Target, destination: Target) -> None:
        """Presses on one place, travels to another with the button down, releases there."""
        self.look(force=False)
        self.move(source)
        self.pause(0.1, 0.2)
        self.page.mouse.down()
        self.pause(0.1, 0.15)
        self.move(destination, least_steps=16)
        self.pause(0.12, 0.2)
        self.page.mouse.up()
        self.pause(0.2, 0.4)

    def scroll(self, notches: int, notch_px: int = 80) -> None:
        """Turns the wheel; positive is down."""
        for _ in range(abs(notches)):
            self.page.mouse.wheel(0, math.copysign(notch_px, notches))
            self.page.wait_for_timeout(self.random.uniform(50, 110))
        self.pause(0.25, 0.5)

    # Keyboard -------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        """Types key by key; a `\\b` in the text is the Backspace key, `\\t` Tab, `\\n` Enter."""
        special = {"\b": "Backspace", "\t": "Tab", "\n": "Enter", " ": "Space"}
        for character in text:
            shift = character.isupper() or character in SHIFTED
            if shift:
                self.page.keyboard.down("Shift")
                self.page.wait_for_timeout(self.random.uniform(25, 50))
            key = special.get(character, character)
            self.page.keyboard.down(key)
            self.page.wait_for_timeout(self.random.uniform(25, 55))
            self.page.keyboard.up(key)
            if shift:
                self.page.keyboard.up("Shift")
            slow = 2.5 if character in "\b\n\t" else 1
            self.page.wait_for_timeout(slow * self.random.uniform(30, 90))
        self.pause(0.15, 0.3)

    def press(self, chord: str, times: int = 1) -> None:
        """Presses a key or a chord such as `Control+Enter`, modifiers first."""
        *modifiers, key = chord.split("+")
        for _ in range(times):
            for name in modifiers:
                self.page.keyboard.down(name)
                self.page.wait_for_timeout(40)
            self.page.keyboard.down(key)
            self.page.wait_for_timeout(self.random.uniform(40, 80))
            self.page.keyboard.up(key)
            for name in reversed(modifiers):
                self.page.keyboard.up(name)
            self.pause(0.12, 0.25)

    def hold(self, chord: str) -> None:
        """Presses a chord whose release nobody sees, because the recording ends with it."""
        for name in chord.split("+"):
            self.page.keyboard.down(name)
            self.page.wait_for_timeout(40)

    def compose_accent(self, accent: str, committed: str) -> None:
        """Composes a character with a dead key, as input methods do."""
        cdp = self._devtools()
        key = {"key": "Dead", "code": "Quote", "windowsVirtualKeyCode": 229}
        cdp.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
        selection = {"selectionStart": len(accent), "selectionEnd": len(accent)}
        cdp.send("Input.imeSetComposition", {"text": accent, **selection})
        cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
        self.pause(0.1, 0.2)
        process = {"key": "Process", "code": "KeyE", "windowsVirtualKeyCode": 229}
        cdp.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **process})
        cdp.send("Input.insertText", {"text": committed})
        key_e = {"key": "e", "code": "KeyE", "windowsVirtualKeyCode": 69}
        cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", **key_e})
        self.pause(0.1, 0.2)

    def insert(self, text: str) -> None:
        """Accepts a suggestion: the whole value arrives in one input event, without keys."""
        self.page.keyboard.insert_text(text)
        self.pause(0.3, 0.5)

    def type_on_glass(self, text: str) -> None:
        """Types on a screen keyboard, which tells the page characters but hardly any keys."""
        key = {"key": "Unidentified", "code": "", "windowsVirtualKeyCode": 229}
        for character in text:
            self._devtools().send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
            self._devtools().send("Input.insertText", {"text": character})
            self.page.wait_for_timeout(20)
            self._devtools().send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
            self.page.wait_for_timeout(self.random.uniform(90, 160))
        self.pause(0.2, 0.4)

    def copy_text(self, container: Locator, text: str) -> None:
        """Selects a piece of text by dragging over it, and copies it with the keyboard."""
        box = container.evaluate(
            """(element, text) => {
                const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
                for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                    const at = node.data.indexOf(text);
                    if (at < 0) continue;
                    const range = document.createRange();
                    range.setStart(node, at);
                    range.setEnd(node, at + text.length);
                    const { left, right, top, bottom } = range.getBoundingClientRect();
                    return { left, right, y: (top + bottom) / 2 };
                }
            }""",
            text,
        )
        self.drag((box["left"] + 1, box["y"]), (box["right"], box["y"]))
        self.press("Control+c")

    # Touch ----------------------------------------------------------------------------------

    def _devtools(self) -> CDPSession:
        if self.page not in self._cdp:
            self._cdp[self.page] = self.context.new_cdp_session(self.page)
        return self._cdp[self.page]

    def _touch(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._devtools().send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def tap(self, target: Target) -> None:
        """Touches a target for a moment."""
        self.look(force=False)
        self.pause(0.2, 0.4)
        point = self._point(target)
        self._touch("touchStart", point)
        self.page.wait_for_timeout(self.random.uniform(60, 100))
        self._touch("touchEnd")
        self.pause(0.3, 0.5)

    def long_press(self, target: Target) -> None:
        """Touches a target for longer than half a second."""
        self.look(force=False)
        self.pause(0.2, 0.4)
        self._touch("touchStart", self._point(target))
        self.pause(0.8, 0.95)
        self._touch("touchEnd")
        self.pause(0.3, 0.5)

    def swipe(self, start: Target, dx: float, dy: float) -> None:
        """Draws a finger across the screen."""
        self.look(force=False)
        x, y = self._point(start)
        self._gesture(lambda part: [(x + dx * part, y + dy * part)])

    def pinch(self, centre: Target, from_px: float, to_px: float) -> None:
        """Moves two fingers apart (or together): distances from their middle in pixels."""
        self.look(force=False)
        x, y = self._point(centre)

        def fingers(part: float) -> list[tuple[float, float]]:
            reach = from_px + (to_px - from_px) * part
            return [(x - reach * 0.8, y - reach * 0.5), (x + reach * 0.8, y + reach * 0.5)]

        self._gesture(fingers)

    def _gesture(self, fingers: Callable[[float], list[tuple[float, float]]]) -> None:
        self._touch("touchStart", *fingers(0))
        for step in range(1, 11):
            self.page.wait_for_timeout(self.random.uniform(16, 28))
            self._touch("touchMove", *fingers(step / 10))
        self.page.wait_for_timeout(30)
        self._touch("touchEnd")
        self.pause(0.4, 0.6)
