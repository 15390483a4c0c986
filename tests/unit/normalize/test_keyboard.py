from __future__ import annotations

import msgspec
import pytest

from normalize.recordings import (
    AREA,
    BUTTON,
    LINE,
    LIST,
    OTHER_LINE,
    Recording,
    said,
)
from schemas.outcomes import Ledger
from schemas.traces import Target
from transforms.normalize.coalesce import normalize_events


def test_keydown_input_keyup_of_a_word_are_one_action_with_all_their_events():
    recording = Recording().typed("Hello you", target=LINE)
    action = recording.only()
    assert (action.type, action.text, action.field_value) == ("type", "Hello you", "Hello you")
    assert action.raw_event_ids == tuple(event.id for event in recording.events)
    assert (action.start_us, action.end_us) == (
        recording.events[0].timestamp_us,
        recording.events[-2].timestamp_us,  # the last release changes nothing
    )
    assert action.flags == ()


@pytest.mark.parametrize("target", [None, LINE, AREA])
def test_keys_alone_give_the_same_text(target):
    assert said(Recording().keys("Hello you", target=target).actions()) == ["type: Hello you"]


def test_backspace_edits_the_text():
    assert said(Recording().keys("helo\b\blo w\b!").actions()) == ["type: helo !"]
    assert said(Recording().typed("helo\b\blo", target=LINE).actions()) == ["type: helo"]


def test_backspace_beyond_the_typed_text_is_flagged_because_it_erases_what_stood_there():
    action = Recording().keys("ab\b\b\bc").only()
    assert (action.text, action.flags) == ("c", ("erases_before",))


def test_backspaces_before_any_text_are_presses_of_their_own():
    recording = Recording()
    recording.keys("\b\bxy", target=LINE)
    assert said(recording.actions()) == ["press: Backspace", "press: Backspace", "type: xy"]


def test_all_that_was_typed_was_deleted_again():
    action = Recording().typed("ab\b\b", target=LINE).only()
    assert (action.type, action.text, action.field_value) == ("type", "", "")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["a", "c", "ArrowLeft", "b"], "abc"),
        (["b", "Home", "a", "End", "c"], "abc"),
        (["a", "x", "b", "ArrowLeft", "ArrowLeft", "Delete"], "ab"),
        (["a", "b", "c", "ArrowLeft", "ArrowLeft", "ArrowRight", "Backspace"], "ac"),
    ],
)
def test_the_caret_moves_inside_the_typed_text(keys, text):
    recording = Recording()
    for key in keys:
        recording.key(key, target=LINE)
    assert said(recording.actions()) == [f"type: {text}"]


def test_shift_and_arrows_select_and_typing_replaces():
    recording = Recording().keys("abc", target=LINE)
    recording.add("keydown", key="Shift", modifiers=("Shift",), target=LINE)
    recording.key("ArrowLeft", modifiers=("Shift",), target=LINE)
    recording.key("ArrowLeft", modifiers=("Shift",), target=LINE)
    recording.add("keyup", key="Shift", target=LINE)
    recording.key("x", target=LINE)
    assert said(recording.actions()) == ["type: ax"]


def test_arrows_after_the_last_letter_changed_no_text_and_are_presses():
    recording = Recording().keys("ab", target=LINE)
    recording.key("ArrowLeft", target=LINE).key("ArrowLeft", target=LINE)
    assert said(recording.actions()) == ["type: ab", "press: ArrowLeft", "press: ArrowLeft"]


def test_a_caret_that_leaves_the_typed_text_ends_the_run():
    recording = Recording().keys("ab", target=LINE)
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "c"):
        recording.key(key, target=LINE)
    assert said(recording.actions()) == [
        "type: ab",
        *["press: ArrowLeft"] * 3,
        "type: c",
    ]


def test_arrow_up_and_down_choose_among_suggestions():
    recording = Recording().typed("be", target=LINE)
    recording.key("ArrowDown", target=LINE)
    recording.add("keydown", key="Enter", target=LINE)
    recording.wait(2).add("input", value="berlin", target=LINE)
    recording.wait(20).add("keyup", key="Enter", target=LINE)
    actions = recording.actions()
    assert said(actions) == ["type: be", "press: ArrowDown", "press: Enter"]
    assert actions[2].field_value == "berlin"


def test_enter_and_tab_stay_text_where_typing_goes_on_in_the_same_place():
    assert said(Recording().keys("a\nb\tc").actions()) == ["type: a\nb\tc"]
    assert said(Recording().keys("a\nb", target=AREA).actions()) == ["type: a\nb"]


def test_enter_and_tab_at_the_end_are_presses():
    assert said(Recording().keys("ab\n").actions()) == ["type: ab", "press: Enter"]
    assert said(Recording().keys("ab\t").actions()) == ["type: ab", "press: Tab"]
    assert said(Recording().keys("\n").actions()) == ["press: Enter"]


def test_enter_in_a_line_is_a_press_and_typing_starts_anew():
    assert said(Recording().keys("a\nb", target=LINE).actions()) == [
        "type: a",
        "press: Enter",
        "type: b",
    ]


def test_enter_in_an_area_is_text_when_an_input_event_says_so():
    action = Recording().typed("one\n", target=AREA).only()
    assert (action.text, action.field_value) == ("one\n", "one\n")


def test_enter_that_sends_a_message_is_a_press_though_the_field_has_several_lines():
    recording = Recording().typed("hi", target=AREA).key("Enter", target=AREA)
    recording.typed("again", target=AREA).key("Enter", target=AREA)
    assert said(recording.actions()) == [
        "type: hi",
        "press: Enter",
        "type: again",
        "press: Enter",
    ]


def test_tab_goes_to_the_next_field():
    recording = Recording().typed("nora", target=LINE).key("Tab", target=LINE)
    recording.typed("secret", target=OTHER_LINE)
    assert said(recording.actions()) == ["type: nora", "press: Tab", "type: secret"]


def test_shift_and_tab_go_back():
    recording = Recording().keys("ab", target=AREA).chord("Shift", "Tab", target=AREA)
    assert said(recording.actions()) == ["type: ab", "press: Shift+Tab"]


def test_shift_and_a_letter_are_typing_and_shift_belongs_to_it():
    recording = Recording()
    recording.chord("Shift", "H", target=LINE).key("i", target=LINE)
    action = recording.only()
    assert (action.text, len(action.raw_event_ids)) == ("Hi", 6)


def test_shift_alone_between_letters_is_nothing():
    recording = Recording().keys("a", target=LINE)
    recording.key("Shift", target=LINE)
    recording.keys("b", target=LINE)
    assert said(recording.actions()) == ["type: ab"]


@pytest.mark.parametrize("named", [True, False])
def test_a_chord_is_a_press_with_modifiers_first(named):
    recording = Recording().chord("Shift", "Control", "S", named=named)
    action = recording.only()
    assert action.keys == ("Control", "Shift", "s")
    assert len(action.raw_event_ids) == 6


def test_a_chord_ends_a_run_and_is_not_text():
    recording = Recording().typed("ab", target=LINE).chord("Control", "a", target=LINE)
    recording.typed("c", target=LINE)
    actions = recording.actions()
    assert said(actions) == ["type: ab", "press: Control+a", "type: c"]
    assert actions[2].field_value == "c"


def test_control_held_for_two_chords_belongs_to_the_first():
    recording = Recording()
    recording.add("keydown", key="Control", modifiers=("Control",))
    recording.wait(20).key("c", modifiers=("Control",)).key("d", modifiers=("Control",))
    recording.add("keyup", key="Control")
    first, second = recording.actions()
    assert (first.keys, second.keys) == (("Control", "c"), ("Control", "d"))
    assert (len(first.raw_event_ids), len(second.raw_event_ids)) == (4, 2)


def test_a_modifier_alone_is_a_press():
    recording = Recording().key("Meta")
    assert said(recording.actions()) == ["press: Meta"]


def test_a_lost_release_of_control_does_not_turn_typing_into_chords():
    recording = Recording()
    recording.add("keydown", key="Control")
    recording.wait(15_000).keys("ab")
    assert "type: ab" in said(recording.actions())


@pytest.mark.parametrize(
    ("key", "modifiers"), [("@", ("Alt", "Control")), ("ł", ("Alt", "Control")), ("å", ("Alt",))]
)
def test_altgr_and_option_make_characters(key, modifiers):
    recording = Recording().key("a", target=LINE).key(key, modifiers=modifiers, target=LINE)
    assert said(recording.actions()) == [f"type: a{key}"]


def test_altgr_named_by_its_key_makes_characters():
    recording = Recording()
    recording.add("keydown", key="AltGraph", target=LINE)
    recording.key("q", target=LINE)
    recording.add("keyup", key="AltGraph", target=LINE)
    assert said(recording.actions()) == ["type: q"]


def test_control_alt_and_a_letter_are_a_chord():
    recording = Recording().key("t", modifiers=("Alt", "Control"))
    assert said(recording.actions()) == ["press: Control+Alt+t"]


def test_a_held_letter_repeats():
    recording = Recording()
    recording.add("keydown", key="a", target=LINE)
    for _ in range(3):
        recording.wait(33).add("keydown", key="a", target=LINE, additional_info={"repeat": True})
    recording.wait(20).add("keyup", key="a", target=LINE)
    action = recording.only()
    assert (action.text, action.flags) == ("aaaa", ("auto_repeat",))


def test_a_held_backspace_deletes_as_often_as_it_repeats():
    recording = Recording().keys("abcd", target=LINE)
    recording.add("keydown", key="Backspace", target=LINE)
    recording.wait(300).add("keydown", key="Backspace", target=LINE)
    recording.wait(33).add("keydown", key="Backspace", target=LINE)
    recording.wait(33).add("keyup", key="Backspace", target=LINE)
    assert said(recording.actions()) == ["type: a"]


def test_a_held_arrow_is_one_press():
    recording = Recording()
    recording.add("keydown", key="ArrowDown")
    for _ in range(4):
        recording.wait(40).add("keydown", key="ArrowDown")
    recording.wait(40).add("keyup", key="ArrowDown")
    action = recording.only()
    assert (action.keys, action.flags) == (("ArrowDown",), ("auto_repeat",))
    assert len(action.raw_event_ids) == 6


def test_arrows_pressed_one_after_the_other_are_as_many_presses():
    recording = Recording().key("ArrowDown").key("ArrowDown")
    assert said(recording.actions()) == ["press: ArrowDown"] * 2


def test_a_key_seen_in_two_phases_is_one_letter():
    recording = Recording()
    for _ in range(2):
        recording.add("keydown", key="a")
    recording.wait(30)
    for _ in range(2):
        recording.add("keyup", key="a")
    action = recording.only()
    assert action.text == "a"
    assert sorted(recording.fates().values()) == [
        "kept",
        "merged",
        "merged",
        "release_without_press",
    ]


def test_double_letters_of_a_recorder_without_keyup_are_two_letters_even_at_one_time():
    recording = Recording()
    for key in "hello":
        recording.add("keydown", key=key)
    assert recording.only().text == "hello"


def test_a_release_without_a_press_is_dropped():
    recording = Recording()
    recording.add("keyup", key="a")
    assert recording.fates() == {"e1": "release_without_press"}


def test_a_press_without_a_release_is_flagged():
    recording = Recording().key("F5")
    recording.add("keydown", key="Escape")
    actions = recording.actions()
    assert [action.flags for action in actions] == [(), ("missing_release",)]


def test_a_second_press_long_after_a_lost_release_is_a_second_press():
    recording = Recording().key("x", target=BUTTON)
    recording.add("keydown", key="F5")
    recording.wait(3000).key("F5")
    assert said(recording.actions()) == ["press: x", "press: F5", "press: F5"]


def test_keys_overlap_when_one_types_fast():
    recording = Recording()
    recording.add("keydown", key="a")
    recording.wait(30).add("keydown", key="b")
    recording.wait(30).add("keyup", key="a")
    recording.wait(30).add("keyup", key="b")
    action = recording.only()
    assert (action.text, len(action.raw_event_ids)) == ("ab", 4)


def test_shift_released_before_its_letter_does_not_confuse_the_release():
    recording = Recording()
    recording.add("keydown", key="Shift", code="ShiftLeft", modifiers=("Shift",))
    recording.add("keydown", key="A", code="KeyA", modifiers=("Shift",))
    recording.wait(20).add("keyup", key="Shift", code="ShiftLeft")
    recording.wait(20).add("keyup", key="a", code="KeyA")
    action = recording.only()
    assert (action.text, len(action.raw_event_ids), action.flags) == ("A", 4, ())


def test_names_of_keys_differ_between_recorders():
    recording = Recording().key("ctrl_l", gap_ms=0)
    recording = Recording()
    recording.add("keydown", key="Key.ctrl_l")
    recording.wait(20).key("s")
    recording.add("keyup", key="Key.ctrl_l")
    assert said(recording.actions()) == ["press: Control+s"]
    assert said(Recording().key("Return").actions()) == ["press: Enter"]
    assert said(Recording().key("esc").actions()) == ["press: Escape"]


def test_a_key_without_its_character_is_read_from_its_code():
    recording = Recording()
    recording.add("keydown", code="KeyH", modifiers=("Shift",))
    recording.wait(20).add("keydown", code="KeyI")
    recording.wait(20).add("keydown", code="Digit1", modifiers=("Shift",))
    assert recording.only().text == "Hi!"


def test_keys_on_buttons_and_lists_operate_them():
    assert said(Recording().key(" ", target=BUTTON).actions()) == ["press: Space"]
    assert said(Recording().key("b", target=LIST).actions()) == ["press: b"]


def test_letters_on_a_page_that_answers_with_no_input_are_shortcuts():
    page = Target(tag="body")
    recording = Recording().typed("a", target=LINE).wait(500)
    recording.key("j", target=page).key("k", target=page)
    assert said(recording.actions()) == ["type: a", "press: j", "press: k"]


def test_an_editable_element_answers_with_input_and_is_typed_in():
    editor = Target(tag="div", selector="#editor")
    recording = Recording()
    for key in "ab":
        recording.add("keydown", key=key, target=editor)
        recording.wait(2).add("input", text=key, target=editor)
        recording.wait(20).add("keyup", key=key, target=editor)
    assert said(recording.actions()) == ["type: ab"]


def test_a_click_ends_a_run():
    recording = Recording().typed("ab", target=LINE).click(target=LINE).wait(100)
    recording.typed("c", before="ab", target=LINE)
    actions = recording.actions()
    assert said(actions) == ["type: ab", "click", "type: c"]
    assert actions[2].field_value == "abc"


def test_a_pause_does_not_end_a_run():
    recording = Recording().keys("ab", target=LINE).wait(20_000).keys("c", target=LINE)
    assert said(recording.actions()) == ["type: abc"]


def test_keys_without_a_target_go_to_the_focused_field():
    recording = Recording()
    recording.add("focus", target=LINE)
    recording.keys("a")
    recording.add("focus", target=OTHER_LINE)
    recording.keys("b")
    actions = recording.actions()
    assert said(actions) == ["type: a", "type: b"]
    assert actions[1].target == OTHER_LINE


def test_typing_in_two_tabs_is_never_mixed():
    recording = Recording()
    for one, other in zip("mail", "shop"):
        recording.key(one, tab="t1", hold_ms=10, gap_ms=10)
        recording.key(other, tab="t2", hold_ms=10, gap_ms=10)
    actions = recording.actions()
    assert {(a.tab, a.text) for a in actions} == {("t1", "mail"), ("t2", "shop")}


def test_coming_back_to_a_tab_starts_another_run():
    recording = Recording().keys("ab", tab="t1", target=LINE)
    recording.wait(800).keys("x", tab="t2", target=LINE)
    recording.wait(800).keys("cd", tab="t1", target=LINE)
    assert [(a.tab, a.text) for a in recording.actions()] == [
        ("t1", "ab"),
        ("t2", "x"),
        ("t1", "cd"),
    ]


def test_a_modifier_stays_held_across_tabs():
    recording = Recording()
    recording.add("keydown", key="Control", tab="t1")
    recording.wait(50).add("tabswitch", tab="t2")
    recording.wait(50).key("w", tab="t2")
    recording.add("keyup", key="Control", tab="t2")
    assert said(recording.actions())[-1] == "press: Control+w"
    assert "release_without_press" not in recording.fates().values()


def test_caps_lock_inside_a_text_belongs_to_it():
    recording = Recording().keys("a").key("CapsLock").keys("B")
    assert said(recording.actions()) == ["type: aB"]


def test_an_emoji_is_one_character_of_the_text():
    recording = Recording().key("👍🏽", target=LINE).key("a", target=LINE)
    recording.key("Backspace", target=LINE)
    assert recording.only().text == "👍🏽"


def test_two_chords_of_command_without_the_release_macos_swallows():
    recording = Recording()
    recording.add("keydown", key="Meta", modifiers=("Meta",))
    for _ in range(2):
        recording.wait(40).add("keydown", key="z", modifiers=("Meta",))
        recording.wait(250)
    recording.add("keyup", key="Meta")
    actions = recording.actions()
    assert said(actions) == ["press: Meta+z", "press: Meta+z"]
    assert [action.flags for action in actions] == [(), ()]


def test_a_chord_on_another_alphabet_is_named_by_its_place():
    recording = Recording().key("с", code="KeyC", modifiers=("Control",))
    assert said(recording.actions()) == ["press: Control+c"]


def test_a_trace_that_reading_had_to_drop_from_still_balances():
    recording = Recording().key("a")
    trace = recording.trace()
    ledger = Ledger(lines=6, failed_lines=1, raw=5, dropped={"session_failed": 3})
    made = normalize_events(msgspec.structs.replace(trace, ledger=ledger))
    assert made.ledger.balanced
    assert made.ledger.dropped == {"session_failed": 3}
    assert (made.ledger.raw, made.ledger.kept, made.ledger.merged) == (5, 1, 1)


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ("Notes", "Mail", ["ab", "c"]),
        ("Untitled - Notes", "*Untitled - Notes", ["abc"]),
        ("Inbox (3)", "Inbox (4)", ["abc"]),
        ("Notes", None, ["abc"]),
    ],
)
def test_another_window_ends_a_run_in_a_field_nothing_is_known_of(before, after, texts):
    recording = Recording().keys("ab", window=before).keys("c", window=after)
    assert [action.text for action in recording.actions()] == texts


def test_another_title_does_not_end_a_run_in_a_known_field():
    recording = Recording().typed("ab", target=LINE, window="New message")
    recording.typed("c", before="ab", target=LINE, window="Draft: abc")
    assert said(recording.actions()) == ["type: abc"]
