import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.privacy.pixels.lookalikes import allowed_errors, fold, prefix_like


@pytest.mark.parametrize(
    "read, meant",
    [
        ("0liver Lindvik", "Oliver Lindvik"),
        ("lvanka", "Ivanka"),
        ("Zöe Ålund", "Zoe Alund"),
        ("bram.olsavikaexample.org", "bram.olsavik@example.org"),
        ("OlsavikBram", "Olsavik Bram"),
        ("sk-1lO0", "sk-IIOO"),
    ],
)
def test_what_ocr_confuses_is_equal(read, meant):
    assert fold(read).text == fold(meant).text


@pytest.mark.parametrize("one, other", [("Lindvik", "Lindvak"), ("4127", "4128"), ("Ma", "Na")])
def test_different_values_stay_different(one, other):
    assert fold(one).text != fold(other).text


def test_tokens_begin_after_spaces_at_capitals_and_between_letters_and_digits():
    folded = fold("toBram 77x")
    assert folded.text == "tobram77x"
    assert folded.starts == {0, 2, 6, 8}
    assert {2, 6, 8, 9} <= folded.ends


@given(st.text(max_size=40))
def test_the_way_back_leads_to_the_characters_that_were_folded(text):
    folded = fold(text)
    assert len(folded.at) == len(folded.text)
    assert list(folded.at) == sorted(folded.at)
    assert all(0 <= i < len(text) for i in folded.at)
    assert all(0 <= i <= len(folded.text) for i in folded.starts | folded.ends)


def _distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


@given(st.text("ab", max_size=9), st.text("ab", min_size=1, max_size=6), st.integers(0, 2))
def test_the_banded_distance_agrees_with_the_full_table(text, value, errors):
    best = min(_distance(value, text[:end]) for end in range(len(text) + 1))
    length, wrong = prefix_like(text, value, errors)
    assert wrong == min(best, errors + 1)
    if wrong <= errors:
        assert _distance(value, text[:length]) == wrong


def test_digits_get_fewer_errors_than_letters():
    assert allowed_errors(fold("2024-00017").text) == 0
    assert allowed_errors(fold("Otilie Fenwright").text) >= 1
