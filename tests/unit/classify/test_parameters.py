"""Parameters: the right value, its type, and where it was seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.classifications import Classification
from tests.unit.classify.recordings import Recording
from transforms.catalogue import parse_catalogue
from transforms.classify.offline import OfflineClassifier
from transforms.classify.session import classify_session


def classify(recording: Recording, action: dict[str, Any], *others: dict[str, Any]):
    """The classification of the recording's only action."""
    content = {"suites": [{"name": "App", "actions": [action, *others]}]}
    catalogue = parse_catalogue(json.dumps(content).encode(), "app.json")
    _, _, found, _, _ = classify_session(recording.prepared(), catalogue, OfflineClassifier(), 0.5)
    (only,) = [c for c in found if c.action == action["name"]]
    return only


def evidence(found: Classification, name: str):
    (only,) = [e for e in found.evidence if e.parameter == name]
    return only


def parameter(name: str, about: str = "", kind: str = "STRING", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, "description": about, **more}


def on_click(name: str, *parameters: dict[str, Any], button: str = "Save") -> dict[str, Any]:
    return {"name": name, "parameters": list(parameters), "match": [{"name": button}]}


def test_typed_text_is_found_by_the_label_of_its_field() -> None:
    r = Recording().type("textbox", "Street", "Kiln Yard 3").type("textbox", "To", "a@example.org")
    r.click("button", "Save").request("POST", "/x", {"s": "Kiln Yard 3", "t": "a@example.org"})
    found = classify(r, on_click("ship", parameter("to"), parameter("address", "Street")))
    assert found.parameters == {"to": "a@example.org", "address": "Kiln Yard 3"}
    cited = evidence(found, "to")
    assert (cited.source, cited.detail) == ("field", "To")
    assert cited.event_ids == ("e034", "e072")


def test_corrected_typing_counts_with_its_result() -> None:
    r = Recording().type("textbox", "Title", "Plam", field_value="Plam").click("img", "Logo")
    r.type("textbox", "Title", "n", field_value="Plan").click("button", "Save")
    assert classify(r, on_click("rename", parameter("title"))).parameters == {"title": "Plan"}


def test_typing_without_field_values_is_put_together() -> None:
    r = Recording().type("textbox", "Title", "Garden ").type("textbox", "Title", "party\t")
    r.click("button", "Save")
    assert classify(r, on_click("rename", parameter("title"))).parameters == {
        "title": "Garden party"
    }


def test_lines_of_a_text_survive_and_a_submitting_enter_does_not() -> None:
    r = Recording().type("textbox", "Message", "Dear all,\n\nsee you\n", tag="textarea")
    r.type("textbox", "Subject", "Lunch\n")
    found = classify(
        r,
        {
            "name": "send",
            "parameters": [parameter("subject"), parameter("message")],
            "match": [{"keys": "Enter"}],
        },
    )
    assert found.parameters["subject"] == "Lunch"
    assert found.parameters["message"].startswith("Dear all,\n\nsee you")


def test_types_are_converted() -> None:
    r = (
        Recording()
        .type("spinbutton", "Guests", "1,200")
        .click("checkbox", "Breakfast", field_value="false")
    )
    r.type("textbox", "Tags", "red, blue").click("button", "Save")
    found = classify(
        r,
        on_click(
            "book",
            parameter("guests", kind="NUMBER"),
            parameter("breakfast", kind="BOOLEAN"),
            parameter("tags", kind="ARRAY"),
        ),
    )
    assert found.parameters == {"guests": 1200, "breakfast": False, "tags": ["red", "blue"]}


def test_nested_keys_of_the_request_body_are_read() -> None:
    body = {"data": {"delivery": {"timeSlot": "Evening"}, "options": {"giftWrap": True}}}
    r = Recording().click("button", "Save").request("POST", "/orders", body)
    found = classify(
        r,
        on_click("order", parameter("time_slot"), parameter("gift_wrap", kind="BOOLEAN")),
    )
    assert found.parameters == {"time_slot": "Evening", "gift_wrap": True}
    assert evidence(found, "time_slot").request_id == "r1"
    assert evidence(found, "time_slot").detail == "data.delivery.timeSlot"


def test_what_was_seen_beats_the_value_behind_it() -> None:
    r = Recording().step("scroll").request("GET", "/items?sort=new")
    r.step("select", "combobox", "Sort by", text="Price: low", field_value="cheap")
    r.request("GET", "/items?sort=cheap")
    action = {"name": "sort_items", "parameters": [parameter("sort", "Sort order")]}
    assert classify(r, action).parameters == {"sort": "Price: low"}


def test_ids_of_the_address_lead_to_what_the_server_told_of_them() -> None:
    r = (
        Recording()
        .step("navigate")
        .request(
            "GET",
            "/api/cards",
            answer={"cards": [{"id": 4, "title": "Tents"}, {"id": 7, "title": "Hall"}]},
        )
    )
    r.click("button", "Archive").request("POST", "/api/cards/7/archive", {})
    found = classify(
        r, on_click("archive_card", parameter("card", "Title of the card"), button="Archive")
    )
    assert found.parameters == {"card": "Hall"}
    assert evidence(found, "card").request_id == "r1"


def test_the_title_before_a_change_is_not_the_one_after() -> None:
    r = (
        Recording()
        .step("navigate")
        .request("GET", "/api/cards", answer=[{"id": 7, "title": "Hall"}])
    )
    r.type("textbox", "Card title", "Big hall", field_value="Big hall")
    r.click("button", "Save").request("PATCH", "/api/cards/7", {"title": "Big hall"}, {"id": 7})
    found = classify(
        r,
        on_click(
            "rename_card",
            parameter("card", "Title of the card before the change"),
            parameter("title", "New title of the card"),
        ),
    )
    assert found.parameters == {"card": "Hall", "title": "Big hall"}


def test_the_name_of_a_button_says_to_what() -> None:
    r = Recording().click("button", "Archive Move to the new office")
    found = classify(r, on_click("archive_email", parameter("subject"), button="Archive*"))
    assert found.parameters == {"subject": "Move to the new office"}


def test_numbers_in_names() -> None:
    r = Recording().click("radio", "4 stars")
    found = classify(
        r,
        on_click("rate", parameter("stars", "Number of stars", "NUMBER"), button="* stars"),
    )
    assert found.parameters == {"stars": 4}


def test_a_drop_says_what_and_where() -> None:
    r = Recording().step("drag", "listitem", "Flyer", onto="Done").request("POST", "/move", {})
    found = classify(
        r,
        on_click(
            "move_card",
            parameter("lane", "Lane the card ends up in"),
            parameter("card", "Title of the card"),
            button="*",
        ),
    )
    assert found.parameters == {"lane": "Done", "card": "Flyer"}


DOM = {
    "tag": "body",
    "children": [
        {"tag": "h1", "text": "Basket"},
        {
            "tag": "ul",
            "children": [
                {
                    "tag": "li",
                    "role": "listitem",
                    "children": [
                        {"tag": "a", "role": "link", "text": name},
                        {
                            "tag": "button",
                            "role": "button",
                            "name": "Remove",
                            "bounds": [10, y, 20, 10],
                        },
                    ],
                }
                for name, y in (("Rye bread", 10), ("Oat milk", 40))
            ],
        },
    ],
}


def test_the_row_around_a_button_says_to_what() -> None:
    r = Recording()
    r.dom["d1"] = json.dumps(DOM)
    r.click("button", "Remove", bounds=(10, 40, 20, 10))
    found = classify(
        r, on_click("remove_item", parameter("product", "Name of the product"), button="Remove")
    )
    assert found.parameters == {"product": "Oat milk"}
    assert evidence(found, "product").source == "dom"


@pytest.mark.parametrize(
    ("source", "value"),
    [({"field": "Full*"}, "Ann"), ({"request": "meta.by"}, "Bob"), ({"element": "name"}, "Save")],
)
def test_the_catalogue_may_say_where_a_value_is(source: dict[str, str], value: str) -> None:
    r = Recording().type("textbox", "Full name", "Ann").type("textbox", "Owner", "Eve")
    r.click("button", "Save").request("POST", "/x", {"owner": "Eve", "meta": {"by": "Bob"}})
    found = classify(
        r,
        {
            "name": "assign",
            "parameters": [parameter("owner", **{"from": source})],
            "match": [{"name": "Save"}],
        },
    )
    assert found.parameters == {"owner": value}


def test_defaults_fill_what_was_not_seen() -> None:
    r = Recording().click("button", "Save")
    found = classify(r, on_click("add", parameter("quantity", kind="NUMBER", default=1)))
    assert found.parameters == {"quantity": 1}
    assert evidence(found, "quantity").source == "default"
    assert found.status == "accepted"


def test_what_is_missing_waits_for_review() -> None:
    r = Recording().click("button", "Save")
    found = classify(r, on_click("add", parameter("weight", "Kilograms", "NUMBER")))
    assert found.parameters == {}
    assert (found.status, found.reasons) == ("review", ("missing_parameter",))


def test_redacted_fields_are_told_apart_by_their_labels() -> None:
    r = Recording().type("textbox", "To", "<REDACTED>").type("textbox", "Copy", "<REDACTED>")
    r.type("textbox", "Subject", "Plan")
    r.click("button", "Save").request(
        "POST", "/x", {"to": "<REDACTED>", "copy": "<REDACTED>", "subject": "Plan"}
    )
    found = classify(r, on_click("send", parameter("to"), parameter("subject"), parameter("copy")))
    assert found.parameters == {"to": "<REDACTED>", "subject": "Plan", "copy": "<REDACTED>"}
    assert evidence(found, "copy").detail == "Copy"
    assert found.status == "accepted"


def test_a_redacted_number_waits_for_review() -> None:
    r = Recording().type("spinbutton", "Amount", "<REDACTED>").click("button", "Save")
    found = classify(r, on_click("pay", parameter("amount", kind="NUMBER")))
    assert (found.status, found.reasons) == ("review", ("redacted_parameter",))
