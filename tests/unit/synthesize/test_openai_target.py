import base64
import copy
import dataclasses
import io
import json

import pytest
from independent_checks import Refused, openai_reader
from PIL import Image
from synthesis_samples import ONLY_BOOKS, changed, conversation, frame

from schemas.outcomes import Failure
from transforms.synthesize.targets import ImageSource, render_checked, target_named
from transforms.synthesize.targets.openai import OpenAiTarget, function_names

TARGET = target_named("openai")
TEXT_ONLY = target_named("openai", "none")
PATHS = ImageSource()


def picture(mode="RGB", kind="PNG", size=(2, 2)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def valid_row(target=TARGET, turns=3):
    return target.render(conversation(turns), PATHS)


def test_shape_of_a_row():
    row = valid_row(turns=2)
    assert TARGET.check(row) == []
    assert list(row) == ["messages", "tools", "parallel_tool_calls"]
    assert row["parallel_tool_calls"] is False
    roles = [m["role"] for m in row["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user", "assistant"]
    system, user, first, answer, seen, last = row["messages"]
    assert system["content"][0]["text"].startswith("You operate Ledgerly.")
    assert [p["type"] for p in user["content"]] == ["text", "image_url"]
    assert user["content"][1]["image_url"] == {"url": f"frames/00/{frame(0)}"}
    assert first["content"] == [{"type": "text", "text": "The journal is open."}]
    (call,) = first["tool_calls"]
    assert call["function"]["name"] == "entry_add"  # the API takes no dots
    assert json.loads(call["function"]["arguments"]) == {"sum": 0.5, "label": "Rent 0", "pieces": 1}
    assert answer["tool_call_id"] == call["id"]
    assert json.loads(answer["content"][0]["text"]) == {
        "window": "Ledgerly 1",
        "url": "http://ledgerly.test/1",
    }
    assert seen["content"][0]["text"] == "Screenshot after the call."
    assert seen["content"][1]["image_url"]["url"] == f"frames/01/{frame(1)}"
    assert last["content"] is None


def test_text_only_rows_hold_text_alone():
    row = valid_row(TEXT_ONLY)
    assert TEXT_ONLY.check(row) == []
    assert {type(m["content"]) for m in row["messages"]} == {str, type(None)}
    assert "image_url" not in json.dumps(row)
    assert [m["role"] for m in row["messages"]].count("user") == 1


def test_an_observation_that_shows_nothing_says_so():
    row = TARGET.render(conversation(2, active_window=None, url=None, frame=None), PATHS)
    assert TARGET.check(row) == []
    assert json.loads(row["messages"][3]["content"][0]["text"]) == {"observation": None}
    assert len(row["messages"]) == 5


def test_pictures_as_data_urls_and_under_an_address():
    inside = ImageSource("data_url", read=lambda path: picture())
    row = TARGET.render(conversation(2), inside)
    assert TARGET.check(row) == []
    assert row["messages"][1]["content"][1]["image_url"]["url"] == data_url(picture())
    row = TARGET.render(conversation(1), ImageSource(base_url="https://data.example.org/run/"))
    assert TARGET.check(row) == []
    url = row["messages"][1]["content"][1]["image_url"]["url"]
    assert url == f"https://data.example.org/run/frames/00/{frame(0)}"
    with pytest.raises(ValueError, match="read"):
        TARGET.render(conversation(1), ImageSource("data_url"))


@pytest.mark.parametrize(("mode", "kind"), [("P", "PNG"), ("L", "PNG"), ("L", "JPEG")])
def test_pictures_of_few_colours_are_embedded_in_rgb(mode, kind):
    inside = ImageSource("data_url", read=lambda path: picture(mode, kind))
    assert TARGET.check(TARGET.render(conversation(2), inside)) == []


def test_the_independent_reader_takes_every_row():
    for turns in (1, 2, 3, 9):
        for target in (TARGET, TEXT_ONLY):
            line = render_checked(conversation(turns), target, PATHS)
            assert len(openai_reader(line)) == turns


def test_arguments_with_control_tokens_stay_exact_and_unreadable_for_a_tokenizer():
    made = conversation(1)
    call = changed(made.turns[0].call, arguments={"sum": 1, "label": "<|im_end|><image>[INST]"})
    turn = changed(made.turns[0], call=call, window="<|im_start|>")
    line = render_checked(changed(made, turns=(turn, *conversation(2).turns[1:])), TARGET, PATHS)
    assert b"<|im" not in line and b"<image>" not in line and b"[INST]" not in line
    assert openai_reader(line)[0] == ("entry_add", {"sum": 1, "label": "<|im_end|><image>[INST]"})


def test_same_input_same_bytes():
    assert render_checked(conversation(), TARGET, PATHS) == render_checked(
        conversation(), TARGET, PATHS
    )


def test_names_the_api_takes_stay_distinct():
    names = ["mail.send", "mail_send", "mail:send", "ok-1", "ü", "x" * 70, "x" * 71, ""]
    made = function_names(names)
    assert made["mail_send"] == "mail_send" and made["ok-1"] == "ok-1"
    assert len(set(made.values())) == len(names)
    assert function_names(names[::-1]) == made
    assert function_names(["mail.send"]) == {"mail.send": "mail_send"}
    schema = {"type": "object", "properties": {}}
    tools = [
        {"type": "function", "function": {"name": n, "parameters": schema}} for n in made.values()
    ]
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    assert openai_reader(json.dumps({"messages": messages, "tools": tools}).encode()) == []


def test_a_long_tool_description_is_cut_to_what_the_api_takes():
    made = conversation(1)
    long = copy.deepcopy(made.tools)
    long[0]["function"]["description"] = "x" * 2000
    row = TARGET.render(changed(made, tools=long), PATHS)
    assert TARGET.check(row) == []
    assert len(row["tools"][0]["function"]["description"]) == 1024


def at(path, value):
    """A mutation: sets the value at a path of keys."""

    def change(row):
        place = row
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def without(*path):
    def change(row):
        place = row
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


def insert(i, message):
    return lambda row: row["messages"].insert(i, message)


def part(text="x"):
    return {"role": "user", "content": [{"type": "text", "text": text}]}


CALL = ("messages", 2, "tool_calls", 0)
SEEN = {"type": "image_url", "image_url": {"url": f"frames/00/{frame(0)}"}}


def image(url):
    return at(("messages", 1, "content", 1, "image_url", "url"), url)


def eleven(row):
    row["messages"][1]["content"] += [SEEN] * 10


def many_tools(row):
    tool = row["tools"][0]
    row["tools"] += [
        {"type": "function", "function": tool["function"] | {"name": f"t{i}"}} for i in range(130)
    ]


MUTATIONS = {
    "extra column": ("top_level_keys", at(("id",), "x")),
    "no messages": ("messages", without("messages")),
    "empty messages": ("messages", at(("messages",), [])),
    "role": ("role", at(("messages", 1, "role"), "human")),
    "message is text": ("role", insert(2, "x")),
    "message key": ("message_keys", at(("messages", 1, "name"), "x")),
    "call in a user message": ("message_keys", at(("messages", 1, "tool_calls"), [])),
    "late system": ("role_order", insert(2, {"role": "system", "content": part()["content"]})),
    "two assistants": (
        "role_order",
        insert(2, {"role": "assistant", "content": part()["content"]}),
    ),
    "assistant first": ("role_order", lambda row: row.update(messages=row["messages"][2:3])),
    "tool without call": (
        "role_order",
        insert(2, {"role": "tool", "tool_call_id": "x", "content": part()["content"]}),
    ),
    "no content": ("content", at(("messages", 1, "content"), None)),
    "no content, no call": ("content", lambda row: row["messages"][5].pop("tool_calls")),
    "empty content": ("content", at(("messages", 1, "content"), [])),
    "empty text": ("content", at(("messages", 0, "content", 0, "text"), "")),
    "text is a number": ("content", at(("messages", 0, "content", 0, "text"), 1)),
    "unknown part": ("content", at(("messages", 1, "content", 0), {"type": "audio"})),
    "part with more": ("content", at(("messages", 0, "content", 0, "image_url"), None)),
    "content of another shape": ("content_shape", at(("messages", 1, "content"), "text")),
    "control token": ("control_token", at(("messages", 1, "content", 0, "text"), "a <|im_end|>")),
    "control token in arguments": (
        "control_token",
        at((*CALL, "function", "arguments"), '{"sum": 1, "label": "<|im_end|>"}'),
    ),
    "picture by the assistant": (
        "image_place",
        lambda row: row["messages"][2]["content"].append(SEEN),
    ),
    "picture by a tool": ("image_place", lambda row: row["messages"][3]["content"].append(SEEN)),
    "too many pictures": ("image_count", eleven),
    "picture on this machine": ("image_url", image("file:///tmp/a.png")),
    "picture outside frames": ("image_url", image("../a.png")),
    "picture is no text": ("image_url", image(None)),
    "picture with more": (
        "image_url",
        at(
            ("messages", 1, "content", 1, "image_url"), {"url": "https://example.org/a.png", "x": 1}
        ),
    ),
    "gif": ("image_url", image(data_url(b"GIF89a", "gif"))),
    "not base64": ("image_url", image("data:image/png;base64,@@@")),
    "not a picture": ("image_format", image(data_url(b"hello"))),
    "another format than it says": ("image_format", image(data_url(picture(kind="JPEG")))),
    "grey picture": ("image_mode", image(data_url(picture("L")))),
    "palette picture": ("image_mode", image(data_url(picture("P")))),
    "picture of 11 MB": ("image_size", image(data_url(b"\0" * 11_000_000))),
    "weight": ("weight", at(("messages", 2, "weight"), 0.5)),
    "weight true": ("weight", at(("messages", 2, "weight"), True)),
    "empty calls": ("tool_calls", at(("messages", 2, "tool_calls"), [])),
    "calls are an object": ("tool_calls", at(("messages", 2, "tool_calls"), {})),
    "flat call": ("tool_calls", at(CALL, {"name": "find", "arguments": {}})),
    "type of call": ("tool_calls", at((*CALL, "type"), "tool")),
    "no call id": ("tool_call_id", at((*CALL, "id"), "")),
    "arguments as object": ("arguments", at((*CALL, "function", "arguments"), {"sum": 1})),
    "arguments no JSON": ("arguments", at((*CALL, "function", "arguments"), "{'sum': 1}")),
    "arguments a list": ("arguments", at((*CALL, "function", "arguments"), "[]")),
    "argument missing": ("arguments", at((*CALL, "function", "arguments"), '{"sum": 1}')),
    "argument unknown": (
        "arguments",
        at((*CALL, "function", "arguments"), '{"sum": 1, "label": "a", "z": 1}'),
    ),
    "argument mistyped": (
        "arguments",
        at((*CALL, "function", "arguments"), '{"sum": "1", "label": "a"}'),
    ),
    "boolean for a number": (
        "arguments",
        at((*CALL, "function", "arguments"), '{"sum": true, "label": "a"}'),
    ),
    "tool not declared": ("unknown_tool", at((*CALL, "function", "name"), "entry.add")),
    "no tools": ("unknown_tool", without("tools")),
    "answer to nobody": ("tool_answer", at(("messages", 3, "tool_call_id"), "call_x")),
    "no answer": ("tool_answer", without("messages", 3)),
    "two answers": ("tool_answer", lambda row: row["messages"].insert(4, row["messages"][3])),
    "ends with a tool": ("last_message", lambda row: row.update(messages=row["messages"][:4])),
    "ends with the user": ("last_message", lambda row: row["messages"].append(part())),
    "no user": (
        "role_order",
        lambda row: row.update(
            messages=[m for m in row["messages"] if m["role"] not in ("user", "tool")][:2]
        ),
    ),
    "tools as text": ("tools", at(("tools",), "[]")),
    "too many tools": ("tools", many_tools),
    "tool without type": ("tool_declaration", without("tools", 0, "type")),
    "tool without name": ("tool_declaration", without("tools", 0, "function", "name")),
    "tool with more": ("tool_declaration", at(("tools", 0, "function", "id"), "x")),
    "function is text": ("tool_declaration", at(("tools", 0, "function"), "x")),
    "tool name": ("tool_name", at(("tools", 0, "function", "name"), "entry.label")),
    "tool name twice": ("tool_name", at(("tools", 0, "function", "name"), "find")),
    "tool description": (
        "tool_description",
        at(("tools", 0, "function", "description"), "x" * 1025),
    ),
    "schema": ("tool_schema", at(("tools", 0, "function", "parameters"), {"type": "string"})),
    "schema type": (
        "tool_schema",
        at(("tools", 0, "function", "parameters", "properties", "labels", "type"), "STRING"),
    ),
    "array without items": (
        "tool_schema",
        without("tools", 0, "function", "parameters", "properties", "labels", "items"),
    ),
    "requires the undeclared": (
        "tool_schema",
        at(("tools", 0, "function", "parameters", "required"), ["zzz"]),
    ),
    "parallel": ("parallel_tool_calls", at(("parallel_tool_calls",), "no")),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_broken_rule_is_named(mutation):
    rule, change = MUTATIONS[mutation]
    row = copy.deepcopy(valid_row())
    change(row)
    assert rule in {fault.partition(":")[0] for fault in TARGET.check(row)}


def test_a_second_call_of_one_id_is_named():
    row = valid_row()
    row["messages"][5]["tool_calls"][0]["id"] = row["messages"][2]["tool_calls"][0]["id"]
    row["messages"][6]["tool_call_id"] = row["messages"][2]["tool_calls"][0]["id"]
    assert [f.partition(":")[0] for f in TARGET.check(row)] == ["tool_call_id"]


REFUSED_BY_BOTH = """extra column|two assistants|no answer|two answers|answer to nobody|gif
ends with a tool|ends with the user|picture by a tool|too many pictures|arguments as object
tool name|tool name twice|tool not declared|array without items|empty text"""


@pytest.mark.parametrize(
    "mutation", [m for m in REFUSED_BY_BOTH.replace("\n", "|").split("|") if m != "gif"]
)
def test_the_independent_reader_refuses_what_check_refuses(mutation):
    row = copy.deepcopy(valid_row())
    MUTATIONS[mutation][1](row)
    with pytest.raises((Refused, KeyError, TypeError)):
        openai_reader(json.dumps(row).encode())


def test_what_does_not_pass_becomes_a_failure_that_names_target_and_rule():
    many = conversation(12, dataclasses.replace(ONLY_BOOKS, max_images=12))
    made = render_checked(many, TARGET, PATHS)
    assert isinstance(made, Failure)
    assert (made.stage, made.code) == ("ValidateExamples", "invalid_example")
    assert "openai" in made.message and "image_count" in made.message
    assert many.example_id in made.message and made.session_id == many.session_id
    assert isinstance(render_checked(many, OpenAiTarget(max_images=64), PATHS), bytes)


def test_failures_do_not_repeat_recorded_text():
    secret = "Erika <|im_end|>"
    made = render_checked(changed(conversation(1), request=secret), TARGET, PATHS)
    assert isinstance(made, Failure) and "control_token" in made.message
    assert "Erika" not in made.message
