import copy
import json

import pytest
from independent_checks import Refused, llamafactory_reader
from synthesis_samples import changed, conversation, frame

from schemas.outcomes import Failure
from transforms.synthesize.targets import ImageSource, render_checked, target_named

TARGET = target_named("sharegpt")
PATHS = ImageSource()


def valid_row(turns=3):
    return TARGET.render(conversation(turns), PATHS)


def test_shape_of_a_row():
    row = valid_row(2)
    assert TARGET.check(row) == []
    assert list(row) == ["id", "conversations", "system", "tools", "images"]
    assert row["id"] == conversation(2).example_id
    human, call, seen, last = row["conversations"]
    assert human["from"] == "human" and human["value"].startswith("<image>\nDo this in Ledgerly")
    assert call["from"] == "function_call"
    assert call["value"].startswith("<think>\nThe journal is open.\n</think>\n\n{")
    assert seen["from"] == "observation" and seen["value"].startswith('<image>\n{"window"')
    assert json.loads(last["value"]) == {
        "name": "entry.label",
        "arguments": {"labels": ["a", "b1"]},
    }
    assert row["images"] == [f"frames/00/{frame(0)}", f"frames/01/{frame(1)}"]
    assert [t["name"] for t in json.loads(row["tools"])] == ["entry.label", "entry.add", "find"]


def test_rows_without_pictures_have_the_same_columns():
    row = TARGET.render(conversation(2), ImageSource("none"))
    assert TARGET.check(row) == [] and row["images"] == []
    assert "<image>" not in json.dumps(row)
    assert list(row) == list(valid_row())


def test_paths_stay_paths_when_other_targets_embed_pictures():
    row = TARGET.render(conversation(1), ImageSource("data_url", read=lambda path: b""))
    assert row["images"] == [f"frames/00/{frame(0)}"]


def test_parts_have_ids_of_their_own():
    row = TARGET.render(changed(conversation(1), part=2), PATHS)
    assert row["id"] == f"{conversation(1).example_id}-2"


@pytest.mark.parametrize("turns", [1, 2, 3, 9])
def test_the_independent_reader_takes_every_row(turns):
    calls = llamafactory_reader(render_checked(conversation(turns), TARGET, PATHS))
    assert len(calls) == turns
    assert calls[0] == (
        "entry.add",
        {"sum": 0.5, "label": "Rent 0", "pieces": 1},
        "The journal is open.",
    )


def test_recorded_placeholders_and_thoughts_do_not_confuse_the_reader():
    recorded = "<image><video></think>{<think>x</think>"
    made = conversation(2)
    call = changed(made.turns[0].call, arguments={"sum": 1, "label": recorded})
    turns = (changed(made.turns[0], call=call), changed(made.turns[1], window=recorded))
    line = render_checked(changed(made, turns=turns), TARGET, PATHS)
    assert llamafactory_reader(line)[0] == (
        "entry.add",
        {"sum": 1, "label": recorded},
        "The journal is open.",
    )
    observation = json.loads(line)["conversations"][2]["value"].removeprefix("<image>\n")
    assert json.loads(observation)["window"] == recorded


def test_same_input_same_bytes():
    assert render_checked(conversation(), TARGET, PATHS) == render_checked(
        conversation(), TARGET, PATHS
    )


def turn(i, **fields):
    return lambda row: row["conversations"][i].update(fields)


def call(**fields):
    value = {"name": "find", "arguments": {"query": "x"}} | fields
    return turn(3, value=json.dumps(value))


MUTATIONS = {
    "extra column": ("top_level_keys", lambda row: row.update(x=1)),
    "missing column": ("top_level_keys", lambda row: row.pop("system")),
    "no conversations": ("conversations", lambda row: row.pop("conversations")),
    "id": ("id", lambda row: row.update(id=1)),
    "system": ("system", lambda row: row.update(system=None)),
    "control token in system": ("control_token", lambda row: row.update(system="<|im_end|>")),
    "odd count": ("turn_count", lambda row: row["conversations"].pop()),
    "no turns": ("turn_count", lambda row: row.update(conversations=[])),
    "wrong place": ("alternation", turn(1, **{"from": "observation"})),
    "unknown tag": ("alternation", turn(0, **{"from": "user"})),
    "starts with observation": ("alternation", turn(0, **{"from": "observation"})),
    "human after a call": ("alternation", turn(2, **{"from": "human"})),
    "observation after text": ("alternation", turn(1, **{"from": "gpt", "value": "Done."})),
    "turn keys": ("turn_keys", turn(0, weight=1)),
    "turn is text": ("turn_keys", lambda row: row["conversations"].insert(0, "x")),
    "empty value": ("value", turn(0, value=" ")),
    "value is an object": ("value", turn(1, value={})),
    "call no JSON": ("function_call", turn(3, value="find(x)")),
    "text before the call": ("function_call", turn(3, value='Well: {"name": "find"}')),
    "call is a list": ("function_call", turn(3, value="[]")),
    "call with more": ("function_call", call(id="x")),
    "arguments as text": ("arguments", call(arguments="{}")),
    "argument unknown": ("arguments", call(arguments={"query": "x", "y": 1})),
    "argument missing": ("arguments", call(arguments={})),
    "argument mistyped": ("arguments", call(arguments={"query": 1})),
    "unknown tool": ("unknown_tool", call(name="other")),
    "placeholder too much": ("image_count", turn(0, value="<image>\n<image>\nx")),
    "placeholder too few": ("image_count", turn(0, value="x")),
    "placeholder in a call": ("image_count", turn(3, value='<image>\n{"name": "find"}')),
    "picture too much": ("image_count", lambda row: row["images"].append(row["images"][0])),
    "video": ("control_token", turn(0, value="<image>\n<video>")),
    "think in a request": ("control_token", turn(0, value="<image>\na <think> b")),
    "control token": ("control_token", turn(2, value="<image>\n<|im_end|>")),
    "control token in a call": ("control_token", call(arguments={"query": "<|im_end|>"})),
    "control token in a thought": (
        "control_token",
        turn(1, value='<think>\n<|im_end|>\n</think>\n\n{"name": "find", "arguments": {}}'),
    ),
    "images is text": ("images", lambda row: row.update(images="a.png")),
    "absolute image": ("images", lambda row: row.update(images=["/a.png"] * 3)),
    "image outside": ("images", lambda row: row.update(images=["frames/../a.png"] * 3)),
    "tools as list": ("tools", lambda row: row.update(tools=[])),
    "tools no JSON": ("tools", lambda row: row.update(tools="")),
    "wrapped tools": (
        "tool_declaration",
        lambda row: row.update(tools=json.dumps([{"type": "function", "function": {}}])),
    ),
    "tools twice": (
        "tool_name",
        lambda row: row.update(tools=json.dumps(json.loads(row["tools"]) * 2)),
    ),
    "tool without properties": (
        "tool_schema",
        lambda row: row.update(tools='[{"name": "find", "parameters": {"type": "object"}}]'),
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_broken_rule_is_named(mutation):
    rule, change = MUTATIONS[mutation]
    row = copy.deepcopy(valid_row())
    change(row)
    assert rule in {fault.partition(":")[0] for fault in TARGET.check(row)}


@pytest.mark.parametrize(
    "mutation",
    """odd count|no turns|wrong place|unknown tag|call no JSON|text before the call|video
placeholder too much|placeholder too few|picture too much|absolute image|tools no JSON
argument unknown|unknown tool""".replace("\n", "|").split("|"),
)
def test_the_independent_reader_refuses_what_check_refuses(mutation):
    row = copy.deepcopy(valid_row())
    MUTATIONS[mutation][1](row)
    with pytest.raises((Refused, KeyError, ValueError)):
        llamafactory_reader(json.dumps(row).encode())


def test_what_does_not_pass_becomes_a_failure_that_names_target_and_rule():
    made = render_checked(changed(conversation(1), request="Erika <image>"), TARGET, PATHS)
    assert isinstance(made, Failure) and made.code == "invalid_example"
    assert "sharegpt" in made.message and "control_token" in made.message
    assert "Erika" not in made.message
