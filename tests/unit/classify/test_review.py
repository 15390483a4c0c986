import msgspec
import pytest

from schemas.catalogue import ActionParameter, CanonicalAction, Suite
from schemas.classifications import Classification, ParameterEvidence, Segment
from transforms.classify.review import Answer, AnswerError, answered, read_answers

SUITE = Suite(
    id="s",
    name="Mail",
    actions=(
        CanonicalAction(
            id="a",
            suite_id="s",
            name="send",
            parameters=(ActionParameter(id="p", action_id="a", name="to", required=True),),
        ),
    ),
)
FOUND = Classification(
    segment=Segment(id="seg", task=0, step_indices=(0,), first_event_id="e1", last_event_id="e2"),
    action="none",
    parameters={"to": "a@example.org"},
    evidence=(ParameterEvidence(parameter="to", value="a@example.org", source="field"),),
    confidence=0.4,
    reasons=("low_confidence",),
)


def test_an_answer_is_accepted_and_known_as_one():
    made = answered(FOUND, Answer("x", "seg", "send"), SUITE, 0.8)
    assert (made.action, made.status, made.confidence_source) == ("send", "accepted", "review")
    assert made.evidence == FOUND.evidence


def test_corrected_parameters_are_evidence_of_the_person():
    made = answered(FOUND, Answer("x", "seg", "send", {"to": "b@example.org"}), SUITE, 0.8)
    assert made.parameters == {"to": "b@example.org"}
    assert [e.source for e in made.evidence] == ["review"]
    assert made.status == "accepted"


def test_noise_is_an_answer_too():
    assert answered(FOUND, Answer("x", "seg", "none", {}), SUITE, 0.8).status == "none"


def test_parameters_that_were_found_stay_as_far_as_the_action_has_them():
    found = msgspec.structs.replace(FOUND, parameters={"to": "a@example.org", "folder": "Old"})
    made = answered(found, Answer("x", "seg", "send"), SUITE, 0.8)
    assert (made.parameters, made.status) == ({"to": "a@example.org"}, "accepted")


def test_an_answer_is_checked_like_a_model():
    assert answered(FOUND, Answer("x", "seg", "fly"), SUITE, 0.8).status == "failed"
    made = answered(FOUND, Answer("x", "seg", "send", {}), SUITE, 0.8)
    assert (made.status, made.reasons) == ("review", ("missing_parameter",))


def test_the_last_line_counts_and_a_bad_line_is_named():
    data = (
        b'{"session_id": "x", "segment_id": "seg", "action": "send"}\n\n'
        b'{"session_id": "x", "segment_id": "seg", "action": "none"}\n'
    )
    assert read_answers(data)["x"]["seg"].action == "none"
    with pytest.raises(AnswerError, match=r"answers.jsonl:1"):
        read_answers(b'{"session_id": "x"}')
