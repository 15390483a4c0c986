import json
import pickle
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.classify.model.client import (
    Endpoint,
    estimated_tokens,
    retry_after_s,
    with_pictures,
)
from transforms.classify.model.reply import Reply, parse_error, parse_reply
from transforms.classify.model.settings import (
    ConfigurationFault,
    EndpointSettings,
    ModelSettings,
    Prices,
    read_key,
)


def completion(**choice):
    message = choice.pop("message", {"role": "assistant", "content": "hi"})
    whole = {"index": 0, "message": message, "finish_reason": "stop", **choice}
    return {"choices": [whole], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def parsed(data):
    return parse_reply(json.dumps(data).encode())


def test_a_reply_is_read():
    reply = parsed(completion())
    assert reply == Reply(reply.choices, 7, 3)
    assert (reply.choices[0].text, reply.choices[0].finish) == ("hi", "stop")


def test_tool_calls_and_parts_are_texts_too():
    call = {"function": {"name": "f", "arguments": '{"a":1}'}}
    message = {"content": None, "tool_calls": [call]}
    assert parsed(completion(message=message)).choices[0].text == '{"a":1}'
    parts = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert parsed(completion(message=parts)).choices[0].text == "ab"


@pytest.mark.parametrize(
    "message, finish", [({"content": None, "refusal": "no"}, "stop"), ({}, "content_filter")]
)
def test_refusals_are_known(message, finish):
    assert parsed(completion(message=message, finish_reason=finish)).choices[0].refusal


def test_characters_spread_over_tokens_belong_to_the_one_that_completes_them():
    data = "é€".encode()
    rows = [
        {"token": "\\x", "logprob": -0.1, "bytes": [data[i]], "top_logprobs": []}
        for i in range(len(data))
    ]
    choice = parsed(completion(logprobs={"content": rows})).choices[0]
    assert [t for t, _ in choice.tokens] == ["", "é", "", "", "€"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": 3}]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [{"message": "x"}]}',
        b'{"choices": "\xff"}',
        b"[" * 100_000,
        b"data: {}",
        b"data: 3\n\ndata: [DONE]",
        b'data: {"choices": [{"delta": {"content": 3}, "logprobs": 3}]}\n\ndata: [DONE]',
        b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
        b'{"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}',
    ],
)
def test_what_is_no_completion_is_none(content):
    assert parse_reply(content) is None


@given(st.binary())
def test_reading_a_reply_never_raises(content):
    parse_reply(content)
    parse_reply(b"data: " + content)


def test_a_reply_that_is_streamed_unasked_is_put_together():
    token = {"token": "lo", "logprob": -0.5}
    events = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hel"}}]},
        {"choices": [{"index": 1, "delta": {"tool_calls": [{"function": {"arguments": "{"}}]}}]},
        {"choices": [{"delta": {"content": "lo"}, "logprobs": {"content": [token]}}]},
        {"choices": [{"index": 1, "delta": {"tool_calls": [{"function": {"arguments": "}"}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
    ]
    lines = [": waiting", *(f"data: {json.dumps(e)}" for e in events), "data: [DONE]"]
    reply = parse_reply("\n\n".join(lines).encode())
    assert [c.text for c in reply.choices] == ["hello", "{}"]
    assert (reply.choices[0].finish, reply.choices[0].tokens) == ("length", (("lo", -0.5),))
    assert (reply.prompt_tokens, reply.completion_tokens) == (7, 3)


@pytest.mark.parametrize(
    "body, parameter",
    [
        (
            {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this "
                       "model. Use 'max_completion_tokens' instead.", "param": None}},
            "max_tokens",
        ),
        ({"error": "top_logprobs needs logprobs"}, "top_logprobs"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra fields"}]}, "seed"),
        ({"error": {"message": "no images here; temperature is fine"}}, "image"),
        ({"error": {"message": "n must be 1", "param": "n"}}, "n"),
    ],
)  # fmt: skip
def test_the_field_that_an_error_is_about_stands_first(body, parameter):
    assert parse_error(json.dumps(body).encode()).parameter == parameter


@pytest.mark.parametrize(
    "body",
    [
        [{"error": {"code": 400, "message": "The input token count (1048577) exceeds the maximum "
                    "number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}],
        {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. "
         "Given: 3000 `inputs` tokens and 1024 `max_new_tokens`", "error_type": "validation"},
    ],
)  # fmt: skip
def test_too_long_is_known_in_other_words(body):
    assert parse_error(json.dumps(body).encode()).too_long


@pytest.mark.parametrize(
    "usage", [None, {}, [1], 7, {"prompt_tokens": -4}, {"prompt_tokens": "many"}]
)
def test_usage_may_be_missing(usage):
    assert parsed({**completion(), "usage": usage}).prompt_tokens == 0


@pytest.mark.parametrize(
    "headers, least, most",
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9, 9),
        (
            {"retry-after": formatdate(120, usegmt=True), "date": formatdate(60, usegmt=True)},
            60,
            60,
        ),
        ({"retry-after": "-3"}, 0, 0),
    ],
)
def test_retry_after_in_all_its_forms(headers, least, most):
    assert least <= retry_after_s(headers) <= most


def test_a_date_without_the_endpoints_clock_is_held_against_ours():
    assert 27 <= retry_after_s({"retry-after": formatdate(time.time() + 30, usegmt=True)}) <= 30


@pytest.mark.parametrize("said", ["", "soon", "nan", "inf", "Wed, 99 Foo"])
def test_what_is_no_wait_is_none(said):
    assert retry_after_s({"retry-after": said}) is None


def test_estimates_count_texts_pictures_and_samples():
    body = {
        "messages": [
            {"role": "system", "content": "x" * 350},
            {
                "role": "user",
                "content": [{"type": "text", "text": "y" * 35}, {"type": "image_url"}],
            },
        ],
        "max_tokens": 100,
        "n": 3,
    }
    assert estimated_tokens(body) == (110 + 1600, 300)


def test_pictures_are_put_in_by_hash_and_the_body_is_left_alone():
    part = {"type": "image_url", "image_url": {"url": "sha256:ab", "detail": "high"}}
    body = {"messages": [{"role": "user", "content": [part]}, {"role": "user", "content": "x"}]}
    made = with_pictures(body, {"ab": ("image/png", b"\x01\x02")})
    sent = made["messages"][0]["content"][0]["image_url"]
    assert sent == {"url": "data:image/png;base64,AQI=", "detail": "high"}
    assert part["image_url"]["url"] == "sha256:ab"


# --- The key --------------------------------------------------------------------------------------

SECRET = "sk-test-5up3r-s3cret"


def test_the_key_comes_from_its_reference(tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", f"  {SECRET}\n")
    assert read_key("env:A_KEY") == SECRET
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")
    assert read_key(str(file)) == SECRET


@pytest.mark.parametrize("content", ["", "  \n", f"{SECRET} and more", f"{SECRET}é"])
def test_a_key_that_cannot_be_used_is_named_not_quoted(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ConfigurationFault) as caught:
        read_key(str(file))
    assert SECRET not in str(caught.value)


def test_a_missing_key_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(ConfigurationFault, match="NO_KEY is not set"):
        read_key("env:NO_KEY")
    with pytest.raises(ConfigurationFault, match="cannot be read"):
        read_key(str(tmp_path / "none"))


def test_endpoints_do_not_travel_and_do_not_show_credentials():
    url = f"https://user:{SECRET}@models.example.org/v1?api-key={SECRET}"
    endpoint = Endpoint(EndpointSettings(base_url=url))
    assert repr(endpoint) == "Endpoint(models.example.org/v1)"
    with pytest.raises(TypeError):
        pickle.dumps(endpoint)


def test_settings_pickle_without_the_key(monkeypatch, tmp_path):
    monkeypatch.setenv("A_KEY", SECRET)
    settings = ModelSettings(
        model="m", endpoint=EndpointSettings(key="env:A_KEY"), cache=str(tmp_path)
    )
    assert SECRET.encode() not in pickle.dumps(settings)
    assert SECRET not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"model": ""}, "--model"),
        ({"configuration": {"messages": []}}, "messages"),
        ({"configuration": {"stream": True}}, "stream"),
        ({"configuration": {"votes": 1.5}}, "votes"),
        ({"configuration": {"votes": True}}, "votes"),
        ({"segments_per_request": 9}, "segments_per_request"),
        (
            {"endpoint": EndpointSettings(max_usd=1.0, prices=(("other", Prices(1.0, 1.0)),))},
            "--max_usd needs the price of m",
        ),
    ],
)
def test_configurations_that_cannot_work_are_refused(fields, says):
    settings = ModelSettings(**{"model": "m", "cache": "c", **fields})
    with pytest.raises(ConfigurationFault, match=says):
        settings.check()
