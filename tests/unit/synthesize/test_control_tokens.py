import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.synthesize.control_tokens import (
    has_control_token,
    json_text,
    neutralise,
    restore,
    valid_unicode,
)

TOKENS = (
    "<|im_end|> <|im_start|> <|endoftext|> <|eot_id|> <|begin_of_text|> <|vision_start|> <s> </s> "
    "<bos> <start_of_turn> [INST] [/INST] [TOOL_CALLS] [AVAILABLE_TOOLS] <<SYS>> <</SYS>> <image> "
    "<video> <audio> <think> </think> <tool_call> </tool_call> <tool_response> <｜User｜> <bbox>"
).split()
HARMLESS = [
    "a < b > c",
    "<b>bold</b>",
    "[x] done",
    "[INSTALL]",
    "<REDACTED>",
    "<EMAIL_1>",
    "|im_end|",
    "",
]

pieces = st.lists(
    st.sampled_from([*TOKENS, "<", "|", ">", "[", "]", "/", "im_end", "s", "x", " ", '"', "\\"])
)
texts = pieces.map("".join) | st.text(max_size=40)


@pytest.mark.parametrize("token", TOKENS)
def test_each_marker_is_broken_yet_readable_in_prose(token):
    text = f"He wrote {token} here."
    assert has_control_token(text)
    made = neutralise(text)
    assert token not in made and not has_control_token(made)
    assert token.lstrip("<[") in made and len(made) == len(text)
    assert restore(made) == text


@pytest.mark.parametrize("token", TOKENS)
def test_each_marker_is_broken_in_json_and_the_value_stays_exact(token):
    value = {"name": "t", "arguments": {token: [f"a{token}b", 1, None, True]}}
    text = json_text(value)
    assert token not in text and not has_control_token(text)
    assert json.loads(text) == value


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text):
    assert neutralise(text) == text
    assert json_text(text) == json.dumps(text, ensure_ascii=False)


@given(texts)
def test_no_marker_is_left_in_prose(text):
    assert not has_control_token(neutralise(text))


@given(texts.filter(lambda t: "＜" not in t and "［" not in t))
def test_prose_can_be_restored(text):
    assert restore(neutralise(text)) == valid_unicode(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda c: st.lists(c, max_size=3) | st.dictionaries(texts, c, max_size=3),
        max_leaves=8,
    )
)
def test_json_parses_to_the_same_value_without_a_marker(value):
    text = json_text(value)
    assert json.loads(text) == value
    assert not has_control_token(text) and "\n" not in text


def test_lone_surrogates_become_replacement_characters():
    assert neutralise("a\ud800b") == "a\ufffdb"
    assert json.loads(json_text({"k": "\udc00x"})) == {"k": "\ufffdx"}
    assert valid_unicode("Größe 🎉") == "Größe 🎉"


def test_numbers_that_json_cannot_hold_are_refused():
    with pytest.raises(ValueError):
        json_text(float("nan"))


def test_a_tokenizer_finds_no_special_token_in_what_is_rendered():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(TOKENS)
    special = {tokenizer.token_to_id(t) for t in TOKENS}
    recorded = "Größe " + "".join(TOKENS)
    assert special <= set(tokenizer.encode(recorded).ids)
    for rendered in (neutralise(recorded), json_text({"a": recorded})):
        ids = tokenizer.encode(rendered).ids
        assert not special & set(ids)
        assert tokenizer.decode(ids) == rendered
