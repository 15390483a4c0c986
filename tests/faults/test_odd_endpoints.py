"""Endpoints that are compatible in their own way: each segment still ends once, and rightly."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import socket
import ssl
import subprocess
import time
from email.utils import formatdate

import pytest

from tests.support.model_answers import expected_action
from tests.support.model_sessions import contexts, suite
from tests.support.odd_server import OddServer, changed, raw, sends
from transforms.classify.decide import decide
from transforms.classify.model import client as client_module
from transforms.classify.model import transport
from transforms.classify.model.classifier import ModelClassifier
from transforms.classify.model.loop import ModelLoop
from transforms.classify.model.settings import (
    ConfigurationFault,
    EndpointSettings,
    ModelSettings,
    Prices,
)

KEY = "sk-test-5up3r-s3cret"
ACTIONS = [a.name for a in suite().actions]
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def quiet_key(monkeypatch, caplog):
    """Whatever an endpoint does, no log holds the key, not even the most talkative."""
    monkeypatch.setenv("TEST_MODEL_KEY", KEY)
    monkeypatch.setattr(client_module, "FIRST_BACKOFF_S", 0.02)
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


def classifier_of(server, folder, **fields):
    fields.setdefault("timeout_s", 5 + next(_numbers) / 1000)  # an endpoint of its own
    endpoint = EndpointSettings(base_url=server.base_url, key="env:TEST_MODEL_KEY", **fields)
    return ModelClassifier(ModelSettings(model="fake-1", endpoint=endpoint, cache=str(folder)))


def classify(classifier, markers):
    work = classifier.classify_all(contexts(markers))
    return ModelLoop.shared().submit(work).result(60)


# --- Changes to a completion ----------------------------------------------------------------------


def of_choice(**fields):
    return changed(lambda c: c["choices"][0].update(fields))


def of_message(**fields):
    return changed(lambda c: c["choices"][0]["message"].update(fields))


def of_text(write):
    def change(completion):
        message = completion["choices"][0]["message"]
        message["content"] = write(message["content"])
        completion["choices"][0].pop("logprobs", None)

    return changed(change)


def called(arguments):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return of_message(content=None, tool_calls=[call])


def as_call(completion):
    """The right answer as a call whose arguments are an object, not a text."""
    message = completion["choices"][0]["message"]
    arguments = json.loads(message["content"])
    message.update(content=None, tool_calls=[{"function": {"arguments": arguments}}])


def logprobs(value):
    return of_choice(logprobs=value)


def without(field):
    return changed(lambda c: {k: v for k, v in c.items() if k != field})


def error(status, body, *headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sends(raw(status, data, "Content-Type: application/json", *headers))


def refused(status, code, message=""):
    return error(status, {"error": {"message": message or KEY, "type": code, "code": code}})


def in_chunks(connection, completion):
    body = json.dumps(completion).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in body[:200]:
        connection.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
    connection.sendall(b"%x\r\n" % len(body[200:]) + body[200:] + b"\r\n0\r\n\r\n")
    return True


def streamed(connection, completion):
    """As server-sent events, though nobody asked for them."""
    (choice,) = completion["choices"]
    text = choice["message"]["content"]
    parts = [{"delta": {"role": "assistant", "content": ""}}]
    parts += [{"delta": {"content": text[i : i + 7]}} for i in range(0, len(text), 7)]
    parts.append({"delta": {}, "logprobs": choice.get("logprobs"), "finish_reason": "stop"})
    events = [{"choices": [p]} for p in parts] + [{"choices": [], "usage": completion["usage"]}]
    lines = [f"data: {json.dumps(e)}" for e in events] + ["data: [DONE]", ""]
    connection.sendall(raw(200, "\n\n".join(lines).encode(), "Content-Type: text/event-stream"))
    return True


def until_closed(connection, completion):
    """Neither length nor chunks: the body ends where the connection does."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(completion).encode())
    return False


def zipped(connection, completion):
    body = gzip.compress(json.dumps(completion).encode())
    connection.sendall(raw(200, body, "Content-Encoding: gzip"))
    return True


def then_closed(connection, completion):
    """Right, and the kept connection is closed without a word once the client has it."""
    connection.sendall(raw(200, json.dumps(completion).encode()))
    time.sleep(0.02)
    return False


# An oddity of the second request; the first is answered rightly, so the form is known.
TAKEN = {
    "chunks of a byte": in_chunks,
    "a body without length": until_closed,
    "zipped": zipped,
    "streamed": streamed,
    "a kept connection that is closed": then_closed,
    "text in parts": changed(
        lambda c: c["choices"][0]["message"].update(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": "{"}]},
                {"type": "text", "text": c["choices"][0]["message"]["content"]},
                {"type": "text", "text": None},
            ]
        )
    ),
    "no usage": without("usage"),
    "usage null": changed(lambda c: c.update(usage=None)),
    "usage of texts": changed(lambda c: c.update(usage={"prompt_tokens": "many"})),
    "usage a list": changed(lambda c: c.update(usage=[3])),
    "prose around it": of_text(lambda t: f"Sure! Here it is:\n{t}\nAnything else?"),
    "a fence": of_text(lambda t: f"```json\n{t}\n```"),
    "thoughts before it": of_text(lambda t: f"<think>{{maybe {{}} not}}</think>\n\n{t}"),
    "thoughts that do not say so": of_text(lambda t: f"{{}} or {{maybe}}?\n</think>\n\n{t}"),
    "a call with an object": changed(as_call),
    "no calls": of_message(tool_calls=[]),
    "calls null": of_message(tool_calls=None),
    "finish null": of_choice(finish_reason=None),
    "finish in its own word": of_choice(finish_reason="EOS"),
    "no logprobs": changed(lambda c: c["choices"][0].pop("logprobs") and None),
    "logprobs null": logprobs(None),
    "logprobs a list": logprobs([1, 2]),
    "logprobs a text": logprobs("high"),
    "logprobs of nulls": logprobs({"content": [None, None]}),
    "logprobs without numbers": logprobs({"content": [{"token": "a", "logprob": None}]}),
    "logprobs of another text": logprobs({"content": [{"token": "a", "logprob": -0.1}]}),
    "logprobs above zero": logprobs({"content": [{"token": "a", "logprob": 1e300}]}),
    "bytes that are none": logprobs({"content": [{"token": "a", "logprob": -1, "bytes": [999]}]}),
}
MENDED = {
    "content null": of_message(content=None),
    "a call without arguments": called(""),
    "a call of nothing": called(None),
    "no choices": changed(lambda c: c.update(choices=[])),
    "choices missing": without("choices"),
    "choices null": changed(lambda c: c.update(choices=None)),
    "no message": changed(lambda c: c.update(choices=[{"finish_reason": "stop"}])),
    "an error under 200": changed(lambda c: {"error": {"code": 502, "message": KEY}}),
    "an overload under 200": changed(lambda c: {"error": {"code": "rate_limit_exceeded"}}),
    "a text as error under 200": changed(lambda c: {"error": f"busy {KEY}"}),
    "nothing under 200": sends(raw(200, b"")),
    "no content": sends(raw(204, b"")),
    "a page under 200": sends(raw(200, b"<html>Welcome</html>", "Content-Type: text/html")),
    "not UTF-8": sends(raw(200, b'{"choices": "\xff"}')),
    "an answer that broke off": changed(
        lambda c: c["choices"][0].update(finish_reason="error", message={"content": ""})
    ),
    "a stream that broke off": sends(
        raw(200, b'data: {"choices": [{"delta": {"content": "{"}}]}\n\n')
    ),
    "a page under 502": error(502, b"<html>Bad gateway</html>"),
    "a page under 500 that is long": error(500, b"<p>" + KEY.encode() * 100_000),
    "529": error(529, {"error": {"type": "overloaded_error"}}),
    "520": error(520, b""),
    "no such wait": error(429, {}, "Retry-After: soon"),
    "wait of a fraction": error(429, {}, "Retry-After: 0.05"),
    "wait below zero": error(429, {}, "Retry-After: -5"),
    "wait without end": error(429, {}, "Retry-After: inf"),
    "wait until a time past": error(429, {}, "Retry-After: " + formatdate(1, usegmt=True)),
    "wait until no time": error(429, {}, "Retry-After: Thu, 99 Foo 99999 00:00:00 GMT"),
    "wait in milliseconds": error(429, {}, "Retry-After-Ms: 50", "Retry-After: 900"),
    "closed in the body": sends(raw(200, b'{"choices": [', length=5000), stays=False),
    "closed before an answer": sends(b"", stays=False),
    "closed in the headers": sends(b"HTTP/1.1 200 OK\r\nContent-Ty", stays=False),
    "no HTTP": sends(b"SSH-2.0-OpenSSH\r\n\r\n", stays=False),
    "a chunk that is none": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", stays=False
    ),
    "zipped but not": sends(raw(200, b'{"choices": []}', "Content-Encoding: gzip"), stays=False),
    "a header without end": sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, stays=False),
    "longer than allowed": sends(raw(200, b" " * 300_000 + b"{}")),
    "cut off": changed(
        lambda c: c["choices"][0].update(
            finish_reason="length", message={"content": '{"evidence": ["s'}
        )
    ),
    "cut off in another word": of_choice(finish_reason="max_tokens"),
}
REVIEWED = {
    "filtered": of_choice(finish_reason="content_filter"),
    "filtered without a message": changed(
        lambda c: c.update(choices=[{"finish_reason": "content_filter"}])
    ),
    "refusal": of_message(refusal="I cannot help with that."),
    "refusal as a part": of_message(content=[{"type": "refusal", "refusal": "No."}]),
    "filter in front": refused(400, "content_filter"),
}
FAILED = {
    "a wait for years": (error(429, {}, "Retry-After: 1e9"), "http_429"),
    "a date in years": (error(429, {}, "Retry-After: " + formatdate(4e9, usegmt=True)), "http_429"),
}


@pytest.fixture(autouse=True)
def short_replies(monkeypatch):
    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 256 << 10)


def second(tmp_path, oddity):
    """Classifies two segments, of which the second meets the oddity; returns it and the calls."""
    with OddServer([None, oddity]) as server:
        found = classify(classifier_of(server, tmp_path, concurrency=1), ["a 1"])
        assert found[0].action == expected_action("a 1", ACTIONS)
        (said,) = classify(classifier_of(server, tmp_path, concurrency=1), ["b 2"])
        return said, len(server.requests)


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken_as_it_is(tmp_path, name):
    said, calls = second(tmp_path, TAKEN[name])
    assert (said.action, said.reasons) == (expected_action("b 2", ACTIONS), ())
    assert calls == 2
    assert said.confidence is not None and 0 <= said.confidence <= 1


@pytest.mark.parametrize("name", MENDED)
def test_one_more_call_mends_it(tmp_path, name):
    said, calls = second(tmp_path, MENDED[name])
    assert (said.action, said.reasons) == (expected_action("b 2", ACTIONS), ())
    assert calls == 3


@pytest.mark.parametrize(
    "body",
    [{"detail": [{"loc": ["body", "logprobs"], "msg": "extra"}]}, {"error": "no"}, b"<html>no"],
)
def test_a_form_that_one_request_is_refused_in_is_changed_for_it(tmp_path, body):
    said, calls = second(tmp_path, error(422, body))
    assert (said.action, said.reasons) == (expected_action("b 2", ACTIONS), ())
    assert calls == 4  # without token probabilities it is asked for several samples, then for one


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "You are not allowed to request logprobs from this model"}},
        {"error": {"message": "not for this key", "param": "logprobs"}},
    ],
)
def test_a_field_that_the_key_may_not_use_is_left_out(tmp_path, body):
    said, calls = second(tmp_path, error(403, body))
    assert (said.action, said.reasons) == (expected_action("b 2", ACTIONS), ())
    assert calls == 4


def test_the_other_name_of_the_token_limit_is_tried_before_anything_is_lost(tmp_path):
    says = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with OddServer([error(400, {"error": {"message": says}})]) as server:
        (said,) = classify(classifier_of(server, tmp_path, concurrency=1), ["a 1"])
        assert (said.confidence_source, len(server.requests)) == ("logprobs", 2)


def test_token_probabilities_of_another_text_are_none(tmp_path):
    """Votes take their place, as where there are none."""
    other = [logprobs({"content": [{"token": "a", "logprob": -0.1}]})] * 9
    with OddServer(other) as server:
        (said,) = classify(classifier_of(server, tmp_path, concurrency=1), ["a 1"])
        # Without probabilities for several samples, of which this server gives one.
        assert (said.confidence_source, len(server.requests)) == ("verbal", 3)


PAGE = sends(raw(200, b"<html>Welcome</html>"))


def test_what_may_be_billed_is_charged(tmp_path):
    price = Prices(prompt=10.0, completion=10.0)
    with OddServer([None, PAGE, PAGE, PAGE]) as server:
        classifier = classifier_of(
            server, tmp_path, concurrency=1, attempts=3, max_usd=5.0, prices=(("fake-1", price),)
        )
        classify(classifier, ["a"])
        left = classifier.endpoint.budget.usd_left
        (said,) = classify(classifier, ["b"])
        assert (said.status, said.reasons) == ("failed", ("garbage",))
        # Three prompts of some 1,000 tokens.
        assert 0.02 < left - classifier.endpoint.budget.usd_left < 0.1


def test_a_page_in_the_place_of_the_endpoint_ends_the_run_at_once(tmp_path):
    with OddServer([PAGE] * 99) as server:
        with pytest.raises(ConfigurationFault, match="no chat completion; check --model_base_url"):
            classify(classifier_of(server, tmp_path, concurrency=1), ["a", "b", "c"])
        assert len(server.requests) == client_module.HOPELESS


@pytest.mark.parametrize("name", REVIEWED)
def test_it_goes_to_review(tmp_path, name):
    said, calls = second(tmp_path, REVIEWED[name])
    decided = decide(said, suite(), 0.8)
    assert (decided.status, decided.reasons[0], calls) == ("review", "refused", 2)


@pytest.mark.parametrize("name", FAILED)
def test_it_fails_without_another_call(tmp_path, name):
    oddity, reason = FAILED[name]
    said, calls = second(tmp_path, oddity)
    assert (said.status, said.reasons, calls) == ("failed", (reason,), 2)


@pytest.mark.parametrize(
    "oddity",
    [
        refused(413, "too_large"),
        error(413, b"<html>Request entity too large</html>"),
        refused(400, "context_length_exceeded"),
        error(400, {"object": "error", "message": "maximum context length is 8 tokens"}),
        error(422, {"error": "`inputs` must have less than 8 tokens. Given: 9"}),
        error(400, {"detail": [{"msg": "the prompt is too long"}]}),
        error(400, [{"error": {"code": 400, "message": "The input token count (9) exceeds the "
                               "maximum number of tokens allowed (8)."}}]),
        error(422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 8. Given: 9"}),
    ],
)  # fmt: skip
def test_too_long_is_halved_in_whatever_words(tmp_path, oddity):
    said, calls = second(tmp_path, oddity)
    assert said.status == "review" and "too_long" not in said.reasons
    assert calls == 4  # the two halves


# --- The time-out covers the whole call -----------------------------------------------------------


def dripping(data, stop_s=3.0):
    def write(connection, _):
        until = time.monotonic() + stop_s
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
            if time.monotonic() > until:
                break
        return False

    return write


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_what_drips_in_is_given_up(tmp_path, start):
    def write(connection, completion):
        connection.sendall(start)
        return dripping(raw(200, b" " * 900))(connection, completion)

    with OddServer([write, write]) as server:
        limit_s = 0.3 + next(_numbers) / 1000
        classifier = classifier_of(server, tmp_path, timeout_s=limit_s, attempts=2)
        begun = time.monotonic()
        (said,) = classify(classifier, ["a"])
        assert (said.status, said.reasons) == ("failed", ("timeout",))
        assert time.monotonic() - begun < 2.5  # each would drip for three seconds


# --- Faults of the whole configuration ------------------------------------------------------------


@pytest.mark.parametrize(
    "oddity, says",
    [
        (refused(401, "invalid_api_key", f"Incorrect key {KEY}"), "HTTP 401"),
        (error(401, b"<html>Unauthorized</html>"), "HTTP 401"),
        (refused(402, "no_credit"), "HTTP 402.*credit"),
        (refused(403, "forbidden"), "HTTP 403"),
        (refused(404, "model_not_found"), "HTTP 404 model_not_found"),
        (changed(lambda c: {"error": {"code": "invalid_api_key", "message": KEY}}), "HTTP 401"),
        (refused(429, "insufficient_quota"), "quota"),
        (error(301, b"", "Location: /v2/chat/completions"), "HTTP 301: it redirects"),
        (error(302, b"", "Location: /login"), "HTTP 302: it redirects"),
        (error(307, b""), "HTTP 307: it redirects"),
        (error(308, b"", "Location: http://[bad"), "HTTP 308: it redirects"),
    ],
)
def test_one_that_begins_in_the_middle_ends_the_run_with_one_line(tmp_path, oddity, says):
    with OddServer([None, None, *[oddity] * 50]) as server:
        classifier = classifier_of(server, tmp_path, concurrency=1)
        with pytest.raises(ConfigurationFault, match=says) as caught:
            classify(classifier, [f"n {i}" for i in range(20)])
        assert len(server.requests) == 3
    shown = [str(caught.value)]
    error_ = caught.value
    while error_ := error_.__cause__ or error_.__context__:
        shown.append(repr(error_))
    assert "\n" not in str(caught.value)
    assert KEY not in "".join(shown)


def test_the_key_never_follows_a_redirect_to_another_host(tmp_path):
    with OddServer() as other:
        away = error(307, b"", f"Location: {other.base_url}/chat/completions")
        with (
            OddServer([away]) as server,
            pytest.raises(ConfigurationFault, match="where the key is not sent"),
        ):
            classify(classifier_of(server, tmp_path, concurrency=1), ["a"])
        assert other.requests == []


def test_a_redirect_within_the_host_is_followed(tmp_path):
    here = error(308, b"", "Location: /v2/chat/completions?x=1")
    with OddServer([here]) as server:
        (said,) = classify(classifier_of(server, tmp_path, concurrency=1), ["a"])
        assert said.action == expected_action("a", ACTIONS)
        assert [p for p, _ in server.requests] == [
            "/v1/chat/completions", "/v2/chat/completions?x=1"
        ]  # fmt: skip


def test_a_redirect_in_a_circle_ends(tmp_path):
    circle = error(307, b"", "Location: /v1/chat/completions")
    with OddServer([circle] * 20) as server:
        with pytest.raises(ConfigurationFault, match="circle"):
            classify(classifier_of(server, tmp_path, concurrency=1), ["a"])
        assert len(server.requests) == transport.MAX_REDIRECTS + 1


def test_the_url_keeps_its_query_and_gives_no_credentials(tmp_path):
    with OddServer() as server:
        endpoint = EndpointSettings(
            base_url=server.base_url.replace("//", "//user:word@") + "/?version=3",
            key="env:TEST_MODEL_KEY",
        )
        settings = ModelSettings(model="fake-1", endpoint=endpoint, cache=str(tmp_path))
        classify(ModelClassifier(settings), ["a"])
        path, headers = server.requests[0]
    assert path == "/v1/chat/completions?version=3"
    assert headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/v1", "example.org/v1", "http:///v1", "http://["]
)
def test_a_url_that_is_none_is_a_configuration_fault(tmp_path, url):
    endpoint = EndpointSettings(base_url=url, key="env:TEST_MODEL_KEY")
    with pytest.raises(ConfigurationFault, match="--model_base_url"):
        settings = ModelSettings(model="fake-1", endpoint=endpoint, cache=str(tmp_path))
        classify(ModelClassifier(settings), ["a"])


@pytest.mark.parametrize("credentials, said", [("", None), ("who:word@", "Basic d2hvOndvcmQ=")])
def test_the_proxy_of_the_environment_is_used(tmp_path, monkeypatch, credentials, said):
    with OddServer() as proxy, OddServer() as near:
        place = proxy.base_url.removeprefix("http://").removesuffix("/v1")
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://{credentials}{place}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "127.0.0.1")
        proxy.base_url = "http://models.example.org/v1"
        for number, server in enumerate((proxy, near)):
            (found,) = classify(classifier_of(server, tmp_path / str(number)), ["a"])
            assert found.action == expected_action("a", ACTIONS)
        assert [path for path, _ in proxy.requests] == [
            "http://models.example.org/v1/chat/completions"
        ]
        assert proxy.requests[0][1].get("proxy-authorization") == said
        assert len(near.requests) == 1


@pytest.mark.parametrize("vouched", [True, False])
def test_certificates_are_checked(tmp_path, monkeypatch, vouched):
    """An endpoint that nobody vouches for gets no request, and no key."""
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout",
            tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    if vouched:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with OddServer() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
        server.encrypt(context)
        classifier = classifier_of(server, tmp_path / "cache")
        if vouched:
            assert classify(classifier, ["a"])[0].action == expected_action("a", ACTIONS)
        else:
            with pytest.raises(ConfigurationFault, match="vouches for its certificate"):
                classify(classifier, ["a"])
        assert len(server.requests) == vouched


@pytest.mark.parametrize("errno, faulty", [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)])
def test_a_host_that_is_none_ends_the_run_at_once(tmp_path, monkeypatch, errno, faulty):
    def resolve(*_, **__):
        raise socket.gaierror(errno, "not found")

    with OddServer() as server:
        server.base_url = "http://models.example.org/v1"
        classifier = classifier_of(server, tmp_path, attempts=2)
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        if faulty:
            with pytest.raises(ConfigurationFault, match="no such host"):
                classify(classifier, ["a"])
        else:
            assert classify(classifier, ["a"])[0].reasons == ("connection",)


# --- All at once ----------------------------------------------------------------------------------


def test_each_of_many_ends_once_whatever_comes(tmp_path):
    odd = [*TAKEN.values(), *MENDED.values(), *REVIEWED.values(), *(o for o, _ in FAILED.values())]
    plan = [None, *(o for pair in zip(odd, itertools.repeat(None)) for o in pair)]
    markers = [f"n {i}" for i in range(150)]
    with OddServer(plan) as server:
        found = classify(classifier_of(server, tmp_path, concurrency=8), markers)
        calls = len(server.requests)
    ended = [decide(f, suite(), 0.0) for f in found]
    assert [f.segment for f in ended] == [c.segment for c in contexts(markers)]
    assert {f.status for f in ended} == {"accepted", "review", "failed"}
    for marker, said in zip(markers, ended):
        assert said.action in (None, expected_action(marker, ACTIONS))
        assert (said.status == "accepted") == (said.action is not None)
    assert sum(1 for f in ended if f.status == "failed") == len(FAILED)
    assert sum(1 for f in ended if f.status == "review") == len(REVIEWED)
    assert calls == len(markers) + len(MENDED)
