"""What the person does in Lanes."""

from __future__ import annotations

from playwright.sync_api import Locator

from recording.person import Person
from recording.scripts import Script

URL = "http://lanes.test/"


def _card(person: Person, title: str) -> Locator:
    return person.page.locator(".card", has_text=title)


def _open(person: Person, title: str) -> None:
    person.click(person.page.get_by_role("button", name=f"Open {title}"))
    person.pause(0.3, 0.5)


def _close(person: Person) -> None:
    person.click(person.page.get_by_role("button", name="Close"))


def move_cards(person: Person) -> None:
    """Adds a card, drags two cards to other lanes, assigns one of them."""
    page = person.page
    person.wander()
    with person.does("create_card", title="Hire a sound engineer", lane="Backlog"):
        person.click(page.get_by_role("button", name="Add a card to Backlog"))
        person.type("Hire a sound enigneer")
        person.type("\b\b\b\b\b\bgineer\n")
    person.look()
    person.wander()
    with person.does("move_card", card="Flyer layout", lane="Done"):
        person.drag(_card(person, "Flyer layout"), page.locator(".lane", has_text="Rent the hall"))
    person.look()
    with person.does("move_card", card="Draft the press note", lane="In progress"):
        person.drag(
            _card(person, "Draft the press note"), page.locator(".lane", has_text="Guest list")
        )
    person.look()
    _open(person, "Draft the press note")
    with person.does("assign_card", card="Draft the press note", assignee="Mei Castor"):
        person.click(page.get_by_text("Due date"))
        person.press("Shift+Tab", times=2)
        person.press("m")
    person.look()
    _close(person)
    person.wander()


def fill_in_details(person: Person) -> None:
    """Renames a card by a double click, opens the wrong card, then fills in the right one."""
    page = person.page
    person.wander()
    with person.does("rename_card", card="Guest list", title="Guest list and seating"):
        person.double_click(page.get_by_text("Guest list", exact=True))
        person.press("End")
        person.type(" and seating")
        person.look()
        person.press("Enter")
    person.look()
    _open(person, "Flyer layout")
    person.look()
    _close(person)
    _open(person, "Ticket prices")
    card = "Ticket prices"
    with person.does("set_estimate", card=card, points=5):
        person.click(page.get_by_label("Estimate (points)"))
        person.press("Control+a")
        person.type("5\t")
    with person.does("set_blocked", card=card, blocked=True):
        person.click(page.get_by_label("Blocked"))
    person.look()
    text = "Waiting for the offer of the caterer, call +44 1632 960233."
    with person.does("add_comment", card=card, text=text):
        person.click(page.get_by_label("Write a comment"))
        person.type(text)
        person.look()
        person.press("Control+Enter")
    person.look()
    _close(person)
    person.wander()


def tidy_up(person: Person) -> None:
    """Looks at another board, filters, dates and labels a card, archives an old one."""
    page = person.page
    person.wander()
    person.click(page.get_by_role("link", name="Team garden"))
    person.look()
    person.wander()
    person.click(page.get_by_role("link", name="Spring launch"))
    with person.does("filter_cards", query="pri"):
        person.click(page.get_by_label("Filter cards"))
        person.type("prn\bi")
    person.look()
    _open(person, "Compare printers")
    card = "Compare printers"
    with person.does("set_due_date", card=card, due_date="2026-06-15"):
        due = page.get_by_label("Due date")
        box = due.bounding_box()
        assert box
        # The month is the first part of the field; day and year follow by themselves.
        person.click((box["x"] + 18, box["y"] + box["height"] / 2))
        person.type("06152026\t")
    with person.does("add_label", card=card, label="budget"):
        person.click(page.get_by_role("button", name="Label budget"))
    person.look()
    _close(person)
    _open(person, "Old price list")
    with person.does("archive_card", card="Old price list"):
        person.click(page.get_by_role("button", name="Archive card"))
    person.look()
    person.wander()


SCRIPTS = [
    Script(
        "board-move-cards",
        user="priya",
        url=URL,
        run=move_cards,
        description="Add a card for hiring a sound engineer, move the flyer to Done and the press "
        "note to In progress, and give the press note to Mei.",
    ),
    Script(
        "board-fill-in-details",
        user="priya",
        url=URL,
        run=fill_in_details,
        # What a backend would write: the id that is derived from the name of the Suite.
        suite="62725402-92eb-59ff-b902-1fb32beb0b1f",
        xml_dom=True,
        description="Call the guest list “Guest list and seating”; ticket prices are blocked, five "
        "points, with a comment why.",
    ),
    Script("board-tidy-up", user="priya", url=URL, run=tidy_up),
]
