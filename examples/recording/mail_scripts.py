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
]
