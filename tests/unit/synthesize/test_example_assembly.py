import dataclasses

import pytest
from synthesis_samples import (
    BOOKS,
    CATALOGUE,
    DESK,
    ONLY_BOOKS,
    SESSION_ID,
    SUITE,
    added,
    classified,
    frame,
    prepared,
    segment,
    step,
    synthesize,
)

from schemas.catalogue import Catalogue
from schemas.outcomes import Dropped
from transforms.synthesize.examples import SynthesisSettings, synthesize_examples

ALL_MAPS = SynthesisSettings()


def settings(**fields):
    return dataclasses.replace(ONLY_BOOKS, **fields)


def two_accepted(**fields):
    session = prepared(step(0), step(1), step(2), **fields)
    return session, [
        added(segment(0, 0, 1), "Rent", 12, confidence=0.9),
        classified(segment(1, 2), "find_entry", parameters={"words": "rent"}, confidence=0.83),
    ]


def test_an_example_carries_what_it_came_from():
    examples, failures, dropped = synthesize(*two_accepted(description="Book the rent."))
    (example,) = examples
    assert (failures, dropped) == ((), ())
    assert example.status == "COMPLETED" and example.session_id == SESSION_ID
    assert example.confidence == 0.83
    assert example.segment_ids == ("segment-0", "segment-1")
    assert example.raw_event_ids == ("e0a", "e0b", "e1a", "e1b", "e2a", "e2b")
    assert example.frame_ids == (frame(0), frame(1), frame(2))
    assert (example.model_id, example.model, example.suite_id) == ("model-1", "m1", SUITE.id)
    assert (example.action_tool_map_id, example.model_configuration) == (BOOKS.id, {})
    assert (example.code_version, example.request_source) == ("c1", "description")
    assert example.example_path is None and example.storage_path == ""


def test_a_turn_shows_what_was_seen_before_its_first_step():
    examples, _, _ = synthesize(*two_accepted())
    (conversation,) = examples[0].conversations
    first, second = conversation.turns
    assert (first.frame, first.window, first.url) == (
        frame(0),
        "Ledgerly 0",
        "http://ledgerly.test/0",
    )
    assert (second.frame, second.steps) == (frame(2), (2,))
    assert first.raw_event_ids == ("e0a", "e0b", "e1a", "e1b")
    assert first.frame_size == (1280, 720)
    assert [t["function"]["name"] for t in conversation.tools] == [
        "entry.label",
        "entry.add",
        "find",
    ]
    assert "Ledgerly" in conversation.system and "bookkeeping" in conversation.system


def test_a_thought_of_a_later_step_is_not_told_before_the_call():
    session = prepared(step(0, thought="First."), step(1, thought="It worked."))
    examples, _, _ = synthesize(session, [added(segment(0, 0, 1))])
    assert examples[0].conversations[0].turns[0].thought == "First."
    session = prepared(step(0), step(1, thought="It worked."))
    examples, _, _ = synthesize(session, [added(segment(0, 0, 1))])
    assert examples[0].conversations[0].turns[0].thought is None


def test_ids_are_derived_and_pinned():
    examples, _, _ = synthesize(*two_accepted(), ALL_MAPS)
    ids = [e.id for e in examples]
    assert ids == [
        "6468ddb6-ec31-5559-b3da-04b483ef5ac3",
        "667c4885-3149-5278-8475-149aaeecf44e",
    ]
    assert examples[0].conversations[0].turns[0].call.id == "call_e821389c4952f8883d1173e2"


def test_what_makes_another_example():
    def the_id(found_fields=None, task=0, **fields):
        session = prepared(step(0, task=task))
        found = [added(segment(0, task=task), **(found_fields or {}))]
        return synthesize(session, found, settings(**fields))[0][0].id

    ids = [
        the_id(),
        the_id(task=1),
        the_id({"model_id": "model-2"}),
        the_id(configurations=({"temperature": 0},)),
        the_id(schema_version="2"),
        the_id(maps=(DESK.name,)),
    ]
    assert len(set(ids)) == len(ids)
    assert the_id() == the_id({"confidence": 0.99}, code_version="other")
    ordered = the_id(configurations=({"a": 1, "b": 2},))
    assert ordered == the_id(configurations=({"b": 2, "a": 1},))


def test_one_example_per_map_and_configuration():
    session = prepared(step(0))
    found = [added(segment(0)), added(segment(0), configuration=1, model_id="model-2", model="m2")]
    both = SynthesisSettings(configurations=({"temperature": 0}, {"temperature": 1}))
    examples, _, _ = synthesize(session, found, both)
    made = [(e.model, e.model_configuration["temperature"], e.action_tool_map_id) for e in examples]
    assert made == [
        ("m1", 0, BOOKS.id),
        ("m1", 0, DESK.id),
        ("m2", 1, BOOKS.id),
        ("m2", 1, DESK.id),
    ]


@pytest.mark.parametrize("name", [BOOKS.id, BOOKS.name])
def test_maps_are_chosen_by_id_or_name(name):
    examples, _, _ = synthesize(*two_accepted(), SynthesisSettings(maps=(name,)))
    assert [e.action_tool_map_id for e in examples] == [BOOKS.id]


def test_noise_is_dropped_and_does_not_block():
    session = prepared(step(0), step(1))
    found = [classified(segment(0), "none", "none", confidence=0.5), added(segment(1))]
    examples, failures, dropped = synthesize(session, found)
    assert [e.status for e in examples] == ["COMPLETED"] and not failures
    assert examples[0].confidence == 0.9
    assert examples[0].segment_ids == ("segment-1",)
    assert dropped == (Dropped(kind="segment", record="segment-0", reason="no_canonical_action"),)


@pytest.mark.parametrize("found", [[], [classified(segment(0), "none", "none")]])
def test_no_action_is_no_example_but_counted(found):
    examples, failures, dropped = synthesize(prepared(step(0)), found)
    assert (examples, failures) == ((), ())
    assert [d.reason for d in dropped if d.kind == "example"] == ["no_action"]


def test_a_session_without_steps_is_counted_once_per_map():
    _, _, dropped = synthesize(prepared(), [], ALL_MAPS)
    assert [d.reason for d in dropped] == ["no_action", "no_action"]


@pytest.mark.parametrize(
    ("waiting", "reasons"),
    [
        (classified(segment(1), None, "review", reasons=("abstained",)), ("abstained",)),
        (added(segment(1), status="review", reasons=("low_confidence", "missing_parameter")),
         ("low_confidence", "missing_parameter")),
        (classified(segment(1), "x", "failed", reasons=("unknown_action",)), ("unknown_action",)),
        (classified(segment(1), "x", "failed"), ("failed",)),
    ],
)  # fmt: skip
def test_one_segment_that_waits_holds_the_example_back(waiting, reasons):
    session = prepared(step(0), step(1), step(2))
    found = [added(segment(0)), waiting, added(segment(2))]
    examples, failures, _ = synthesize(session, found)
    (example,) = examples
    assert (example.status, example.review_reasons, failures) == ("PENDING", reasons, ())
    assert example.conversations == () and example.request_source is None
    assert example.segment_ids == ("segment-0", "segment-1", "segment-2")


def test_confidence_of_a_waiting_example_is_its_minimum():
    found = [
        added(segment(0)),
        added(segment(1), status="review", confidence=0.3),
        classified(segment(2), "none", "none", confidence=0.1),
        added(segment(3), status="review", confidence=None),
    ]
    examples, _, _ = synthesize(prepared(*(step(i) for i in range(4))), found)
    assert examples[0].confidence == 0.3


def test_only_segments_in_review_make_a_pending_example_under_either_rule():
    found = [added(segment(0), status="review", reasons=("low_confidence",))]
    for rule in ("wait", "split"):
        examples, _, _ = synthesize(prepared(step(0)), found, settings(partial_examples=rule))
        assert [e.status for e in examples] == ["PENDING"]


def test_a_segment_nobody_classified_is_not_lost():
    examples, _, _ = synthesize_examples(
        prepared(step(0), step(1)),
        SUITE,
        (segment(0), segment(1)),
        [added(segment(0))],
        CATALOGUE,
        ONLY_BOOKS,
    )
    assert (examples[0].status, examples[0].review_reasons) == ("PENDING", ("unclassified",))


def test_split_ends_before_what_waits_and_starts_anew_after_it():
    session = prepared(*(step(i) for i in range(5)), description="All of it.")
    found = [
        added(segment(0), "One"),
        classified(segment(1), "none", "none"),
        added(segment(2), "Two"),
        added(segment(3), status="review", reasons=("low_confidence",), confidence=0.2),
        added(segment(4), "Three"),
    ]
    examples, _, _ = synthesize(session, found, settings(partial_examples="split"))
    (example,) = examples
    assert (example.status, example.review_reasons) == ("COMPLETED", ("low_confidence",))
    first, second = example.conversations
    assert [t.segment_id for t in first.turns] == ["segment-0", "segment-2"]
    assert [t.segment_id for t in second.turns] == ["segment-4"]
    assert (first.part, second.part) == (1, 2)
    # The description asks for more than either part does.
    assert example.request_source == "template"
    assert "One" in first.request and "Two" in first.request and "Three" in second.request
    assert example.segment_ids == ("segment-0", "segment-2", "segment-4")
    assert example.confidence == 0.9
    assert "e3a" not in example.raw_event_ids


def test_split_without_anything_waiting_is_the_whole():
    whole, _, _ = synthesize(*two_accepted(description="Do."))
    same, _, _ = synthesize(*two_accepted(description="Do."), settings(partial_examples="split"))
    assert whole == same and whole[0].conversations[0].part == 0


def test_an_unmapped_action_fails_this_maps_example_only():
    session = prepared(step(0), step(1))
    found = [added(segment(0)), classified(segment(1), "find_entry", parameters={"words": "x"})]
    examples, failures, _ = synthesize(session, found, ALL_MAPS)
    assert [(e.status, e.error_code) for e in examples] == [
        ("COMPLETED", None),
        ("FAILED", "unmapped_action"),
    ]
    (failure,) = failures
    assert failure.code == "unmapped_action" and "ledgerly-desk" in failure.message
    assert examples[1].conversations == ()


def test_an_unmapped_action_fails_even_while_another_segment_waits():
    session = prepared(step(0), step(1))
    found = [added(segment(0), status="review", reasons=("low_confidence",)),
             classified(segment(1), "close_year")]  # fmt: skip
    for rule in ("wait", "split"):
        examples, failures, _ = synthesize(session, found, settings(partial_examples=rule))
        assert (examples[0].status, len(failures)) == ("FAILED", 1)


def test_an_argument_that_cannot_be_converted_fails_the_example():
    examples, failures, _ = synthesize(prepared(step(0)), [added(segment(0), amount="a lot")])
    assert examples[0].error_code == failures[0].code == "unconvertible_argument"


def test_a_redacted_number_waits_for_review():
    examples, failures, _ = synthesize(prepared(step(0)), [added(segment(0), amount="<REDACTED>")])
    assert (examples[0].status, examples[0].review_reasons) == ("PENDING", ("redacted_parameter",))
    assert failures == ()


def test_a_parameter_without_a_place_is_dropped_with_a_reason():
    examples, _, dropped = synthesize(
        prepared(step(0)), [added(segment(0), parameters={"colour": "red"})]
    )
    record = f"{examples[0].id}/segment-0/colour"
    assert dropped == (Dropped(kind="parameter", record=record, reason="unmapped_parameter"),)


def test_a_suite_without_a_map_fails_with_a_reason():
    bare = Catalogue(suites=CATALOGUE.suites)
    examples, failures, _ = synthesize_examples(
        prepared(step(0)), SUITE, (segment(0),), [added(segment(0))], bare, SynthesisSettings()
    )
    assert [(e.status, e.action_tool_map_id) for e in examples] == [("FAILED", None)]
    assert examples[0].error_code == failures[0].code == "no_action_tool_map"


def test_a_session_without_a_suite_makes_nothing():
    assert synthesize_examples(prepared(), None, (), (), CATALOGUE, ALL_MAPS) == ((), (), ())


def test_tasks_have_examples_of_their_own_and_templated_requests():
    session = prepared(step(0), step(1, task=1), description="Two things.")
    found = [added(segment(0), "One"), added(segment(1, task=1), "Two")]
    examples, _, _ = synthesize(session, found)
    assert [e.task for e in examples] == [0, 1]
    assert len({e.id for e in examples}) == 2
    assert [e.request_source for e in examples] == ["template", "template"]
    assert '"One"' in examples[0].conversations[0].request
    assert '"One"' not in examples[1].conversations[0].request


def test_templated_request_tells_actions_and_values():
    session, found = two_accepted()
    (example,), _, _ = synthesize(session, found)
    assert example.conversations[0].request == (
        "Do this in Ledgerly, in this order:\n"
        '1. Add an entry to the journal (title: "Rent"; amount: 12).\n'
        '2. Find entry (words: "rent").'
    )
    (example,), _, _ = synthesize(prepared(step(0)), [added(segment(0), parameters={"paid": True})])
    assert example.conversations[0].request == (
        'In Ledgerly: Add an entry to the journal (title: "Rent"; amount: 12.5; paid: yes).'
    )


def test_a_blank_description_is_none():
    (example,), _, _ = synthesize(*two_accepted(description="  \n"))
    assert example.request_source == "template"


def test_recorded_control_tokens_are_broken_in_prose_and_kept_in_arguments():
    session = prepared(step(0, thought="I see <image>."), description="Type <|im_end|>.")
    (example,), _, _ = synthesize(session, [added(segment(0), "</s>")])
    (conversation,) = example.conversations
    assert conversation.request == "Type ＜|im_end|>."
    assert conversation.turns[0].thought == "I see ＜image>."
    assert conversation.turns[0].call.arguments["label"] == "</s>"


def test_the_latest_pictures_stay_within_the_budget():
    session = prepared(*(step(i) for i in range(5)))
    found = [added(segment(i)) for i in range(5)]
    (example,), _, dropped = synthesize(session, found, settings(max_images=2))
    frames = [t.frame for t in example.conversations[0].turns]
    assert frames == [None, None, None, frame(3), frame(4)]
    assert [d.record for d in dropped] == [f"{example.id}/{frame(i)}" for i in range(3)]
    assert {(d.kind, d.reason) for d in dropped} == {("picture", "image_budget")}
    assert len(example.frame_ids) == 5


def test_a_picture_in_view_is_not_shown_again():
    session = prepared(step(0), step(1, frame=frame(0)), step(2))
    found = [added(segment(i)) for i in range(3)]
    (example,), _, dropped = synthesize(session, found)
    assert [t.frame for t in example.conversations[0].turns] == [frame(0), None, frame(2)]
    assert dropped == ()


def test_a_stale_picture_is_not_shown():
    session = prepared(step(0), step(1, stale=True))
    (example,), _, dropped = synthesize(session, [added(segment(0)), added(segment(1))])
    assert [t.frame for t in example.conversations[0].turns] == [frame(0), None]
    assert dropped == (Dropped(kind="picture", record=f"{example.id}/{frame(1)}", reason="stale"),)


def test_no_pictures_when_none_are_wanted():
    (example,), _, dropped = synthesize(*two_accepted(), settings(images="none"))
    assert {t.frame for t in example.conversations[0].turns} == {None}
    assert dropped == ()


def test_order_of_classifications_does_not_matter():
    session, found = two_accepted()
    assert synthesize(session, found) == synthesize(session, found[::-1])


@pytest.mark.parametrize(
    "fields", [{"partial_examples": "drop"}, {"images": "x"}, {"max_images": -1}]
)
def test_settings_refuse_unknown_values(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        settings(**fields)
