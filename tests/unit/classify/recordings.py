"""Small recordings by hand: steps and requests as the prepared checkpoint holds them."""

from __future__ import annotations

import json
from typing import Any

from schemas.catalogue import Catalogue
from schemas.traces import Request, Session, Target
from schemas.trajectories import Action, Element, Observation, PreparedSession, Step
from transforms.catalogue import parse_catalogue

SHOP = """
suites:
  - name: Shop
    match: {hosts: ["shop.test*"]}
    actions:
      - name: search_products
        description: Search the shop for products.
        parameters: [{name: query, required: true, description: Words to search for}]
        match: [{keys: Enter, role: searchbox}]
      - name: add_to_cart
        description: Put a product into the basket.
        parameters:
          - {name: product, required: true, description: Name of the product}
          - {name: quantity, type: NUMBER, description: Quantity, default: 1}
        match:
          - {event: [click, tap], role: button, name: "Add*to basket"}
          - {request: "POST /api/basket"}
      - name: place_order
        description: Order what is in the basket.
        parameters:
          - {name: full_name, required: true, description: Full name}
          - {name: leave_at_door, type: BOOLEAN, description: Leave at the door}
        match:
          - {event: click, name: "Place order"}
          - {window: "*Checkout*", weight: 0.4}
      - name: set_quantity
        description: Change how many pieces are in the basket.
        parameters:
          - {name: product, required: true, description: Name of the product}
          - {name: quantity, type: NUMBER, required: true, description: Quantity}
        match: [{request: "PATCH /api/basket/*"}]
"""


def shop(text: str = SHOP) -> Catalogue:
    """The catalogue above."""
    return parse_catalogue(text.encode(), "shop.yaml")


def without_hints(text: str = SHOP) -> Catalogue:
    """The same with names, descriptions and parameters only."""
    import yaml

    content = yaml.safe_load(text)
    for action in content["suites"][0]["actions"]:
        action.pop("match", None)
    return parse_catalogue(json.dumps(content).encode(), "shop.json")


class Recording:
    """Grows step by step; time runs by itself."""

    def __init__(self, **session: Any) -> None:
        self.session = Session(id=session.pop("id", "s-1"), **session)
        self.us = 1_780_000_000_000_000
        self.steps: list[Step] = []
        self.requests: list[Request] = []
        self.dom: dict[str, str] = {}
        self.tab, self.url, self.window = "t1", "http://shop.test/", "Shop"
        self.task = 0
        self._events = 0

    def step(
        self, kind: str, role: str = "", name: str = "", *, events: int = 3, **more: Any
    ) -> Recording:
        """Adds a step; keywords that are none of Action's describe the element."""
        self.us += 800_000
        ids = tuple(f"e{self._events + n:03}" for n in range(1, events + 1))
        self._events += events
        described = {
            key: more.pop(key)
            for key in ("tag", "id", "label", "input_type", "bounds", "selector")
            if key in more
        }
        element = None
        if role or name or described:
            element = Element(role=role or None, name=name or None, **described)
        dropped_on = more.pop("onto", None)
        if dropped_on:
            more["end_target"] = Target(role="region", name=dropped_on, selector="x")
        length = more.pop("length_us", 80_000)
        action = Action(
            index=len(self.steps),
            type=kind,
            start_us=self.us,
            end_us=self.us + length,
            raw_event_ids=ids,
            element=element,
            tab=self.tab,
            url=self.url,
            window=self.window,
            **more,
        )
        seen = Observation(
            active_window=self.window,
            url=self.url,
            tab=self.tab,
            dom=next(reversed(self.dom), None),
        )
        self.steps.append(
            Step(
                task=self.task,
                task_id=str(self.task),
                step_id=len(self.steps) + 1,
                action=action,
                observation=seen,
            )
        )
        self.us += length
        return self

    def click(self, role: str, name: str, **more: Any) -> Recording:
        return self.step("click", role, name, **more)

    def type(self, role: str, name: str, text: str, **more: Any) -> Recording:
        return self.step("type", role, name, text=text, events=3 * max(len(text), 1), **more)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        answer: Any = None,
        *,
        status: int | None = 200,
        after_us: int = 10_000,
        host: str = "http://shop.test",
    ) -> Recording:
        """Adds a request that begins ``after_us`` after the end of the last step."""
        self.requests.append(
            Request(
                id=f"r{len(self.requests) + 1}",
                started_us=self.us + after_us,
                method=method,
                url=host + path,
                status=status,
                duration_ms=5.0,
                request_mime="application/json",
                request_body=None if body is None else json.dumps(body),
                response_mime="application/json",
                response_body=None if answer is None else json.dumps(answer),
            )
        )
        return self

    def prepared(self) -> PreparedSession:
        return PreparedSession(
            session=self.session,
            steps=tuple(self.steps),
            requests=tuple(self.requests),
            dom=self.dom,
        )
