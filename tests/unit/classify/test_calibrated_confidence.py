"""Confidence after labels, on applications that gave none: error over ten bins of equal mass."""

import statistics

import pytest

from benchmarks.calibration import DISTORTIONS, distorted, error_after
from tests.support.invented_apps import HELD_OUT, TUNED
from tests.support.labelled_segments import labelled_segments


@pytest.fixture(scope="module")
def labels():
    pool = [x for own in labelled_segments(TUNED, range(5)).values() for x in own]
    held_out = [x for own in labelled_segments(HELD_OUT, range(50, 63)).values() for x in own]
    assert len(pool) >= 400 and len(held_out) >= 1000
    return pool, held_out


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTORTIONS)
def test_labels_make_confidence_a_probability(labels, name):
    pool, held_out = ([distorted(x, DISTORTIONS[name]) for x in part] for part in labels)
    error = {
        n: statistics.median(error_after(pool, held_out, n, seed) for seed in range(20))
        for n in (0, 50, 300)
    }
    assert error[50] <= 0.08
    assert error[300] <= 0.05
    if name != "as it is":
        assert error[300] < error[0]
