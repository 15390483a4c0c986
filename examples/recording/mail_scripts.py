"""What the person does in Postbox."""

from __future__ import annotations

from recording.person import Person
from recording.scripts import Script

URL = "http://postbox.test/"


def compose_with_typos(person: Person) -> None:
    """Writes a message, mistyping twice, then stars another one."""
    page = person.page
    person.wander()
    to = "marek.oduya@example.com"
    subject = "Budget for the spring fair"
    body = "Hi Marek, Thursday works. The budget is fine with me, please book the tents. Nora"
    with person.does("send_email", to=to, subject=subject, body=body):
        person.click(page.get_by_role("button", name="Compose"))
        person.click(page.get_by_label("To", exact=True))
        person.type("marek.odyu\b\buya@example.com")
        person.click(page.get_by_label("Subject"))
        person.type("Budget for the spirng\b\b\b\bring fair")
        person.type("\t")
        person.type(body)
        person.look()
        person.click(page.get_by_role("button", name="Send", exact=True))
    person.look()
    person.wander()
    with person.does("star_email", subject="Invoice 2041 for April"):
        person.click(page.get_by_role("button", name="Star Invoice 2041 for April"))
    person.look()
    person.wander()


def log_in_and_send(person: Person) -> None:
    """Signs in, looks at the password typed, sends a message with the keyboard, archives one."""
    page = person.page
    person.wander()
    with person.does("log_in", username="nora.lindqvist@example.org", stay_signed_in=True):
        person.click(page.get_by_label("E-mail address"))
        person.type("nora.lindqvist@example.org\t")
        person.type("Tangerine-47-Kit")
        person.click(page.get_by_role("button", name="Show password"))
        person.look()
        person.click(page.get_by_label("Password", exact=True))
        person.press("End")
        person.type("e")
        person.click(page.get_by_label("Stay signed in"))
        person.look()
        person.click(page.get_by_role("button", name="Sign in"))
    page.wait_for_url("**/")
    person.look()
    to, subject = "ruth.castellan@example.com", "Number 31"
    body = "Dear Ruth, I like number 31 as well!"
    with person.does(
        "send_email", to=to, cc="aiko.brandvold@example.org", subject=subject, body=body
    ):
        person.click(page.get_by_role("button", name="Compose"))
        person.click(page.get_by_label("To", exact=True))
        person.type(to + "\taiko.brandvold@example.org\t")
        person.type(subject + "\t" + body)
        person.look()
        person.press("Control+Enter")
    person.look()
    with person.does("archive_email", subject="Lunch on Friday?"):
        person.click(page.get_by_role("button", name="Archive Lunch on Friday?"))
    person.look()
    person.wander()


def sort_inbox(person: Person) -> None:
    """Deletes one message, files one, and archives one that a search has found."""
    page = person.page
    person.wander()
    person.scroll(4)
    person.scroll(-4)
    with person.does("delete_email", subject="Ten plants that like shade"):
        person.click(page.get_by_role("button", name="Delete Ten plants that like shade"))
    person.look()
    # The wrong message first.
    person.click(page.get_by_role("link", name="Minutes of the committee meeting"))
    person.pause(0.6, 0.9)
    person.click(page.get_by_role("button", name="Back to list"))
    person.click(page.get_by_role("link", name="Invoice 2041 for April"))
    person.look()
    with person.does("move_email", subject="Invoice 2041 for April", folder="Receipts"):
        person.click(page.get_by_label("Move to folder"))
        person.press("ArrowDown", times=3)
        person.press("Enter")
    person.look()
    with person.does("search_mail", query="tents"):
        person.click(page.get_by_label("Search mail"))
        person.type("tents\n")
    person.look()
    person.click(page.get_by_role("link", name="Tents: second offer"))
    person.look()
    person.wander()
    with person.does("archive_email", subject="Tents: second offer"):
        person.click(page.get_by_role("button", name="Archive", exact=True))
    person.look()


def write_in_two_tabs(person: Person) -> None:
    """Begins a message, fetches an address from another tab, and answers a third person."""
    inbox = person.page
    person.wander()
    writing = person.open(URL)
    to = "ruth.castellan@example.com"
    subject = "Lunch at Café Meridian"
    address = "14 Kiln Yard, Elmbridge EB4 7QT"
    body = f"Dear Ruth, Aiko's new address: {address}"
    with person.does("send_email", to=to, subject=subject, body=body):
        person.click(writing.get_by_role("button", name="Compose"))
        person.click(writing.get_by_label("To", exact=True))
        person.type(to)
        person.click(writing.get_by_label("Subject"))
        person.type("Lunch at Caf")
        person.compose_accent("´", "é")
        person.type(" Meridian\t")
        person.type("Dear Ruth, Aiko's new address: ")
        person.switch_to(inbox)
        person.scroll(3)
        person.click(inbox.get_by_role("link", name="Address of the new studio"))
        person.look()
        person.copy_text(inbox.locator(".letter"), address)
        person.switch_to(writing)
        person.click(writing.get_by_label("Message"))
        person.press("Control+End")
        person.press("Control+v")
        person.look()
        person.click(writing.get_by_role("button", name="Send", exact=True))
    person.switch_to(inbox)
    person.click(inbox.get_by_role("button", name="Back to list"))
    person.scroll(-3)
    person.click(inbox.get_by_role("link", name="Lunch on Friday?"))
    reply = "Gladly, half past twelve is fine. Nora"
    with person.does("reply_to_email", subject="Lunch on Friday?", body=reply):
        person.click(inbox.get_by_role("button", name="Reply"))
        person.type(reply)
        person.look()
        person.click(inbox.get_by_role("button", name="Send reply"))
    person.look()


def look_around(person: Person) -> None:
    """Reads here and there, begins a message and thinks better of it: no canonical action."""
    page = person.page
    person.wander()
    person.scroll(5)
    person.click(page.get_by_role("link", name="Appointment on 27 May"))
    person.look()
    person.click(page.get_by_role("button", name="Back to list"))
    person.scroll(-5)
    person.click(page.get_by_role("link", name="Receipts"))
    person.look()
    person.click(page.get_by_role("link", name="Inbox"))
    person.click(page.get_by_role("button", name="Compose"))
    person.click(page.get_by_label("Subject"))
    person.type("Holid")
    person.click(page.get_by_role("button", name="Discard"))
    person.look()
    person.click(page.get_by_role("button", name="Keep editing"))
    person.click(page.get_by_role("button", name="Discard"))
    person.click(page.get_by_role("dialog").get_by_role("button", name="Discard"))
    person.look()
    person.wander()


def go_on_holiday(person: Person) -> None:
    """Starts the recorder by hand, sets the vacation reply, keeps a draft, stops by hotkey."""
    person.click(person.page.get_by_role("button", name="Start recording"))
    page = person.open(URL)
    person.wander()
    person.click(page.get_by_role("link", name="Settings"))
    message = "I am away and read mail again afterwards. Urgent: t.eberle@example.com"
    with person.does("set_vacation_reply", enabled=True, days_away=12, message=message):
        person.click(page.get_by_label("Send a vacation reply"))
        person.click(page.get_by_label("Days away"))
        person.press("Control+a")
        person.type("12\t")
        person.type(message)
        person.look()
        person.click(page.get_by_role("button", name="Save changes"))
    person.look()
    to, subject = "t.eberle@example.com", "While I am away"
    body = "Tomasz, could you look after the tents?"
    with person.does("save_draft", to=to, subject=subject, body=body):
        person.click(page.get_by_role("button", name="Compose"))
        person.click(page.get_by_label("To", exact=True))
        person.type(to)
        person.click(page.get_by_label("Subject"))
        person.type(subject + "\t" + body)
        person.look()
        person.click(page.get_by_role("button", name="Save draft"))
    person.look()
    person.hold("Control+Alt+r")


SCRIPTS = [
    Script(
        "mail-compose-with-typos",
        user="nora",
        url=URL,
        run=compose_with_typos,
        description="Tell Marek that the budget for the fair is fine and that he should book the "
        "tents, and put a star on the energy invoice.",
    ),
    Script(
        "mail-log-in-and-send",
        user="nora",
        url=URL + "login",
        run=log_in_and_send,
        logged_in=False,
        description="Sign in to my mail, write to Ruth (copy to Aiko) that I like photo 31, and "
        "archive the lunch invitation.",
    ),
    Script(
        "mail-sort-inbox",
        user="nora",
        url=URL,
        run=sort_inbox,
        xml_dom=True,
        sidecars=True,
        description="Delete the letter about shade plants, put the April invoice into Receipts, "
        "and archive the second offer for the tents.",
    ),
    Script(
        "mail-two-tabs",
        user="nora",
        url=URL,
        run=write_in_two_tabs,
        suite="Postbox",
        description="Send Ruth the address of Aiko's new studio and tell Aiko that Friday is fine.",
    ),
    Script("mail-look-around", user="nora", url=URL, run=look_around),
    Script(
        "mail-go-on-holiday",
        user="nora",
        url="http://recorder.test/",
        run=go_on_holiday,
        recorder={"window": "Session Recorder", "stop_hotkey": "Control+Alt+R"},
        description="I am away for 12 days: switch the vacation reply on and keep a draft to "
        "Tomasz about the tents.",
    ),
]
