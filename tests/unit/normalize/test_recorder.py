from __future__ import annotations

import pytest

from normalize.recordings import LINE, Recording, said


def hotkey(recording: Recording, releases: int) -> Recording:
    recording.add("keydown", key="Control", modifiers=("Control",))
    recording.wait(40).add("keydown", key="Alt", modifiers=("Alt", "Control"))
    recording.wait(40).add("keydown", key="r", modifiers=("Alt", "Control"))
    for key in ("r", "Alt", "Control")[:releases]:
        recording.wait(30).add("keyup", key=key)
    return recording


@pytest.mark.parametrize("named", [("Control", "Alt", "R"), ("ctrl+alt+r",), ("r", "alt", "ctrl")])
@pytest.mark.parametrize("releases", [0, 1, 3])
def test_the_stop_hotkey_is_dropped_also_with_missing_releases(named, releases):
    recording = Recording(recorder={"stop_hotkey": named}).typed("ab", target=LINE).wait(900)
    hotkey(recording, releases)
    made = recording.normalized()
    assert said(made.actions) == ["type: ab"]
    assert made.ledger.dropped == {"stop_hotkey": 3 + releases}


def test_another_chord_of_the_same_letter_stays():
    recording = Recording(recorder={"stop_hotkey": ("Control", "Alt", "r")})
    recording.chord("Control", "r").wait(500).key("r", target=LINE)
    assert said(recording.actions()) == ["press: Control+r", "type: r"]


def test_a_modifier_whose_release_was_lost_long_ago_makes_no_hotkey():
    recording = Recording(recorder={"stop_hotkey": ("Control", "r")})
    recording.add("keydown", key="Control")
    recording.wait(60_000).key("r", target=LINE)
    assert "stop_hotkey" not in recording.normalized().ledger.dropped


def test_a_hotkey_of_one_key():
    recording = Recording(recorder={"stop_hotkey": ("F9",)}).key("a").key("F9").key("F9")
    assert recording.normalized().ledger.dropped == {"stop_hotkey": 4}


def test_a_hotkey_given_by_modifiers_alone():
    recording = Recording(recorder={"stop_hotkey": ("Control", "Shift", "x")})
    recording.key("X", modifiers=("Control", "Shift"))
    assert recording.normalized().ledger.dropped == {"stop_hotkey": 2}


@pytest.mark.parametrize(
    ("window", "dropped"),
    [
        ("Session Recorder", True),
        ("session recorder ", True),
        ("Session Recorder - Browser", True),
        ("Session Recorder manual", False),
        ("My Session Recorder", False),
    ],
)
def test_what_happens_in_the_recorders_window_is_dropped(window, dropped):
    recording = Recording(recorder={"window": "Session Recorder"}).click(window=window)
    expected = {"recorder_window": 3} if dropped else {}
    assert recording.normalized().ledger.dropped == expected


def test_a_tab_stays_the_recorders_until_it_shows_something_else():
    recording = Recording(recorder={"window": "Recorder"})
    recording.add("tabswitch", tab="r", window="Recorder")
    recording.click(tab="r").wait(600)
    recording.add("tabswitch", tab="work", window="Mail")
    recording.wait(600).click(tab="work").wait(600)
    recording.add("navigation", tab="r", url="https://a.example/")
    recording.wait(9000).click(tab="r")
    made = recording.normalized()
    assert said(made.actions)[:2] == ["switch_tab: Mail", "click"]
    assert made.ledger.dropped == {"recorder_window": 4}
    assert said(made.actions)[-1] == "click"


def test_without_a_recorder_nothing_is_dropped():
    assert hotkey(Recording(), 3).normalized().ledger.dropped == {}


def test_option_makes_another_letter_of_the_hotkey_on_a_mac():
    recording = Recording(recorder={"stop_hotkey": ("Alt", "r")})
    recording.add("keydown", key="Alt", modifiers=("Alt",))
    recording.wait(30).add("keydown", key="®", code="KeyR", modifiers=("Alt",))
    recording.wait(30).add("keyup", key="®", code="KeyR", modifiers=("Alt",))
    assert recording.normalized().ledger.dropped == {"stop_hotkey": 3}
