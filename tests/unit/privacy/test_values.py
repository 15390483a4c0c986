import time

from hypothesis import example, given
from hypothesis import strategies as st

from transforms.privacy.folding import folded, plain, without_invisible
from transforms.privacy.values import ValueIndex


def hits(index, text):
    return [text[s.start : s.end] for s in index.find(text)]


def test_token_boundaries_case_and_look_alikes():
    index = ValueIndex([("Jane Doe", "PERSON"), ("ab12", "USERNAME")])
    assert hits(index, "JANE  DOE, jané dоe; Jane_Doe") == ["JANE  DOE", "jané dоe", "Jane_Doe"]
    assert hits(index, "xab12 ab123 AB12 abl2") == ["AB12", "abl2"]
    assert hits(index, "Doe, Jane") == ["Doe, Jane"]


def test_hidden_values_are_found_inside_and_encoded():
    index = ValueIndex([("Hunter-22!&", "PASSWORD")])
    for text in (
        "xHunter-22!&y",
        "p=Hunter-22%21%26",
        "&lt;Hunter-22!&amp;",
        "SHVudGVyLTIyISY",
    ):
        assert index.find(text), text
    plain_word = ValueIndex([("sunshine", "PASSWORD")])
    assert not plain_word.find("sunshines") and plain_word.find("sunshine.")


def test_clipped_values():
    index = ValueIndex([("bob.smith@corp.example", "EMAIL"), ("Jane Doering", "PERSON")])
    assert hits(index, "mail bob.smith@c...") == ["bob.smith@c"]
    assert hits(index, "by Jane Doe") == ["Jane Doe"]
    assert hits(index, "by Jane") == []
    assert hits(index, "bob.smith@c and more") == []


@given(st.text(max_size=80))
def test_folding_keeps_every_offset(text):
    assert len(folded(text)) == len(text) == len(plain(text))
    shown, origin = without_invisible(text)
    if origin is not None:
        assert len(origin) == len(shown) + 1
        assert all(text[o] == c for o, c in zip(origin, shown))


@example("", "0  .", "")
@given(
    st.text(max_size=30),
    st.text(alphabet="abcXYZ019 .-@", min_size=4, max_size=20),
    st.text(max_size=30),
)
def test_a_value_between_blanks_is_always_found(before, value, after):
    value = value.strip()
    index = ValueIndex([(value, "EMAIL")])
    if not index:
        return
    text = f"{before} {value} {after}"
    covered = set()
    for span in index.find(text):
        covered |= set(range(span.start, span.end))
    start = len(before) + 1
    missing = [i for i in range(start, start + len(value)) if i not in covered]
    assert all(not text[i].isalnum() for i in missing)


def test_six_tokens_of_a_longer_value_are_found():
    index = ValueIndex([("2a02:a452:40cc:5821:12e5:2634:f39a:9812", "IP")])
    text = "id2a02:a452:40cc:5821:12e5:2634:f39a:9812 or a452:40cc:5821"
    (span,) = index.find(text)
    assert text[span.start : span.end] == "a452:40cc:5821:12e5:2634:f39a"


def test_what_javascript_encodes():
    index = ValueIndex([("It's (a) b&c!", "PASSWORD")])
    assert set(hits(index, "q=It's%20(a)%20b%26c!")) == {"It's%20(a)%20b%26c!"}


def test_thousands_of_secrets_are_looked_for_at_once():
    secrets = [(f"sk_live_{n:05d}{'k' * 60}{n}", "SECRET") for n in range(3000)]
    text = f"see x{secrets[7][0]}y and {secrets[2999][0]}, " + "sk_live_0 " * 200 + "end"
    started = time.perf_counter()
    index = ValueIndex(secrets)
    for _ in range(200):
        found = hits(index, text)
    assert set(found) == {secrets[7][0], secrets[2999][0]}
    assert hits(index, f"ends in {secrets[5][0][:30]}…") == [secrets[5][0][:30]]
    assert time.perf_counter() - started < 10
