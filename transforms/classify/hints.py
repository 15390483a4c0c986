"""``match:`` hints of the catalogue: which steps fit which canonical action.

All conditions of a hint must hold on one step. Patterns are globs, whatever the case; a ``request``
pattern without scheme is matched against path and query. What a ``*`` stood for in a name is kept:
``Remove *`` on ``Remove Rye bread`` says which product it was.
"""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

import msgspec

from schemas.catalogue import CanonicalAction, Hint
from schemas.traces import Request
from transforms.classify.facts import MUTATING_METHODS, StepFacts, is_mutating, is_refused

READING_REQUEST_WEIGHT = 0.6
"""A GET is often a side effect (a list is loaded again), so alone it is no certain sign."""
REFUSED_WEIGHT = 0.3
"""Of input whose request the server refused: it was tried, not done."""
INPUT_BONUS = 0.1
"""A hint about what the person did beats an equally weighted one about what the page did."""


class HintMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A hint that fits a step."""

    hint: Hint
    step: int
    """Index into ``PreparedSession.steps``."""
    weight: float
    """0–1: the hint's own, less for requests that only read."""
    specificity: int
    """Number of conditions."""
    captures: tuple[str, ...] = ()
    """What the ``*`` of the name pattern stood for."""
    request: Request | None = None


@functools.lru_cache(4096)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """A glob as a regular expression with a group for every ``*``."""
    parts = []
    for char in glob:
        parts.append("(.*?)" if char == "*" else "." if char == "?" else re.escape(char))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def glob_captures(glob: str, text: str | None) -> tuple[str, ...] | None:
    """What the ``*`` of a glob stand for in a text, or None when it doesn't fit."""
    if text is None:
        return None
    match = glob_pattern(glob).fullmatch(text.strip())
    return None if match is None else tuple(g.strip() for g in match.groups())


def match_hints(facts: StepFacts, action: CanonicalAction) -> tuple[HintMatch, ...]:
    """Returns the hints of an action that fit a step."""
    return tuple(m for hint in action.match if (m := _match(facts, hint)) is not None)


def expects_change(action: CanonicalAction) -> bool:
    """Whether the catalogue names a request by which the action changes something."""
    return any(
        hint.request is not None and hint.request.split()[0].upper() in MUTATING_METHODS
        for hint in action.match
    )


def _match(facts: StepFacts, hint: Hint) -> HintMatch | None:
    action = facts.action
    if hint.event and action.type not in hint.event:
        return None
    if hint.role is not None and not _role_fits(hint.role, facts.role):
        return None
    captures: tuple[str, ...] = ()
    if hint.name is not None:
        found = glob_captures(hint.name, facts.name)
        if found is None:
            return None
        captures = found
    if hint.keys and not any(_keys_fit(keys, facts) for keys in hint.keys):
        return None
    if hint.url is not None and not _url_fits(hint.url, action.url):
        return None
    if hint.window is not None:
        window = action.window or facts.step.observation.active_window
        if glob_captures(hint.window, window) is None:
            return None
    if facts.is_focus_key and not hint.keys and not hint.request:
        return None
    request = None
    if hint.request is not None:
        request = next((r for r in facts.requests if _request_fits(hint.request, r)), None)
        if request is None:
            return None
    conditions = (hint.event, hint.role, hint.name, hint.keys, hint.url, hint.window, hint.request)
    specificity = sum(bool(c) for c in conditions)
    weight = hint.weight
    if request is not None and specificity == 1:
        if not is_mutating(request):
            weight *= READING_REQUEST_WEIGHT
    elif hint.event or hint.name or hint.keys:
        weight = min(1.0 + INPUT_BONUS, weight + INPUT_BONUS * weight)
    if facts.was_refused:
        weight *= REFUSED_WEIGHT
    return HintMatch(
        hint=hint,
        step=facts.index,
        weight=weight,
        specificity=specificity,
        captures=captures,
        request=request,
    )


def _role_fits(wanted: str, role: str) -> bool:
    wanted = wanted.lower()
    return wanted == role or (wanted == "textbox" and role == "searchbox")


def _keys_fit(keys: str, facts: StepFacts) -> bool:
    wanted = keys.replace(" ", "").lower().split("+")
    if wanted == ["enter"] and facts.enter:
        return True
    pressed = [key.lower() or "space" for key in facts.chord.split("+")] if facts.chord else []
    names = {"ctrl": "control", "cmd": "meta", "option": "alt", "esc": "escape", "return": "enter"}
    return sorted(names.get(k, k) for k in wanted) == sorted(names.get(k, k) for k in pressed)


def _url_fits(glob: str, url: str | None) -> bool:
    if url is None:
        return False
    if glob_captures(glob, url) is not None:
        return True
    return glob_captures(glob, _path_and_query(url)) is not None


def _request_fits(pattern: str, request: Request) -> bool:
    method, _, glob = pattern.partition(" ")
    if method not in ("*", request.method) and method.upper() != request.method.upper():
        return False
    if is_refused(request):
        return False
    path = _path_and_query(request.url)
    return any(
        glob_captures(glob.strip(), text) is not None
        for text in (path, path.partition("?")[0], request.url)
    )


def _path_and_query(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return parts.path + (f"?{parts.query}" if parts.query else "")
