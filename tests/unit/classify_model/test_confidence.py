import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.classify.model.confidence import (
    alternatives_at,
    combined,
    span_probability,
    value_span,
    vote_share,
)
from transforms.classify.model.reply import Choice

PATH = ("choice", "action")


def text_of(action="send_mail", indent=None):
    return json.dumps({"evidence": ["s1"], "choice": {"action": action}}, indent=indent)


def tokens(text, size, logprob):
    return tuple((text[i : i + size], logprob) for i in range(0, len(text), size))


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_the_span_is_the_value_whatever_the_layout(indent):
    text = text_of(indent=indent)
    first, last = value_span(text, PATH)
    assert text[first:last] == "send_mail"


def test_keys_of_the_same_name_elsewhere_do_not_count():
    text = '{"action": "x", "why": {"action": "y"}, "choice": {"action": "z"}}'
    first, last = value_span(text, PATH)
    assert text[first:last] == "z"


def test_places_in_lists_are_followed():
    text = json.dumps({"items": [{"action": "a"}, {"action": "bb"}]})
    first, last = value_span(text, ("items", 1, "action"))
    assert text[first:last] == "bb"
    assert value_span(text, ("items", 2, "action")) is None


def test_the_span_is_in_the_answer_not_in_the_thoughts_before_it():
    thought = text_of("archive")
    for before in (f"<think>{thought}</think>", f"maybe {thought} </think>\n"):
        text = before + text_of("send_mail")
        first, last = value_span(text, PATH)
        assert text[first:last] == "send_mail" and first > len(before)


@pytest.mark.parametrize(
    "text", ["", "{", '{"choice": {"action": 3}}', '{"choice": ["action"]}', '{"choice" {}}', "[1]"]
)
def test_no_span_where_there_is_no_such_text(text):
    assert value_span(text, PATH) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(), st.sampled_from([None, 1]))
def test_the_span_of_any_json_decodes_to_the_value(other, action, indent):
    data = {**other, "choice": {"a": other, "action": action}}
    text = json.dumps(data, indent=indent)
    first, last = value_span(text, PATH)
    assert json.loads(f'"{text[first:last]}"') == action


@given(st.text())
def test_any_text_has_a_span_or_none(text):
    value_span(text, PATH)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_probability_is_the_product_over_the_tokens_that_touch(size):
    text = text_of()
    span = value_span(text, PATH)
    pieces = tokens(text, size, -0.1)
    touching = sum(
        1 for i, (t, _) in enumerate(pieces) if i * size < span[1] and i * size + len(t) > span[0]
    )
    found = span_probability(Choice(text=text, tokens=pieces), span)
    assert found == pytest.approx(math.exp(-0.1 * touching))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 0.5])
def test_a_token_that_is_no_log_probability_makes_it_missing(bad):
    text = text_of()
    assert span_probability(Choice(text=text, tokens=tokens(text, 3, bad)), (20, 30)) is None


def test_tokens_that_spell_something_else_are_not_believed():
    text = text_of()
    other = Choice(text=text, tokens=tokens(text.replace("mail", "post"), 3, -0.1))
    assert span_probability(other, value_span(text, PATH)) is None


def test_alternatives_name_actions_that_only_they_begin():
    text = text_of()
    first, last = value_span(text, PATH)
    pieces = ((text[:first], 0.0), ("send", -0.5), ("_mail", 0.0), (text[last:], 0.0))
    others = ((), (("send", -0.5), ("arch", -1.2), ("de", -2.0), ("zz", -3.0)), (), ())
    choice = Choice(text=text, tokens=pieces, alternatives=others)
    found = alternatives_at(choice, (first, last), ["send_mail", "archive", "delete_a", "delete_b"])
    assert [(c.action, c.score) for c in found] == [("archive", round(math.exp(-1.2), 6))]


def test_votes_count_unusable_samples_against():
    assert vote_share(["a", "b", "a", None, "a"])[:2] == ("a", 0.6)
    assert vote_share([None, None])[:2] == (None, 0.0)
    winner, share, candidates = vote_share(["b", "a"])
    assert (winner, share, len(candidates)) == ("b", 0.5, 2)


@pytest.mark.parametrize(
    "raw, supports, wanted",
    [
        (0.9, (1.0, 1.0), 0.9),
        (0.9, (0.5, 1.0), 0.45),
        (None, (1.0,), None),
        (float("nan"), (), None),
    ],
)
def test_supports_lower_confidence(raw, supports, wanted):
    assert combined(raw, *supports) == wanted
