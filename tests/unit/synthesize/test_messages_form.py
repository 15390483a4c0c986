import json

import pytest
from synthesis_samples import changed, conversation

from transforms.synthesize.messages import messages_lines


def test_nested_form_is_one_message_a_line():
    lines = messages_lines(conversation(2), nested=True)
    system, user, first, second = [json.loads(line) for line in lines]
    assert system["role"] == "system" and "Ledgerly" in system["content"]
    assert user["role"] == "user" and user["content"].startswith("Do this in Ledgerly")
    (call,) = first["tool_calls"]
    assert set(call) == {"id", "type", "function"} and call["type"] == "function"
    assert set(call["function"]) == {"name", "arguments"}
    assert call["function"]["name"] == "entry.add"  # the catalogue's own name
    assert call["function"]["arguments"] == '{"sum": 0.5, "label": "Rent 0", "pieces": 1}'
    assert first["role"] == second["role"] == "assistant"
    assert first["content"] == "The journal is open." and second["content"] is None


def test_flat_form_holds_arguments_as_an_object():
    lines = messages_lines(conversation(2), nested=False)
    assert json.loads(lines[2])["tool_calls"] == [
        {"name": "entry.add", "arguments": {"sum": 0.5, "label": "Rent 0", "pieces": 1}}
    ]


def test_ids_are_those_of_the_calls():
    made = conversation(3)
    ids = [json.loads(m)["tool_calls"][0]["id"] for m in messages_lines(made)[2:]]
    assert ids == [t.call.id for t in made.turns] and len(set(ids)) == 3


@pytest.mark.parametrize("nested", [True, False])
def test_lines_are_utf8_single_lines_with_exact_arguments(nested):
    value = 'Größe 你好\n<|im_end|> \u2028 " \\ 🎉'
    made = conversation(1)
    call = changed(made.turns[0].call, arguments={"sum": 10**30, "label": value})
    lines = messages_lines(changed(made, turns=(changed(made.turns[0], call=call),)), nested)
    assert b"\n" not in lines[2] and "你好".encode() in lines[2] and b"<|im_end|>" not in lines[2]
    found = json.loads(lines[2])["tool_calls"][0]
    arguments = json.loads(found["function"]["arguments"]) if nested else found["arguments"]
    assert arguments == {"sum": 10**30, "label": value}


def test_same_input_same_bytes():
    assert messages_lines(conversation(3)) == messages_lines(conversation(3))
