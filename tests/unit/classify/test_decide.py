"""What is accepted, what waits for review, what is noise: the same for every classifier."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from schemas.classifications import Classification, ParameterEvidence, Segment
from tests.unit.classify.recordings import shop
from transforms.classify.decide import decide

SUITE = shop().suites[0]
SEGMENT = Segment(id="s", task=0, step_indices=(0,), first_event_id="e1", last_event_id="e2")


def said(action: str | None, confidence: Any = 0.9, grounded: bool = True, **values: Any):
    evidence = tuple(
        ParameterEvidence(parameter=name, value=value, source="field")
        for name, value in values.items()
        if grounded
    )
    return Classification(
        segment=SEGMENT, action=action, parameters=values, evidence=evidence, confidence=confidence
    )


def outcome(classification: Classification, threshold: float = 0.8) -> tuple[str, tuple[str, ...]]:
    decided = decide(classification, SUITE, threshold)
    return decided.status, decided.reasons


def test_a_sound_answer_is_accepted_from_the_threshold_on() -> None:
    assert outcome(said("search_products", 0.8, query="tea")) == ("accepted", ())
    assert outcome(said("search_products", 0.7999, query="tea")) == ("review", ("low_confidence",))
    assert outcome(said("search_products", 0.5, query="tea"), 0.5) == ("accepted", ())


def test_a_label_that_is_not_in_the_suite_is_rejected() -> None:
    assert outcome(said("send_email", 0.99)) == ("failed", ("unknown_action",))


@pytest.mark.parametrize("confidence", [None, math.nan, 1.2, -0.1, math.inf, "high", True])
def test_a_confidence_that_is_no_number_from_0_to_1_is_missing(confidence: Any) -> None:
    decided = decide(said("search_products", confidence, query="tea"), SUITE, 0.0)
    assert (decided.status, decided.confidence) == ("review", None)
    assert decided.reasons == ("missing_confidence",)
    none = decide(said("none", confidence), SUITE, 0.0)
    assert (none.status, none.confidence) == ("review", None)


def test_noise_is_dropped_only_when_it_is_sure() -> None:
    assert outcome(said("none", 0.8)) == ("none", ("no_canonical_action",))
    assert outcome(said("none", 0.79)) == ("review", ("abstained",))
    assert outcome(said(None, 0.99)) == ("review", ("abstained",))


def test_a_classifier_without_any_answer_has_failed_for_its_reason() -> None:
    failed = msgspec.structs.replace(said(None, None), status="failed", reasons=("http_503",))
    assert outcome(failed) == ("failed", ("http_503",))
    assert decide(decide(failed, SUITE, 0.8), SUITE, 0.1) == decide(failed, SUITE, 0.1)
    # What it said after all counts, not the state that an earlier decision gave it.
    unknown = decide(said("send_email"), SUITE, 0.8)
    assert outcome(unknown) == ("failed", ("unknown_action",))


def test_required_parameters_must_be_there() -> None:
    assert outcome(said("search_products"))[1] == ("missing_parameter",)
    assert outcome(said("search_products", query=""))[1] == ("missing_parameter",)
    assert outcome(said("add_to_cart", product="Tea"))[1] == ()


def test_values_must_be_grounded_typed_and_declared() -> None:
    assert outcome(said("search_products", grounded=False, query="tea"))[1] == (
        "ungrounded_parameter",
    )
    assert outcome(said("search_products", query="tea", colour="red"))[1] == ("unknown_parameter",)
    assert outcome(said("add_to_cart", product="Tea", quantity="two"))[1] == ("wrong_type",)
    assert outcome(said("add_to_cart", product="Tea", quantity=math.inf))[1] == ("wrong_type",)
    assert outcome(said("add_to_cart", product="Tea", quantity=True))[1] == ("wrong_type",)
    assert outcome(said("add_to_cart", product=7, quantity=1))[1] == ("wrong_type",)


def test_redaction_is_fine_in_texts_and_waits_elsewhere() -> None:
    assert outcome(said("add_to_cart", product="<REDACTED>"))[0] == "accepted"
    assert outcome(said("add_to_cart", product="Tea", quantity="<NUMBER_1>")) == (
        "review",
        ("redacted_parameter",),
    )


def test_every_reason_is_told_and_deciding_twice_changes_nothing() -> None:
    once = decide(said("add_to_cart", 0.1, quantity="x"), SUITE, 0.8)
    assert once.reasons == ("missing_parameter", "wrong_type", "low_confidence")
    assert decide(once, SUITE, 0.8) == once
    own = msgspec.structs.replace(said("search_products", query="t"), reasons=("budget",))
    assert decide(own, SUITE, 0.8).reasons == ("budget",)
    assert decide(own, SUITE, 0.8).status == "review"
