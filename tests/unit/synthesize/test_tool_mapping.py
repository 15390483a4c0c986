import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthesis_samples import BOOKS, CATALOGUE, DESK, SUITE, added, changed, classified, segment

from schemas.examples import ToolCall
from schemas.outcomes import Failure
from transforms.synthesize.arguments import Unconvertible, convert, holds_redaction
from transforms.synthesize.mapping import call_for, tool_schemas, unmapped_parameters


def call(classification, tool_map=BOOKS, example_id="ex"):
    return call_for(
        classification, SUITE, tool_map, CATALOGUE, example_id=example_id, session_id="s"
    )


def test_arguments_are_renamed_typed_and_in_the_tools_order():
    made = call(added(segment(0), "Rent", 12.0, parameters={"paid": True, "colour": "red"}))
    assert isinstance(made, ToolCall)
    assert made.name == "entry.add"
    assert list(made.arguments.items()) == [
        ("sum", 12),
        ("label", "Rent"),
        ("settled", True),
        ("pieces", 1),  # the catalogue's default
    ]
    assert isinstance(made.arguments["sum"], int)


def test_types_of_the_other_tool_surface():
    made = call(added(segment(0), "Rent", 12.0, parameters={"paid": False}), DESK)
    assert made.arguments == {"what": "Rent", "value": "12", "state": "false"}


def test_call_id_is_stable_and_depends_on_example_segment_and_tool():
    ids = [
        call(added(segment(0))).id,
        call(added(segment(0)), example_id="other").id,
        call(added(segment(1))).id,
        call(added(segment(0)), DESK).id,
    ]
    assert len(set(ids)) == 4
    assert ids[0] == call(added(segment(0), "Another title")).id
    assert all(len(i) == 29 and i.startswith("call_") and int(i[5:], 16) for i in ids)


def test_unmapped_action_names_action_and_map():
    made = call(classified(segment(0), "close_year"))
    assert isinstance(made, Failure)
    assert (made.code, made.session_id, made.stage) == (
        "unmapped_action",
        "s",
        "SynthesizeExamples",
    )
    assert "close_year" in made.message and "ledgerly-books" in made.message
    assert not made.fatal


def test_label_outside_the_suite_is_not_repeated():
    made = call(classified(segment(0), "Mrs Example pays"))
    assert made.code == "unmapped_action" and "Mrs" not in made.message


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("twelve", "unconvertible_argument"),
        ("1,234", "unconvertible_argument"),
        (True, "unconvertible_argument"),
        (math.nan, "unconvertible_argument"),
        ([1], "unconvertible_argument"),
        (None, "missing_argument"),
        ("<REDACTED>", "redacted_parameter"),
        ("<AMOUNT_2>", "redacted_parameter"),
    ],
)
def test_a_number_that_is_none_fails_without_its_text(amount, code):
    made = call(added(segment(0), amount=amount))
    assert isinstance(made, Failure) and made.code == code
    assert "'sum'" in made.message and "twelve" not in made.message and "1,234" not in made.message


def test_a_string_takes_the_replacement():
    assert call(added(segment(0), "<PERSON_1> pays", 2)).arguments["label"] == "<PERSON_1> pays"
    assert call(added(segment(0), amount="<REDACTED>"), DESK).arguments["value"] == "<REDACTED>"


def test_redaction_inside_a_structure_waits():
    made = call(classified(segment(0), "tag_entry", parameters={"tags": ["a", "<EMAIL_1>"]}))
    assert made.code == "redacted_parameter"


def test_parameters_without_a_place_are_named():
    found = added(segment(0), parameters={"colour": "red", "paid": None})
    assert unmapped_parameters(found, SUITE, BOOKS, CATALOGUE) == ("colour",)
    assert unmapped_parameters(classified(segment(0), "close_year"), SUITE, BOOKS, CATALOGUE) == ()


def test_schemas_are_declarations_of_mapped_tools_in_catalogue_order():
    schemas = tool_schemas(BOOKS, CATALOGUE)
    assert [s["function"]["name"] for s in schemas] == ["entry.label", "entry.add", "find"]
    assert schemas[1] == {
        "type": "function",
        "function": {
            "name": "entry.add",
            "description": "Add an entry.",
            "parameters": {
                "type": "object",
                "properties": {
                    "sum": {"type": "number", "description": "In euros"},
                    "label": {"type": "string"},
                    "settled": {"type": "boolean"},
                    "pieces": {"type": "number"},
                },
                "required": ["sum", "label"],
            },
        },
    }
    labels = schemas[0]["function"]["parameters"]["properties"]
    assert labels == {"labels": {"type": "array", "items": {}}, "extra": {"type": "object"}}


def test_schemas_are_valid_json_schema_and_accept_the_calls():
    jsonschema = pytest.importorskip("jsonschema")
    by_name = {s["function"]["name"]: s["function"] for s in tool_schemas(BOOKS, CATALOGUE)}
    for schema in by_name.values():
        jsonschema.Draft202012Validator.check_schema(schema["parameters"])
    for found in (
        added(segment(0), "Rent", "12.5", parameters={"paid": "yes"}),
        classified(segment(1), "tag_entry", parameters={"tags": "a", "details": {"b": [1, None]}}),
        classified(segment(2), "find_entry", parameters={"words": 3}),
    ):
        made = call(found)
        jsonschema.validate(made.arguments, by_name[made.name]["parameters"])


def test_a_tool_of_another_server_is_not_declared():
    other = changed(BOOKS, mcp_server_id=DESK.mcp_server_id)
    assert tool_schemas(other, CATALOGUE) == ()


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        ("a", "STRING", "a"),
        (4.0, "STRING", "4"),
        (0.1, "STRING", "0.1"),
        (True, "STRING", "true"),
        (["a", 1], "STRING", '["a", 1]'),
        (" 3 ", "NUMBER", 3),
        ("-2.50", "NUMBER", -2.5),
        ("1e3", "NUMBER", 1000),
        (3, "NUMBER", 3),
        (2.5, "NUMBER", 2.5),
        ("Yes", "BOOLEAN", True),
        ("off", "BOOLEAN", False),
        (1, "BOOLEAN", True),
        ('{"a": 1}', "OBJECT", {"a": 1}),
        ({"a": {"b": None}}, "OBJECT", {"a": {"b": None}}),
        (("a", "b"), "ARRAY", ["a", "b"]),
        ('["a"]', "ARRAY", ["a"]),
        ("a, b", "ARRAY", ["a, b"]),
        (2, "ARRAY", [2]),
    ],
)
def test_conversions(value, kind, wanted):
    made = convert(value, kind)
    assert made == wanted and type(made) is type(wanted)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "NUMBER"),
        ("0x10", "NUMBER"),
        ("١٢", "NUMBER"),
        ("12 €", "NUMBER"),
        ("inf", "NUMBER"),
        ("1e999", "NUMBER"),
        (math.inf, "NUMBER"),
        (False, "NUMBER"),
        ("maybe", "BOOLEAN"),
        (2, "BOOLEAN"),
        (1.0, "BOOLEAN"),
        ("{", "OBJECT"),
        ([], "OBJECT"),
        ({1: 2}, "OBJECT"),
        ({"a": math.nan}, "OBJECT"),
        ({"a": 1}, "ARRAY"),
        (object(), "STRING"),
        ("[" * 100_000, "OBJECT"),
    ],
)
def test_refused_conversions_say_types_only(value, kind):
    with pytest.raises(Unconvertible) as error:
        convert(value, kind)
    assert re.fullmatch(
        rf"a (str|int|float|bool|list|dict|object) that is no {kind}", str(error.value)
    )


@given(st.floats() | st.integers() | st.text(max_size=30))
def test_numbers_are_finite_and_keep_their_value(value):
    try:
        made = convert(value, "NUMBER")
    except Unconvertible:
        return
    assert not isinstance(made, bool) and math.isfinite(made)
    assert made == float(value) or (isinstance(value, int) and made == value)


def test_holds_redaction_knows_the_forms_and_leaves_markup_alone():
    assert holds_redaction("<REDACTED>") and holds_redaction("call <PHONE_2> now")
    assert holds_redaction({"a": [{"b": "<PERSON_b0cea28a>"}]})
    assert not holds_redaction("<b>x</b>") and not holds_redaction("a < B > c")
    assert not holds_redaction(3)
