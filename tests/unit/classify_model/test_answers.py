import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import ActionParameter
from schemas.traces import Request
from tests.support.model_sessions import contexts, suite
from transforms.classify.model.answers import (
    Answer,
    Unusable,
    converted,
    grounding,
    probability,
    read_answer,
    read_object,
    salvaged_rows,
)
from transforms.classify.model.evidence import gather

NOTES = suite("tag_note", "drop_note", kinds=("STRING", "NUMBER", "BOOLEAN"))


def evidence(marker="Summer plan 42", **more):
    return gather(contexts([marker], NOTES, **more)[0])


def choice(action="tag_note", **parameters):
    return {"evidence": ["s1"], "choice": {"action": action, "parameters": parameters}}


def cite(value, *ids):
    return {"value": value, "from": list(ids)}


def read(found, **more):
    return read_answer(found, NOTES, evidence(**more))


def test_a_good_answer_keeps_values_and_where_they_were_seen():
    answer = read({**choice(value=cite("Summer plan 42", "s1")), "confidence": 0.9})
    assert isinstance(answer, Answer)
    assert answer.action == "tag_note"
    assert answer.parameters == {"value": "Summer plan 42"}
    (where,) = answer.evidence
    assert (where.parameter, where.source) == ("value", "field")
    assert where.event_ids == ("e0a", "e0b")
    assert (answer.cited, answer.verbal, answer.grounded, answer.complete) == (1, 0.9, 1.0, 1.0)


def test_none_needs_no_parameters():
    answer = read({"evidence": [], "choice": {"action": "none"}, "confidence": 0.7})
    assert isinstance(answer, Answer)
    assert (answer.action, answer.parameters) == ("none", {})


@pytest.mark.parametrize(
    "found, code",
    [
        (None, "not_json"),
        ({}, "wrong_form"),
        ({"choice": "tag_note"}, "wrong_form"),
        ({"choice": {"action": 3}}, "wrong_form"),
        ({"choice": {"action": "rm_rf"}}, "unknown_action"),
        ({"choice": {"action": "Tag_Note"}}, "unknown_action"),
        ({"choice": {"action": "tag_note", "parameters": []}}, "wrong_form"),
        (choice(colour=cite("red", "s1")), "wrong_parameters"),
        (choice(value=cite({"a": 1}, "s1")), "wrong_parameters"),
        (choice(extra_number=cite("many", "s1")), "wrong_parameters"),
        (choice(extra_boolean=cite("maybe", "s1")), "wrong_parameters"),
    ],
)
def test_what_cannot_be_used_says_why(found, code):
    unusable = read(found)
    assert isinstance(unusable, Unusable)
    assert unusable.code == code
    assert unusable.problems


def test_problems_quote_the_suite_and_never_the_recording():
    unusable = read(choice(value=cite(["Summer plan 42"], "s1"), colour=cite("Summer", "s1")))
    assert isinstance(unusable, Unusable)
    assert "Summer" not in " ".join(unusable.problems)


def test_an_ungrounded_value_is_kept_without_evidence():
    answer = read(choice(value=cite("Winter plan", "s1")))
    assert isinstance(answer, Answer)
    assert answer.parameters == {"value": "Winter plan"}
    assert answer.evidence == ()
    assert answer.grounded == 0.0


@pytest.mark.parametrize(
    "ids, evidence_ids, grounded",
    [(("s1",), (), 1.0), ((), ("s1",), 1.0), (("s2", "s99"), ("s2",), 0.0), ((), (), 0.0)],
)
def test_a_value_must_stand_in_a_row_that_the_answer_cites(ids, evidence_ids, grounded):
    found = choice(value=cite("Summer plan 42", *ids))
    answer = read({**found, "evidence": list(evidence_ids)})
    assert isinstance(answer, Answer)
    assert (answer.grounded, len(answer.evidence)) == (grounded, grounded)


def test_citations_of_rows_that_do_not_exist_count_for_nothing():
    found = choice(value=cite("Summer plan 42", "s1"))
    answer = read({**found, "evidence": ["s7", "e0a", 3, None, "s2", "s2"]})
    assert isinstance(answer, Answer)
    assert answer.cited == 1


@pytest.mark.parametrize(
    "value, held",
    [
        ("summer PLAN 42", True),
        ("Summer  plan\n42", True),
        ("Ｓｕｍｍｅｒ plan 42", True),
        ("42", True),
        ("4", False),  # part of a number
        ("plan 4", False),
        ("ummer plan", False),
        ("Summer plan 42 ", True),
        ("", False),
        ("attacker@example.org", False),
    ],
)
def test_values_are_found_as_whole_words_whatever_their_spelling(value, held):
    parameter = ActionParameter(id="p", action_id="a", name="value")
    assert (grounding(value, parameter, evidence().steps[:1]) is not None) == held


@pytest.mark.parametrize(
    "shown, value, held",
    [
        ("costs 3.50 each", 50, False),
        ("costs 3.50 each", 3, False),
        ("costs 3.50 each", 3.5, True),
        ("costs 3.50 each", "3.50", True),
        ("costs 3.50 each", "costs 3", False),
        ("down by -5", 5, False),
        ("down by -5", -5, True),
        ("1,000 pieces", 1, False),
        ("1,000 pieces", 1000, True),
        ('{"ids":[1,2,31]}', 2, True),
        ('{"ids":[1,2,31]}', 3, False),
        ("at 10:30 on 2024-05-17", 30, True),
        ("at 10:30 on 2024-05-17", -5, False),
        ("version 1.2.3", 2, False),
        ("version 1.2.3", "1.2.3", True),
        ("version 1.2.3", "1.2", False),
        ("agent 007", "7", False),
        ("It is 42.", 42, True),
        ("<EMAIL_1>", 1, False),
    ],
)
def test_numbers_are_found_as_whole_numbers(shown, value, held):
    parameter = ActionParameter(id="p", action_id="a", name="value")
    assert (grounding(value, parameter, evidence(shown).steps[:1]) is not None) == held


LONG = "Minutes of the meeting. " * 400


def test_a_text_that_was_shown_cut_is_taken_whole():
    shown = evidence(LONG).steps[0].shown["text"]
    assert shown.endswith("more characters]")
    answer = read(choice(value=cite(shown, "s1")), marker=LONG)
    assert isinstance(answer, Answer)
    assert (answer.parameters["value"], answer.grounded) == (LONG, 1.0)


@pytest.mark.parametrize("made", [lambda s: s.removeprefix("Minutes"), lambda s: f"My {s}"])
def test_no_other_value_that_tells_of_a_cut_is_grounded(made):
    shown = evidence(LONG).steps[0].shown["text"]
    answer = read(choice(value=cite(made(shown), "s1")), marker=LONG)
    assert isinstance(answer, Answer)
    assert answer.grounded == 0.0


def test_a_word_that_was_cut_is_not_grounded():
    text = "x" * 3997 + " Quarterly"
    answer = read(choice(value=cite("Qu", "s1")), marker=text)
    assert isinstance(answer, Answer)
    assert "Qu… [" in evidence(text).steps[0].shown["text"] and answer.grounded == 0.0


def test_values_in_requests_cite_the_request():
    request = Request(
        id="req-9", started_us=1_500_000, method="POST", url="https://notes.example.org/api",
        request_body='{"title": "Quarterly"}',
    )  # fmt: skip
    answer = read(choice(value=cite("Quarterly", "r1")), requests=(request,))
    assert isinstance(answer, Answer)
    assert (answer.evidence[0].request_id, answer.evidence[0].source) == ("req-9", "request")


def test_lists_may_be_gathered_over_rows():
    parameter = ActionParameter(id="p", action_id="a", name="all", type="ARRAY")
    rows = evidence().steps
    assert grounding(["Summer", "Save"], parameter, rows) is not None
    assert grounding(["Summer", "Save"], parameter, rows[:1]) is None
    assert grounding(["Summer", "Delete"], parameter, rows) is None


def test_a_switch_needs_a_cited_step():
    parameter = ActionParameter(id="p", action_id="a", name="on", type="BOOLEAN")
    assert grounding(True, parameter, evidence().steps[1:]) is not None
    assert grounding(True, parameter, ()) is None


@pytest.mark.parametrize(
    "value, kind, wanted",
    [
        (5, "STRING", "5"),
        (True, "STRING", "true"),
        ([1], "STRING", None),
        ("12", "NUMBER", 12),
        (" -1.50 ", "NUMBER", -1.5),
        ("12 apples", "NUMBER", None),
        (True, "NUMBER", None),
        (float("nan"), "NUMBER", None),
        (3.0, "NUMBER", 3),
        ("True", "BOOLEAN", True),
        (0, "BOOLEAN", None),
        ('{"a": 1}', "OBJECT", {"a": 1}),
        ("[1]", "OBJECT", None),
        ("[1]", "ARRAY", [1]),
        ({"a": 1}, "ARRAY", None),
        ("[" * 100_000, "ARRAY", None),
    ],
)
def test_values_become_the_declared_type_or_nothing(value, kind, wanted):
    assert converted(value, kind) == wanted


@pytest.mark.parametrize("value", [float("nan"), 1.0001, -0.1, "0.9", "high", None, True, [1]])
def test_no_number_from_0_to_1_is_no_confidence(value):
    assert probability(value) is None


@pytest.mark.parametrize(
    "text, found",
    [
        ('{"a": 1}', {"a": 1}),
        ('Here it is:\n```json\n{"a": {"b": 2}}\n```\nBye {x}', {"a": {"b": 2}}),
        ('I think {curly} of it: ```\n{"a": 1}\n```', {"a": 1}),
        ('<think>{"a": 1}</think>{"a": 2}', {"a": 2}),
        ('so {"a": 1} it is</think>{"a": 2}', {"a": 2}),
        ('{"a": 1} it is</think> then </think> {"a": 2}', {"a": 2}),
        ('{"a": "</think>{}"}', {"a": "</think>{}"}),
        ('{"a": 1} it is</think> no', None),
        ('{"a": 1, "a": 2}', None),
        ('{"a": {"b": 1, "b": 2}}', None),
        ('{"a": {"b": 1}', None),
        ("[1, 2]", None),
        ("", None),
        ("{" * 50_000, None),
        ('{"a":' * 50_000, None),
    ],
)
def test_the_object_is_found_or_there_is_none(text, found):
    assert read_object(text) == found


def test_nan_is_read_and_is_no_confidence():
    found = read_object('{"confidence": NaN, "choice": {"action": "none"}}')
    answer = read_answer(found, NOTES, evidence())
    assert isinstance(answer, Answer)
    assert answer.verbal is None


@given(st.text())
def test_reading_never_raises(text):
    read_answer(read_object(text), NOTES, evidence())
    salvaged_rows(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["value", "extra_number", "extra_boolean"]), JSON), JSON)
def test_any_parameters_are_read_or_named_as_problems(parameters, cited):
    found = {"evidence": cited, "choice": {"action": "tag_note", "parameters": parameters}}
    answer = read_answer(found, NOTES, evidence())
    if isinstance(answer, Answer):
        assert set(answer.parameters) <= {p.name for p in NOTES.actions[0].parameters}
        assert {e.parameter for e in answer.evidence} <= set(answer.parameters)


def test_parts_of_a_segment_are_complete_together():
    from schemas.classifications import Usage
    from transforms.classify.model.merging import Finding, merged

    def part(**parameters):
        answer = Answer(action="tag_note", parameters=parameters, required=("a", "b"))
        return Finding(answer=answer, confidence=0.9, source="logprobs")

    assert part(a="x").answer.complete == 0.5
    whole = merged([part(a="x"), part(b="y")], Usage()).answer
    assert (whole.parameters, whole.complete) == ({"a": "x", "b": "y"}, 1.0)


def test_complete_rows_of_a_truncated_list_are_salvaged():
    rows = [{"id": f"q{i}", "choice": {"action": "none"}} for i in range(3)]
    text = json.dumps({"items": rows})
    assert salvaged_rows(text[:-20]) == rows[:2]
    assert salvaged_rows("no list at all") == []
