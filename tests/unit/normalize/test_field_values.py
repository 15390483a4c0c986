from __future__ import annotations

from normalize.recordings import AREA, BOX, LINE, LIST, OTHER_LINE, Recording, said
from schemas.traces import Target


def test_what_the_field_holds_wins_over_the_keys():
    recording = Recording()
    for key, value in [("t", "t"), ("e", "te"), ("h", "teh"), (" ", "the ")]:
        recording.add("keydown", key=key, target=LINE)
        recording.wait(2).add("input", value=value, target=LINE)
        recording.wait(30).add("keyup", key=key, target=LINE)
    action = recording.only()
    assert (action.text, action.field_value, action.flags) == ("the ", "the ", ("value_differs",))


def test_a_corrected_text_is_only_what_this_run_added():
    recording = Recording().typed("see ", target=LINE).click(target=LINE).wait(500)
    recording.add("keydown", key="x", target=LINE)
    recording.wait(2).add("input", value="see X!", target=LINE)
    recording.wait(20).add("keyup", key="x", target=LINE)
    last = recording.actions()[-1]
    assert (last.text, last.field_value, last.flags) == ("X!", "see X!", ("value_differs",))


def test_typing_into_the_middle_agrees_with_the_whole_value():
    recording = Recording().typed("ac", target=LINE).click(target=LINE).wait(500)
    recording.add("keydown", key="b", target=LINE)
    recording.wait(2).add("input", value="abc", target=LINE)
    recording.wait(20).add("keyup", key="b", target=LINE)
    last = recording.actions()[-1]
    assert (last.text, last.field_value, last.flags) == ("b", "abc", ())


def test_whole_values_without_keys_are_the_text_once():
    recording = Recording()
    for value in ("h", "he", "hel", "hello"):
        recording.add("input", value=value, target=LINE)
        recording.wait(80)
    action = recording.only()
    assert (action.type, action.text, action.flags) == ("type", "hello", ("value_only",))


def test_an_accepted_suggestion_completes_the_typed_text():
    recording = Recording().typed("Kiln Y", target=LINE).wait(600)
    recording.add("input", value="Kiln Yard 14", target=LINE)
    action = recording.only()
    assert (action.text, action.field_value) == ("Kiln Yard 14", "Kiln Yard 14")


def test_text_inserted_without_keys_is_typed():
    recording = Recording()
    recording.add("input", text="9 Weavers Row", value="9 Weavers Row", target=LINE)
    recording.wait(900).add("change", value="9 Weavers Row", target=LINE)
    action = recording.only()
    assert (action.type, action.text, action.field_value) == (
        "type",
        "9 Weavers Row",
        "9 Weavers Row",
    )


def test_a_field_that_gives_no_value_keeps_the_keys():
    password = Target(tag="input", input_type="password", selector="#p")
    recording = Recording()
    for key in "Kite-4":
        recording.add("keydown", key=key, target=password)
        recording.wait(2).add("input", target=password)
        recording.wait(20).add("keyup", key=key, target=password)
    action = recording.only()
    assert (action.text, action.field_value) == ("Kite-4", None)


def test_input_data_of_a_key_that_names_no_character_is_its_text():
    recording = Recording()
    for key in "ok":
        recording.add("keydown", key="Unidentified", target=LINE)
        recording.wait(2).add(
            "input", text=key, target=LINE, additional_info={"input_type": "insertText"}
        )
        recording.wait(20).add("keyup", key="Unidentified", target=LINE)
    assert recording.only().text == "ok"


def test_a_soft_keyboards_backspace_is_known_from_the_input_alone():
    recording = Recording()
    for key in "okk":
        recording.add("input", text=key, target=LINE, additional_info={"input_type": "insertText"})
        recording.wait(50)
    recording.add("input", target=LINE, additional_info={"input_type": "deleteContentBackward"})
    assert recording.only().text == "ok"


def test_the_change_event_of_a_field_left_by_a_click_belongs_to_its_typing():
    recording = Recording().typed("to be", target=LINE).wait(400)
    recording.down(target=OTHER_LINE)
    recording.add("change", value="to be", target=LINE)
    recording.add("blur", target=LINE)
    recording.add("focus", target=OTHER_LINE)
    recording.wait(60).up(target=OTHER_LINE)
    recording.add("click", x=50, y=50, target=OTHER_LINE)
    assert said(recording.actions()) == ["type: to be", "click"]
    assert recording.fates()["e17"] == "merged"


def test_a_change_that_trims_the_text_wins():
    recording = Recording().typed("to be ", target=LINE)
    recording.wait(300).add("change", value="to be", target=LINE)
    action = recording.only()
    assert (action.text, action.field_value) == ("to be", "to be")


def test_a_change_without_keys_types_the_value():
    recording = Recording()
    recording.add("change", value="filled in", target=LINE)
    action = recording.only()
    assert (action.type, action.text, action.flags) == ("type", "filled in", ("value_only",))


# Input methods --------------------------------------------------------------------------------


def compose(recording: Recording, letters: str, committed: str, key: str = "Process") -> None:
    shown = ""
    for place, letter in enumerate(letters):
        recording.add("keydown", key=key, code=f"Key{letter.upper()}", target=AREA)
        if not place:
            recording.add("compositionstart", target=AREA)
        shown += letter
        recording.wait(3).add(
            "input",
            text=shown,
            target=AREA,
            additional_info={"input_type": "insertCompositionText", "is_composing": True},
        )
        recording.wait(30).add("keyup", key=letter, code=f"Key{letter.upper()}", target=AREA)
        recording.wait(50)
    recording.add("compositionend", text=committed, target=AREA)


def test_a_composition_gives_the_committed_text_only():
    recording = Recording()
    compose(recording, "nihao", "你好")
    action = recording.only()
    assert (action.text, action.flags) == ("你好", ("ime",))


def test_keys_named_by_their_letters_are_not_text_while_composing():
    recording = Recording().keys("a", target=AREA)
    recording.add("compositionstart", target=AREA)
    recording.wait(10).keys("ni", target=AREA)
    recording.add("compositionend", text="你", target=AREA)
    recording.wait(50).keys("b", target=AREA)
    assert recording.only().text == "a你b"


def test_the_input_event_after_a_composition_does_not_double_it():
    recording = Recording()
    compose(recording, "ni", "你")
    recording.wait(2).add("input", text="你", value="你", target=AREA)
    recording.wait(200).keys("!", target=AREA)
    recording.add("input", text="!", value="你!", target=AREA)
    action = recording.only()
    assert (action.text, action.field_value, action.flags) == ("你!", "你!", ("ime",))


def test_a_cancelled_composition_leaves_nothing():
    recording = Recording()
    compose(recording, "ni", "")
    made = recording.normalized()
    assert made.actions == ()
    assert made.ledger.dropped == {"no_text": len(recording.events)}


def test_a_composition_whose_end_was_not_recorded_is_committed_by_what_follows():
    recording = Recording().typed("Caf", target=LINE)
    recording.add("keydown", key="Dead", code="Quote", target=LINE)
    recording.add("compositionstart", target=LINE)
    recording.wait(2).add(
        "input",
        text="é",
        value="Café",
        target=LINE,
        additional_info={"input_type": "insertCompositionText", "is_composing": True},
    )
    recording.wait(20).add("keyup", key="Dead", code="Quote", target=LINE)
    recording.wait(100).typed(" X", before="Café", target=LINE)
    action = recording.only()
    assert (action.text, action.field_value, action.flags) == ("Café X", "Café X", ("ime",))


# Paste ----------------------------------------------------------------------------------------


def test_the_chord_the_paste_and_the_input_are_one_paste():
    recording = Recording().typed("a", target=LINE).wait(300)
    recording.add("keydown", key="Control", modifiers=("Control",), target=LINE)
    recording.wait(40).add("keydown", key="v", modifiers=("Control",), target=LINE)
    recording.wait(5).add("paste", text="KILN-14", target=LINE)
    recording.wait(2).add(
        "input", value="aKILN-14", target=LINE, additional_info={"input_type": "insertFromPaste"}
    )
    recording.wait(30).add("keyup", key="v", modifiers=("Control",), target=LINE)
    recording.add("keyup", key="Control", target=LINE)
    typed, pasted = recording.actions()
    assert (pasted.type, pasted.text, pasted.field_value) == ("paste", "KILN-14", "aKILN-14")
    assert pasted.keys == ("Control", "v")
    assert len(pasted.raw_event_ids) == 6
    assert typed.text == "a"


def test_a_paste_from_the_menu_stands_alone():
    recording = Recording()
    recording.add("paste", text="KILN-14", target=LINE)
    recording.wait(2).add("input", value="KILN-14", target=LINE)
    action = recording.only()
    assert (action.type, action.text, action.field_value) == ("paste", "KILN-14", "KILN-14")


def test_a_paste_without_its_text_is_what_it_added():
    recording = Recording().typed("a", target=LINE).wait(300)
    recording.add("keydown", key="v", modifiers=("Meta",), target=LINE)
    recording.wait(5).add(
        "input", value="aKILN", target=LINE, additional_info={"input_type": "insertFromPaste"}
    )
    assert said(recording.actions()) == ["type: a", "paste: KILN"]


def test_two_pastes_are_two():
    recording = Recording()
    for n in (1, 2):
        recording.add("keydown", key="v", modifiers=("Control",), target=LINE)
        recording.wait(2).add("paste", text="x", target=LINE)
        recording.add("input", value="x" * n, target=LINE)
        recording.wait(30).add("keyup", key="v", target=LINE)
        recording.wait(300)
    assert said(recording.actions()) == ["paste: x", "paste: x"]


def test_cut_and_undo_carry_the_value_they_leave():
    recording = Recording().typed("ab", target=LINE).chord("Control", "a", target=LINE)
    recording.add("keydown", key="x", modifiers=("Control",), target=LINE)
    recording.wait(2).add(
        "input", value="", target=LINE, additional_info={"input_type": "deleteByCut"}
    )
    recording.wait(20).add("keyup", key="x", target=LINE)
    last = recording.actions()[-1]
    assert (last.keys, last.field_value) == (("Control", "x"), "")


# Lists and boxes ------------------------------------------------------------------------------


def test_a_choice_from_a_list_takes_its_click_with_it():
    recording = Recording().click(70, 20, target=LIST).wait(900)
    recording.add("input", value="rec", text="Receipts", target=LIST)
    recording.add("change", value="rec", text="Receipts", target=LIST)
    action = recording.only()
    assert (action.type, action.text, action.field_value) == ("select", "Receipts", "rec")
    assert (action.x, action.y) == (70, 20)
    assert len(action.raw_event_ids) == 5


def test_a_list_chosen_by_its_value_alone():
    recording = Recording()
    recording.add("change", value="rec", target=LIST)
    action = recording.only()
    assert (action.type, action.text, action.field_value) == ("select", "rec", "rec")


def test_the_click_on_the_option_belongs_to_the_choice():
    option = Target(tag="option", text="Receipts")
    recording = Recording().click(70, 20, target=LIST).wait(700)
    recording.click(70, 60, target=option)
    recording.add("change", value="Receipts", target=LIST)
    action = recording.only()
    assert (action.type, action.text, len(action.raw_event_ids)) == ("select", "Receipts", 7)


def test_walking_a_list_with_the_arrows_is_one_choice():
    recording = Recording()
    for value in ("one", "two", "three"):
        recording.add("keydown", key="ArrowDown", target=LIST)
        recording.wait(2).add("input", value=value, target=LIST)
        recording.add("change", value=value, target=LIST)
        recording.wait(40).add("keyup", key="ArrowDown", target=LIST)
        recording.wait(100)
    action = recording.only()
    assert (action.type, action.text, len(action.raw_event_ids)) == ("select", "three", 12)


def test_two_choices_by_mouse_are_two():
    recording = Recording()
    for value in ("one", "two"):
        recording.click(target=LIST).wait(500)
        recording.add("change", value=value, target=LIST)
        recording.wait(2000)
    assert said(recording.actions()) == ["select: one", "select: two"]


def test_tabbing_into_a_list_is_not_part_of_the_choice():
    recording = Recording().typed("a", target=LINE).key("Tab", target=LINE)
    recording.add("keydown", key="ArrowDown", target=LIST)
    recording.wait(2).add("change", value="two", target=LIST)
    recording.wait(30).add("keyup", key="ArrowDown", target=LIST)
    assert said(recording.actions()) == ["type: a", "press: Tab", "select: two"]


def test_ticking_a_box_is_a_click_that_knows_the_state():
    recording = Recording().click(target=BOX)
    recording.add("input", value="true", target=BOX)
    recording.add("change", value="true", target=BOX)
    action = recording.only()
    assert (action.type, action.field_value) == ("click", "true")


def test_ticking_a_box_with_the_space_key():
    recording = Recording()
    recording.add("keydown", key=" ", target=BOX)
    recording.wait(40).add("keyup", key=" ", target=BOX)
    recording.add("click", x=0, y=0, target=BOX)
    recording.add("change", value="true", target=BOX)
    action = recording.only()
    assert (action.type, action.keys, action.field_value) == ("press", ("Space",), "true")


def test_a_slider_that_is_pulled():
    slider = Target(tag="input", input_type="range", selector="#price")
    recording = Recording().down(10, 10, target=slider)
    for n in (1, 2, 3):
        recording.wait(20).add("mousemove", x=10 + 10 * n, y=10)
        recording.add("input", value=str(n), target=slider)
    recording.up(40, 10, target=slider)
    recording.add("change", value="3", target=slider)
    action = recording.only()
    assert (action.type, action.field_value) == ("drag", "3")


def test_the_arrows_of_a_number_field_change_it_by_a_click():
    number = Target(tag="input", input_type="number", selector="#n")
    recording = Recording().down(target=number)
    recording.wait(5).add("input", value="2", target=number)
    recording.wait(60).up(target=number)
    recording.add("click", x=50, y=50, button="left", target=number)
    action = recording.only()
    assert (action.type, action.field_value) == ("click", "2")


def test_emptying_a_search_by_its_cross_is_a_click():
    search = Target(tag="input", input_type="search", selector="#q")
    recording = Recording().typed("ab", target=search).wait(900).click(target=search)
    recording.wait(10).add("input", value="", target=search)
    actions = recording.actions()
    assert said(actions) == ["type: ab", "click"]
    assert actions[1].field_value == ""


def test_a_box_that_changes_by_itself_is_a_click_nobody_saw():
    recording = Recording()
    recording.add("change", value="true", target=BOX)
    action = recording.only()
    assert (action.type, action.flags) == ("click", ("value_only",))


def test_what_a_field_held_on_another_page_explains_nothing_here():
    recording = Recording().typed("Help", target=LINE).wait(6000)
    recording.add("navigation", url="https://a.example/next")
    recording.wait(900).add("input", value="Hello", target=LINE)
    assert said(recording.actions())[-1] == "type: Hello"


def test_a_field_that_the_page_emptied_is_typed_in_anew():
    recording = Recording()
    for value in ("hi", "hi you"):
        recording.wait(80).add("input", value=value, target=AREA)
    recording.wait(400).click().wait(900)
    for value in ("h", "hi", "hi there"):
        recording.wait(80).add("input", value=value, target=AREA)
    assert said(recording.actions()) == ["type: hi you", "click", "type: hi there"]


def test_a_change_after_the_view_changed_still_belongs_to_its_typing():
    recording = Recording().typed("tents", target=LINE).key("Enter", target=LINE)
    recording.add("navigation", url="#/search")
    recording.wait(300).add("change", value="tents", target=LINE)
    assert said(recording.actions()) == ["type: tents", "press: Enter"]
