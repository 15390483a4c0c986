"""Events that say where the person is: navigation, tabs, focus, and markers of frames.

A navigation is an action only where the person asked for it outside the page (address bar, reload,
history). One that a click, a key or another navigation caused belongs to its cause: the recorder
says so (``additional_info.transition``), or order and time do.
"""

from __future__ import annotations

from schemas.traces import Event
from transforms.normalize.draft import SECOND_US, Assembly, Draft, TabState, field_key
from transforms.normalize.fields import is_sent_by_click
from transforms.normalize.keyboard import Keyboard

CAUSED_US = 2 * SECOND_US
"""A navigation this soon after an action in its tab was caused by it."""
SLOW_CAUSED_US = 5 * SECOND_US
"""The same for links, buttons and forms: a server may take its time."""
SCROLL_CAUSED_US = SECOND_US
OPENED_US = 2 * SECOND_US
"""A new tab this soon after a link in another one was clicked was opened by it."""
OPENED_AT_ONCE_US = 500_000
"""The same for whatever is no link: a script may open a tab, but so may the person."""
SUBMIT_US = 2 * SECOND_US
TAB_KEYS_US = SECOND_US

_BY_PERSON = frozenset(
    """typed generated keyword keyword_generated reload auto_bookmark bookmark start_page
    forward_back from_address_bar back_forward history address_bar""".split()
)
_BY_PAGE = frozenset(
    """link form_submit auto_subframe manual_subframe client_redirect server_redirect push replace
    auto_toplevel""".split()
)
_TAB_KEYS = frozenset(
    [
        ("Control", "Tab"),
        ("Control", "Shift", "Tab"),
        ("Control", "PageUp"),
        ("Control", "PageDown"),
        *((modifier, str(n)) for modifier in ("Control", "Meta", "Alt") for n in range(1, 10)),
    ]
)


class ContextEvents:
    """Takes navigation, tabswitch, focus, blur and submit events of one session."""

    def __init__(self, assembly: Assembly, keyboard: Keyboard) -> None:
        self.assembly = assembly
        self.keyboard = keyboard

    def navigation(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a page having been opened in a tab."""
        if tab.run is not None and (tab.run.tail or event.url != tab.url):
            self.assembly.close_run(tab)
        tab.forget_fields(event.url)
        info = event.additional_info
        said = {str(info.get(k)) for k in ("transition", "transition_type", "navigation_type")}
        qualifiers = info.get("transition_qualifiers")
        if isinstance(qualifiers, list):
            said.update(str(q) for q in qualifiers)
        is_of_person = bool(said & _BY_PERSON)
        cause = None if is_of_person else self._cause(event, tab, certain=bool(said & _BY_PAGE))
        if cause is not None:
            cause.add(place)
            cause.settled_us = max(cause.settled_us, event.timestamp_us)
            if not tab.used:
                tab.opened_by = cause
            return
        draft = self.assembly.begin("navigate", place, event, tab)
        draft.text = event.url or event.text or event.value
        draft.target = None
        self.keyboard.adopt_all(draft, event.timestamp_us)
        self.assembly.current = tab
        if not tab.used:
            tab.opened_by = draft

    def _cause(self, event: Event, tab: TabState, certain: bool) -> Draft | None:
        latest = tab.latest.root if tab.latest is not None else None
        if not tab.used and self.assembly.latest is not None:
            opener = self.assembly.latest.root
            since = event.timestamp_us - max(opener.end_us, opener.settled_us)
            limit = OPENED_US if _opens_tabs(opener) else OPENED_AT_ONCE_US
            if opener.tab is not tab and (certain or since <= limit):
                return opener if opener.kind not in ("navigate", "scroll") else None
        if latest is None:
            before = tab.opened_by.root if tab.opened_by is not None else None
            if before is not None and event.timestamp_us - before.settled_us <= SLOW_CAUSED_US:
                return before
            return None
        if tab.presses:
            return next(iter(tab.presses.values())).root
        within = CAUSED_US
        if latest.kind == "scroll":
            within = SCROLL_CAUSED_US
        elif is_sent_by_click(latest.target) or latest.key == "Enter":
            within = SLOW_CAUSED_US
        if certain:
            within = 30 * SECOND_US
        if event.timestamp_us - max(latest.end_us, latest.settled_us) <= within:
            return latest
        return None

    def tabswitch(self, place: int, event: Event, tab: TabState) -> None:
        """Takes another tab having come to the front; ``event.tab`` is that tab."""
        before = self.assembly.current
        for other in list(self.assembly.touched):
            if other.run is not None:
                self.assembly.close_run(other)
        latest = self.assembly.latest.root if self.assembly.latest is not None else None
        if latest is not None:
            since = event.timestamp_us - max(latest.end_us, latest.settled_us)
            opened = tab.opened_by.root if tab.opened_by is not None else None
            if opened is latest and since <= OPENED_US and latest.kind != "switch_tab":
                latest.add(place)
                return
            if (
                not tab.used
                and latest.tab is not tab
                and _opens_tabs(latest)
                and since <= OPENED_US
            ):
                latest.add(place)
                latest.settled_us = event.timestamp_us
                tab.opened_by = latest
                return
            if latest.kind == "press" and latest.keys in _TAB_KEYS and since <= TAB_KEYS_US:
                latest.kind = "switch_tab"
                latest.add(place)
                self._name(latest, event, tab)
                return
        draft = self.assembly.begin("switch_tab", place, event, tab)
        if before is not None:
            draft.url, draft.window, draft.viewport = before.url, before.window, before.viewport
        self.keyboard.adopt_all(draft, event.timestamp_us)
        self._name(draft, event, tab)

    @staticmethod
    def _name(draft: Draft, event: Event, tab: TabState) -> None:
        draft.tab = tab
        draft.text = event.window or tab.window or event.url or tab.url
        draft.target = None

    def focus(self, place: int, event: Event, tab: TabState) -> None:
        """Takes an element getting the focus; keys without a target go to it."""
        self.assembly.drop(place, "focus")
        if event.target is None:
            return
        tab.focused = event.target
        run = tab.run
        if run is not None and run.field is not None:
            key = field_key(event.target)
            if key is not None and key != run.field:
                self.assembly.close_run(tab)

    def blur(self, place: int, event: Event, tab: TabState) -> None:
        """Takes an element losing the focus."""
        self.assembly.drop(place, "blur")
        if tab.run is not None and tab.run.tail:
            self.assembly.close_run(tab)
        if tab.focused is not None and event.target is not None:
            tab.focused = None

    def submit(self, place: int, event: Event, tab: TabState) -> None:
        """Takes a form being sent; it belongs to the click or key that sent it."""
        if tab.run is not None and tab.run.tail:
            self.assembly.close_run(tab)
        tab.values.clear()
        pressed = next(iter(tab.presses.values()), None)
        cause = pressed or self.assembly.cause(tab, event.timestamp_us, SUBMIT_US)
        if cause is None:
            self.assembly.drop(place, "submit")
        else:
            cause.add(place)


def _opens_tabs(draft: Draft) -> bool:
    """Whether an action is one that often opens a tab: a link, the middle button, Control."""
    if draft.kind == "middle_click":
        return True
    if draft.kind not in ("click", "tap"):
        return False
    target = draft.target
    is_link = target is not None and (target.tag == "a" or target.role == "link")
    return is_link or bool({"Control", "Meta", "Shift"} & set(draft.keys))
