"""Whatever a row holds, ``check`` answers; and what it passes, an independent reader takes."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from independent_checks import Refused, llamafactory_reader, openai_reader
from synthesis_samples import conversation

from transforms.synthesize.targets import TARGETS, ImageSource

READERS = {"openai": openai_reader, "sharegpt": llamafactory_reader}
ROWS = {name: target.render(conversation(3), ImageSource()) for name, target in TARGETS.items()}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(["", "x", "user", "assistant", "tool", "gpt", "function_call", "<image>"]),
    lambda c: st.lists(c, max_size=2) | st.dictionaries(st.sampled_from("ab"), c, max_size=2),
    max_leaves=4,
)


def places(value, path=()):
    """Every path into a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def damaged(data, row):
    row = copy.deepcopy(row)
    path = data.draw(st.sampled_from([p for p in places(row) if p]))
    place = row
    for key in path[:-1]:
        place = place[key]
    how = data.draw(st.sampled_from(["replace", "delete", "repeat"]))
    if how == "delete":
        del place[path[-1]]
    elif how == "repeat" and isinstance(place, list):
        place.insert(path[-1], copy.deepcopy(place[path[-1]]))
    else:
        place[path[-1]] = data.draw(anything)
    return row


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_check_never_raises_and_never_passes_what_a_reader_refuses(name, data):
    row = damaged(data, ROWS[name])
    if data.draw(st.booleans()):
        row = damaged(data, row) if row else row
    faults = TARGETS[name].check(row)
    assert all(isinstance(f, str) and ":" in f for f in faults)
    if not faults:
        try:
            READERS[name](json.dumps(row).encode())
        except Refused as why:
            pytest.fail(f"passed by check, refused by the reader: {why}")


@pytest.mark.parametrize("name", TARGETS)
@given(row=anything)
def test_check_answers_for_what_is_no_row_at_all(name, row):
    assert TARGETS[name].check(row)
