import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.classify.model.answers import Unusable
from transforms.classify.model.segmenting import complete, read_runs

NAMES = {f"s{i + 1}": i for i in range(6)}


def text(*runs):
    import json

    return json.dumps({"segments": [{"first": a, "last": b} for a, b in runs]})


def test_runs_are_read():
    assert read_runs(text(("s1", "s2"), ("s4", "s6")), NAMES) == [(0, 1), (3, 5)]


@pytest.mark.parametrize(
    "answer, code",
    [
        ("no", "not_json"),
        ('{"segments": 3}', "not_json"),
        ('{"segments": [3]}', "unknown_step"),
        ('{"segments": [{"first": [], "last": {}}]}', "unknown_step"),
        (text(("s1", "s9")), "unknown_step"),
        (text(("s3", "s2")), "overlap"),
        (text(("s1", "s3"), ("s3", "s4")), "overlap"),
        (text(("s4", "s5"), ("s1", "s2")), "overlap"),
    ],
)
def test_runs_that_overlap_or_are_unknown_are_unusable(answer, code):
    unusable = read_runs(answer, NAMES)
    assert isinstance(unusable, Unusable) and unusable.code == code


@given(st.lists(st.integers(0, 30), max_size=20, unique=True), st.integers(31, 40))
def test_every_place_is_in_exactly_one_run(edges, count):
    edges = sorted(edges)
    runs = list(zip(edges[::2], edges[1::2]))
    made = complete(runs, count)
    assert [p for run in made for p in run] == list(range(count))
    for first, last in runs:
        assert list(range(first, last + 1)) in made
