import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.classifications import Classification, Segment
from transforms.classify.calibration import (
    Calibration,
    calibrated,
    expected_calibration_error,
    fit,
    fit_isotonic,
    fit_platt,
)


def overconfident(n, seed):
    """Raw confidences whose real accuracy is their square."""
    rng = random.Random(seed)
    raw = [rng.uniform(0.3, 1.0) for _ in range(n)]
    return raw, [rng.random() < r * r for r in raw]


@pytest.mark.parametrize("labels, kind", [(300, "platt"), (999, "platt"), (1000, "isotonic")])
def test_the_kind_follows_the_number_of_labels(labels, kind):
    assert fit(*overconfident(labels, 1)).kind == kind


@pytest.mark.parametrize("labels, most", [(50, 0.08), (300, 0.05), (3000, 0.04)])
def test_calibration_brings_confidence_near_to_accuracy(labels, most):
    raw, right = overconfident(4000, 99)
    errors = []
    for seed in range(20):
        calibration = fit(*overconfident(labels, seed))
        errors.append(expected_calibration_error([calibration.apply(r) for r in raw], right))
    assert expected_calibration_error(raw, right) > 0.15
    assert sorted(errors)[10] <= most


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([fit_platt, fit_isotonic]),
)
def test_calibrations_are_monotone_and_within_0_and_1(labels, how):
    calibration = how([r for r, _ in labels], [t for _, t in labels])
    points = [calibration.apply(i / 50) for i in range(51)]
    assert all(0 <= p <= 1 for p in points)
    assert points == sorted(points)


def test_few_labels_move_a_confidence_only_a_little():
    calibration = fit_platt([0.9, 0.95, 0.99], [True, True, True])
    assert calibration.apply(0.95) == pytest.approx(0.95, abs=0.02)
    assert fit_platt([0.95], [False]).apply(0.95) > 0.2
    assert fit_isotonic([0.9], [True]).apply(0.9) == pytest.approx(2 / 3, abs=1e-6)


def test_confidence_that_falls_with_truth_is_no_information():
    raw = [0.1] * 50 + [0.9] * 50
    calibration = fit_platt(raw, [True] * 50 + [False] * 50)
    assert calibration.slope == 0
    assert calibration.apply(0.1) == calibration.apply(0.9) == pytest.approx(0.5, abs=0.02)


def test_groups_are_calibrated_apart_and_strangers_as_all():
    rng = random.Random(5)
    raw = [rng.uniform(0.4, 0.9) for _ in range(600)]
    groups = ["none" if i % 2 else "verbal" for i in range(600)]
    right = [rng.random() < (0.95 if g == "none" else r - 0.2) for r, g in zip(raw, groups)]
    calibration = fit(raw, right, groups)
    assert calibration.apply(0.7, "none") > 0.88
    assert calibration.apply(0.7, "verbal") < 0.6
    assert (
        calibration.apply(0.7, "verbal") < calibration.apply(0.7) < calibration.apply(0.7, "none")
    )


def test_the_order_of_labels_does_not_matter():
    raw, right = overconfident(200, 3)
    pairs = list(zip(raw, right))
    random.Random(1).shuffle(pairs)
    assert fit(raw, right) == fit(*map(list, zip(*pairs)))


def test_what_was_said_stays_beside_what_it_is_worth():
    segment = Segment(id="s", task=0, step_indices=(0,), first_event_id="a", last_event_id="b")
    found = Classification(
        segment=segment, action="send", confidence=0.9, confidence_source="verbal"
    )
    plain = calibrated(found, None)
    assert (plain.confidence, plain.calibrated, plain.said_confidence) == (0.9, False, 0.9)
    made = calibrated(found, fit_platt([0.9] * 100, [True] * 50 + [False] * 50))
    assert made.confidence == pytest.approx(0.5, abs=0.03)
    assert (made.calibrated, made.said_confidence, made.said_action) == (True, 0.9, "send")
    for odd in (None, float("nan"), 1.5, True):
        said = calibrated(msgspec.structs.replace(found, confidence=odd), fit_platt([0.9], [True]))
        assert not said.calibrated and said.confidence is odd


def test_it_survives_json():
    for calibration in (fit(*overconfident(100, 1)), fit(*overconfident(1500, 1))):
        assert Calibration.from_dict(calibration.to_dict()) == calibration


def test_no_labels_is_an_error():
    with pytest.raises(ValueError):
        fit([], [])
    with pytest.raises(ValueError):
        fit([0.5], [])


def test_the_error_of_perfect_confidence_is_zero():
    assert expected_calibration_error([1.0] * 10 + [0.0] * 10, [True] * 10 + [False] * 10) == 0.0
    assert expected_calibration_error([1.0] * 20, [False] * 20) == 1.0
