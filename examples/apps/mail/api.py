"""The JSON API of Postbox: invented accounts, messages and settings, kept in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from apps.server import ApiError, App, Request

ACCOUNT = {"name": "Nora Lindqvist", "email": "nora.lindqvist@example.org"}
PASSWORD = "Tangerine-47-Kite"
TOKEN = "pbx_5f1c9e0ab27d4c61"

# (sender, address, subject, date, unread, body)
_INBOX = [
    (
        "Marek Oduya",
        "marek.oduya@example.com",
        "Budget draft for the spring fair",
        "12 May",
        True,
        "Hi Nora,\n\nthe first draft of the budget is ready: 4,350 in total, of which 1,200 is for "
        "the tents. Could you tell me by Thursday whether that works for you?\n\nMarek",
    ),
    (
        "Parcel Desk",
        "notices@parceldesk.example.com",
        "Your parcel 7731-0482 is on its way",
        "12 May",
        True,
        "Dear customer,\n\nyour parcel 7731-0482 will reach you tomorrow between 10:00 and 12:00.\n"
        "Change the time by calling +44 1632 960117.",
    ),
    (
        "Aiko Brandvold",
        "aiko.brandvold@example.org",
        "Lunch on Friday?",
        "11 May",
        True,
        "Hello Nora,\n\nI am in town on Friday. Lunch at Café Meridian, half past twelve?\n\nAiko",
    ),
    (
        "Northwind Energy",
        "billing@northwind.example.com",
        "Invoice 2041 for April",
        "10 May",
        False,
        "Customer number 88-20417\nAmount due: 64.20\nIBAN GB82 WEST 1234 5698 7654 32\n\n"
        "The invoice is due on 24 May.",
    ),
    (
        "Weekly Garden",
        "letters@weeklygarden.example.com",
        "Ten plants that like shade",
        "9 May",
        False,
        "This week: ferns, hostas and eight others that grow where the sun is rare.",
    ),
    (
        "Tomasz Eberle",
        "t.eberle@example.com",
        "Minutes of the committee meeting",
        "8 May",
        False,
        "Dear all,\n\nthe minutes are below. Next meeting: 2 June, 18:30, room 4.\n\n"
        "Action points: Nora asks for two offers for the stage; Marek books the tents.\n\nTomasz",
    ),
    (
        "Orchard Lane",
        "hello@orchard.example.com",
        "A voucher for you: SPRING-15-QK",
        "7 May",
        False,
        "Dear Nora,\n\nyour personal voucher is SPRING-15-QK. It takes 15 % off one order.\n\n"
        "Orchard Lane",
    ),
    (
        "Library of Elmbridge",
        "desk@library.example.org",
        "Two books are due on 20 May",
        "6 May",
        False,
        "Card 3301 775: “The Tide Tables” and “Small Engines” are due on 20 May.",
    ),
    (
        "Ruth Castellan",
        "ruth.castellan@example.com",
        "Photos from the workshop",
        "5 May",
        False,
        "Dear Nora,\n\nthe photos are on the shared drive. My favourite is number 31.\n\nRuth",
    ),
    (
        "Security at Postbox",
        "security@postbox.example.com",
        "New sign-in from 203.0.113.84",
        "4 May",
        False,
        "There was a sign-in to your account from 203.0.113.84. Was it you? Then do nothing.",
    ),
    (
        "Marek Oduya",
        "marek.oduya@example.com",
        "Tents: second offer",
        "3 May",
        False,
        "Nora, the second offer is 1,080 for three tents, delivered. Shall I take it?\n\nMarek",
    ),
    (
        "Weekly Garden",
        "letters@weeklygarden.example.com",
        "When to sow beans",
        "2 May",
        False,
        "Not before the middle of May, unless you have a cold frame.",
    ),
    (
        "Hill Street Dental",
        "reception@hillstreet.example.com",
        "Appointment on 27 May",
        "1 May",
        False,
        "Your appointment: 27 May, 08:15. Please call if you cannot come.",
    ),
    (
        "Aiko Brandvold",
        "aiko.brandvold@example.org",
        "Address of the new studio",
        "30 Apr",
        False,
        "We moved! Studio Brandvold, 14 Kiln Yard, Elmbridge EB4 7QT.\n\nAiko",
    ),
]


class MailApp(App):
    """Postbox, with one account and the messages above."""

    folder = "mail"
    hosts = ("postbox.test",)

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = [
            {
                "id": number,
                "folder": "Inbox",
                "from": {"name": name, "email": email},
                "to": ACCOUNT["email"],
                "subject": subject,
                "date": date,
                "unread": unread,
                "starred": False,
                "body": body,
            }
            for number, (name, email, subject, date, unread, body) in enumerate(_INBOX, 101)
        ]
        self.vacation = {"enabled": False, "days_away": 1, "message": ""}

    def routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        message = r"/api/messages/(\d+)"
        return {
            ("POST", "/api/login"): self._log_in,
            ("GET", "/api/account"): self._account,
            ("GET", r"/api/folders/(\w+)"): self._folder,
            ("GET", "/api/search"): self._search,
            ("GET", message): self._read,
            ("POST", "/api/messages"): self._send,
            ("POST", "/api/drafts"): self._draft,
            ("POST", message + "/(star|unstar|archive|delete|move|replies)"): self._change,
            ("GET", "/api/settings/vacation"): lambda request: self.vacation,
            ("PUT", "/api/settings/vacation"): self._set_vacation,
        }

    def _log_in(self, request: Request) -> Any:
        body = request.body
        if (body["username"], body["password"]) != (ACCOUNT["email"], PASSWORD):
            raise ApiError(403, "The e-mail address or the password is wrong.")
        cookie = {"Set-Cookie": f"pb_session={TOKEN}; Path=/; HttpOnly"}
        return {**ACCOUNT, "token": TOKEN}, cookie

    def _account(self, request: Request) -> Any:
        if not re.search(rf"pb_session={TOKEN}", request.cookies):
            raise ApiError(401, "Please sign in.")
        return {**ACCOUNT, "token": TOKEN}

    def _folder(self, name: str, request: Request) -> Any:
        def shown(message: dict[str, Any]) -> bool:
            if name == "starred":
                return bool(message["starred"])
            return str(message["folder"]).lower() == name

        unread = sum(m["unread"] for m in self.messages if m["folder"] == "Inbox")
        found = [message for message in self.messages if shown(message)]
        return {"messages": found, "unread": unread, "inbox_unread": unread}

    def _search(self, request: Request) -> Any:
        word = request.query.get("q", "").lower()
        found = [
            message
            for message in self.messages
            if word in f"{message['subject']} {message['from']['name']} {message['body']}".lower()
        ]
        return {"messages": found, "unread": 0}

    def _find(self, number: str) -> dict[str, Any]:
        for message in self.messages:
            if message["id"] == int(number):
                return message
        raise ApiError(404, "There is no such message.")

    def _read(self, number: str, request: Request) -> Any:
        message = self._find(number)
        message["unread"] = False
        return message

    def _store(self, folder: str, content: dict[str, str]) -> dict[str, Any]:
        message = {
            "id": 101 + len(self.messages),
            "folder": folder,
            "from": {**ACCOUNT},
            "to": content.get("to", ""),
            "subject": content.get("subject", "(no subject)"),
            "date": "12 May",
            "unread": False,
            "starred": False,
            "body": content.get("body", ""),
        }
        self.messages.append(message)
        return {"id": message["id"], "folder": folder}

    def _send(self, request: Request) -> Any:
        if "@" not in request.body.get("to", ""):
            raise ApiError(422, "A recipient is needed.")
        return self._store("Sent", request.body)

    def _draft(self, request: Request) -> Any:
        return self._store("Drafts", request.body)

    def _change(self, number: str, what: str, request: Request) -> Any:
        message = self._find(number)
        if what in ("star", "unstar"):
            message["starred"] = what == "star"
        elif what == "replies":
            return self._store("Sent", request.body)
        else:
            target = {"archive": "Archive", "delete": "Bin"}.get(what)
            message["folder"] = target or request.body["folder"]
        return {key: message[key] for key in ("id", "folder", "starred", "subject")}

    def _set_vacation(self, request: Request) -> Any:
        self.vacation = request.body
        return self.vacation
