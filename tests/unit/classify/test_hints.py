"""Hints of the catalogue: all conditions on one step."""

from __future__ import annotations

import pytest

from schemas.catalogue import CanonicalAction, Hint
from tests.unit.classify.recordings import Recording
from transforms.classify.facts import StepFacts, collect_facts
from transforms.classify.hints import glob_captures, match_hints


def facts(recording: Recording) -> StepFacts:
    return collect_facts(recording.prepared())[-1]


def fits(step: StepFacts, **hint: object) -> bool:
    action = CanonicalAction(id="a", suite_id="s", name="a", match=(Hint(**hint),))
    return bool(match_hints(step, action))


def test_globs_keep_what_the_star_stood_for() -> None:
    assert glob_captures("Remove *", "remove Rye bread") == ("Rye bread",)
    assert glob_captures("Add*to basket", "Add Oat milk to basket") == ("Oat milk",)
    assert glob_captures("Add*to basket", "Add to basket") == ("",)
    assert glob_captures("Star*", "Unstar it") is None
    assert glob_captures("[x]?", "[X]1") == ()
    assert glob_captures("*", None) is None


def test_each_condition_must_hold() -> None:
    step = facts(Recording().click("button", "Send").request("POST", "/api/messages?draft=0"))
    for hint in (
        {"event": ("click", "tap")},
        {"role": "Button"},
        {"name": "send"},
        {"window": "sh*"},
        {"url": "http://shop.test/*"},
        {"url": "/"},
        {"request": "POST /api/messages"},
        {"request": "post /api/*"},
        {"request": "* */messages"},
        {"event": ("click",), "name": "Send", "request": "POST /api/messages"},
    ):
        assert fits(step, **hint), hint
    for hint in (
        {"event": ("tap",)},
        {"role": "link"},
        {"name": "Send now"},
        {"window": "Mail*"},
        {"url": "/x"},
        {"keys": ("Enter",)},
        {"request": "GET /api/messages"},
        {"request": "POST /api/message"},
        {"event": ("click",), "name": "Send", "request": "POST /api/drafts"},
    ):
        assert not fits(step, **hint), hint


@pytest.mark.parametrize(
    ("keys", "pressed"),
    [
        ("Control+Enter", ("Control", "Enter")),
        ("ctrl+s", ("Control", "s")),
        ("Shift+Control+P", ("Control", "Shift", "p")),
        ("Cmd+K", ("Meta", "k")),
        ("Esc", ("Escape",)),
    ],
)
def test_chords_in_usual_spellings(keys: str, pressed: tuple[str, ...]) -> None:
    step = facts(Recording().step("press", "textbox", "Text", keys=pressed))
    assert fits(step, keys=(keys,))
    assert not fits(step, keys=("Control+q",))


def test_enter_counts_where_it_submits() -> None:
    typed = facts(Recording().type("searchbox", "Search", "tea\n"))
    assert fits(typed, keys=("Enter",), role="searchbox")
    lines = facts(Recording().type("textbox", "Text", "Dear all,\n", tag="textarea"))
    assert not fits(lines, keys=("Enter",))


def test_keys_that_leave_a_field_do_nothing_to_it() -> None:
    tab = facts(Recording().step("press", "textbox", "Due date", keys=("Tab",)))
    assert not fits(tab, event=("type", "press"), name="Due date")
    assert fits(tab, event=("press",), keys=("Tab",))


def test_a_refused_request_weakens_the_input_that_caused_it() -> None:
    hint = CanonicalAction(id="a", suite_id="s", name="a", match=(Hint(name="Send"),))
    done = facts(Recording().click("button", "Send").request("POST", "/x"))
    refused = facts(Recording().click("button", "Send").request("POST", "/x", status=400))
    assert match_hints(refused, hint)[0].weight < 0.5 < match_hints(done, hint)[0].weight
    assert not fits(refused, request="POST /x")


def test_a_reading_request_alone_is_a_weak_sign() -> None:
    hint = CanonicalAction(id="a", suite_id="s", name="a", match=(Hint(request="* /x*"),))
    read = facts(Recording().click("link", "x").request("GET", "/x?q=1"))
    change = facts(Recording().click("link", "x").request("POST", "/x"))
    assert match_hints(read, hint)[0].weight < match_hints(change, hint)[0].weight == 1.0
