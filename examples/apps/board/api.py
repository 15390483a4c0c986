"""The JSON API of Lanes: two boards with invented cards and people, kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.server import ApiError, App, Request

LANES = ["Backlog", "In progress", "Review", "Done"]
MEMBERS = ["Nobody", "Priya Halvorsen", "Jonas Abelard", "Mei Castor"]
LABELS = ["urgent", "print", "web", "budget"]

# (board, lane, title, assignee, estimate)
_CARDS = [
    ("spring-launch", "Backlog", "Book the photographer", "Nobody", 2),
    ("spring-launch", "Backlog", "Order name badges", "Mei Castor", 1),
    ("spring-launch", "Backlog", "Draft the press note", "Nobody", 3),
    ("spring-launch", "Backlog", "Compare printers", "Nobody", 2),
    ("spring-launch", "In progress", "Landing page texts", "Priya Halvorsen", 5),
    ("spring-launch", "In progress", "Guest list", "Jonas Abelard", 3),
    ("spring-launch", "Review", "Flyer layout", "Mei Castor", 3),
    ("spring-launch", "Review", "Ticket prices", "Priya Halvorsen", 1),
    ("spring-launch", "Done", "Rent the hall", "Jonas Abelard", 8),
    ("spring-launch", "Done", "Old price list", "Nobody", 1),
    ("team-garden", "Backlog", "Buy compost", "Jonas Abelard", 1),
    ("team-garden", "In progress", "Repair the shed door", "Mei Castor", 2),
    ("team-garden", "Done", "Plan the beds", "Priya Halvorsen", 3),
]


class BoardApp(App):
    """Lanes with its two boards."""

    folder = "board"
    hosts = ("lanes.test",)

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = [
            {
                "id": number,
                "board": board,
                "lane": lane,
                "title": title,
                "assignee": assignee,
                "estimate": estimate,
                "due_date": "",
                "blocked": False,
                "labels": [],
                "comments": [],
            }
            for number, (board, lane, title, assignee, estimate) in enumerate(_CARDS, 1)
        ]
        self.cards[6]["comments"].append(
            {"by": "Priya Halvorsen", "text": "The logo must be larger on page two."}
        )

    def routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        card = r"/api/cards/(\d+)"
        return {
            ("GET", r"/api/boards/([\w-]+)"): self._board,
            ("POST", "/api/cards"): self._create,
            ("POST", card + "/move"): self._move,
            ("POST", card + "/labels"): self._label,
            ("POST", card + "/comments"): self._comment,
            ("POST", card + "/archive"): self._archive,
            ("PATCH", card + "/(title|assignee|due_date|estimate|blocked)"): self._change,
        }

    def _find(self, number: str) -> dict[str, Any]:
        for card in self.cards:
            if card["id"] == int(number):
                return card
        raise ApiError(404, "There is no such card.")

    def _board(self, name: str, request: Request) -> Any:
        cards = [card for card in self.cards if card["board"] == name]
        return {"lanes": LANES, "members": MEMBERS, "labels": LABELS, "cards": cards}

    def _create(self, request: Request) -> Any:
        if not request.body["title"].strip():
            raise ApiError(422, "A card needs a title.")
        blank = {"assignee": "Nobody", "estimate": 1, "due_date": "", "blocked": False}
        card = {"id": len(_CARDS) + 100, **request.body, **blank, "labels": [], "comments": []}
        card["id"] += len(self.cards)
        self.cards.append(card)
        return card

    def _move(self, number: str, request: Request) -> Any:
        card = self._find(number)
        self.cards.remove(card)
        self.cards.append(card)
        card["lane"] = request.body["lane"]
        return card

    def _label(self, number: str, request: Request) -> Any:
        card = self._find(number)
        card["labels"].append(request.body["label"])
        return card

    def _comment(self, number: str, request: Request) -> Any:
        card = self._find(number)
        card["comments"].append({"by": "Priya Halvorsen", "text": request.body["text"]})
        return card

    def _archive(self, number: str, request: Request) -> Any:
        card = self._find(number)
        self.cards.remove(card)
        return {"archived": card["title"]}

    def _change(self, number: str, what: str, request: Request) -> Any:
        card = self._find(number)
        card[what] = request.body["value"]
        return card
