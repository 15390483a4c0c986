"""Sessions of invented applications with their truth, as the prepared checkpoint would hold them.

Seeded: one number, one session. Catalogue and page draw their words independently, a part of what
can be done is missing from the catalogue (and must not be found), people wander, open the wrong
thing and change their minds, and some sessions have no network recorded.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.agreement import EventLine, Truth, TruthAction
from schemas.catalogue import ActionParameter, CanonicalAction, Catalogue, Suite
from schemas.traces import Request, Session, Target
from schemas.trajectories import Action, Element, Observation, PreparedSession, Step
from tests.support.invented_apps import A, App, P
from transforms.keys import derived_uuid

POOLS: dict[str, str] = {
    "titles": "Quarterly figures;Printer on the third floor;Garden party;Late delivery of chairs;"
    "Login page is slow;Plan for the autumn fair;Broken handle;Minutes of Tuesday;New bicycle "
    "stand;Harbour walk;Blue morning;Wrong total on page two;Soup of the day;Choir rehearsal",
    "files": "plan.pdf;holiday-photos.zip;budget draft.xlsx;letter.docx;floor plan.png;minutes.txt",
    "names": "Mara Lindt;Oke Brandis;Juno Tal;Tove Ekdal;Ravi Sundar;Ines Coral;Pavel Horak",
    "first_names": "Mara;Oke;Juno;Tove;Ravi;Ines;Pavel",
    "last_names": "Lindt;Brandis;Tal;Ekdal;Sundar;Coral;Horak",
    "emails": "mara@example.org;oke.brandis@example.com;juno@example.org;tove.e@example.com",
    "phones": "01632 960101;01632 960177;+44 1632 960230",
    "companies": "Brightwater Ltd;Kiln & Sons;Northlight;Ferry Cafe;Oakfield Foods",
    "places": "Room 4;Town hall;Online;Kiln Yard 3;Library",
    "devices": "Kitchen lamp;Hall sensor;Bedroom heater;Front door;Desk light",
    "dates": "2026-06-15;2026-07-01;2026-09-30;2027-01-12",
    "times": "08:30;14:00;17:45;21:15",
    "amounts": "12.50;64.20;300;1250;7.9",
    "numbers": "12;35;48;70;105",
    "small": "1;2;3;4;6;8",
    "doses": "5 mg twice a day;one tablet at night;10 ml",
    "codes": "AB-2041;QX-77;RC-10031;DL-5",
    "words": "tents;harbour;autumn;blue folder;pepper;weekly;penicillin;focus",
    "texts": "Please have a look before Friday.;It happens every morning.;Thank you, that works "
    "well for us.;Waiting for the second offer.;Could you send it again?",
}
_CANCEL = ("Cancel", "Close", "Back", "Never mind")
_CONFIRM = ("Yes", "OK", "Confirm", "Continue")


def _one(random_: random.Random, alternatives: str, separator: str = "|") -> str:
    return random_.choice(alternatives.split(separator))


class Simulation:
    """One session under way."""

    def __init__(self, app: App, seed: int, network: bool | None = None) -> None:
        r = self.random = random.Random(f"{app.name}-{seed}")
        self.app, self.seed = app, seed
        self.us = 1_780_000_000_000_000
        self.steps: list[Step] = []
        self.requests: list[Request] = []
        self.truth: list[TruthAction] = []
        self.events: list[str] = []
        self.page, self.window = "", app.name
        self.host = f"{app.name.lower()}.test"
        self.network = r.random() < 0.8 if network is None else network
        self.api = r.choice(("/api", "/api/v1", "", "/rest"))
        self.style = r.choice(("rest", "rest", "rest", "rpc", "graphql", "opaque"))
        self.tells_values = r.random() < 0.7
        self.named_rows = r.random() < 0.6
        self.titled_window = r.random() < 0.7
        self.tells_title = r.random() < 0.4
        self.answers = r.random() < 0.8
        self.enter_in_text = r.random() < 0.5
        self.placeholders = r.random() < 0.25
        self.given_placeholders: dict[str, str] = {}
        self.plural = app.noun + "s"
        titles = [_ for _ in POOLS[app.titles].split(";")]
        self.things = dict(enumerate(r.sample(titles, min(5, len(titles))), r.randint(11, 90)))
        self.names = {id(a): (_one(r, a.names), _one(r, a.about)) for a in app.actions}
        self.drawn = {
            id(p): (_one(r, p.name), _one(r, p.about), _one(r, p.label or ""))
            for a in app.actions
            for p in (*a.params, *a.others)
        }
        self.buttons = {id(a): _one(r, a.button) for a in app.actions}
        self.openers = {id(a): _one(r, a.opener) for a in app.actions}
        self.known = [a for a in app.actions if r.random() < 0.75] or [app.actions[0]]

    # The catalogue ------------------------------------------------------------------------------

    def suite(self) -> Suite:
        """The Suite as its author described it: names, descriptions and parameters, no hints."""
        suite_id = derived_uuid("suite", self.app.name)
        actions = []
        for a in self.known:
            name, about = self.names[id(a)]
            action_id = derived_uuid(suite_id, name)
            parameters = tuple(
                ActionParameter(
                    id=derived_uuid(action_id, self.drawn[id(p)][0]),
                    action_id=action_id,
                    name=self.drawn[id(p)][0],
                    type=p.kind,
                    required=p.required,
                    description=self.drawn[id(p)][1],
                )
                for p in a.params
            )
            actions.append(
                CanonicalAction(
                    id=action_id,
                    suite_id=suite_id,
                    name=name,
                    description=about,
                    parameters=parameters,
                )
            )
        return Suite(id=suite_id, name=self.app.name, actions=tuple(actions))

    # Input --------------------------------------------------------------------------------------

    def _step(
        self, kind: str, role: str = "", name: str = "", events: int = 4, **more: Any
    ) -> None:
        r = self.random
        self.us += r.randint(400_000, 1_500_000)
        first = len(self.events)
        ids = tuple(f"e{first + n:05}" for n in range(1, events + 1))
        self.events += ids
        label = more.pop("label", None)
        element = Element(
            role=role or None,
            name=name or None,
            tag=more.pop("tag", None),
            label=label,
            input_type=more.pop("input_type", None),
            selector=f"[{role}]{name}" if role or name else None,
        )
        length = 80_000 if kind not in ("type", "drag") else 150_000 * max(events // 3, 1)
        url = f"http://{self.host}{self.page}"
        action = Action(
            index=len(self.steps),
            type=kind,
            start_us=self.us,
            end_us=self.us + length,
            raw_event_ids=ids,
            element=element if role or name else None,
            tab="t1",
            url=url,
            window=self.window,
            **more,
        )
        self.steps.append(
            Step(
                task=0,
                task_id="0",
                step_id=len(self.steps) + 1,
                action=action,
                observation=Observation(active_window=self.window, url=url, tab="t1"),
            )
        )
        self.us += length

    def click(self, role: str, name: str) -> None:
        self._step("click", role, name, events=self.random.choice((3, 4)))

    def type(self, role: str, name: str, text: str, enter: bool = False) -> None:
        whole = text if self.tells_values else None
        if enter and self.enter_in_text:
            self._step(
                "type",
                role,
                name,
                events=3 * len(text) + 2,
                text=text + "\n",
                field_value=whole,
                input_type="search" if role == "searchbox" else "text",
            )
            return
        tag = "textarea" if len(text) > 25 and role == "textbox" else "input"
        self._step("type", role, name, events=3 * len(text), text=text, field_value=whole, tag=tag)
        if enter:
            self._step("press", role, name, events=2, keys=("Enter",), tag=tag)

    def wander(self) -> None:
        """Something without meaning."""
        what = self.random.random()
        if what < 0.3:
            self._step("scroll", events=5, delta_y=240.0)
        elif what < 0.6:
            page = self.random.choice(self.app.pages.split(";"))
            self.click("link", page)
            self.send("GET", f"/{page.lower()}", {})
            self.page, self.window = f"/{page.lower()}", f"{page} - {self.app.name}"
        elif what < 0.75:
            self.open_thing()
        elif what < 0.9:
            opened = [a for a in self.app.actions if a.opener and a.how == "form"]
            if opened:
                a = self.random.choice(opened)
                self.click("button", self.openers[id(a)])
                fields = [p for p in a.params if p.label]
                if self.random.random() < 0.5 and fields and fields[0].control == "textbox":
                    self.type("textbox", self.drawn[id(fields[0])][2], "abc")
                self.click("button", self.random.choice(_CANCEL))
        else:
            self._step("click", "", "", events=3)

    def open_thing(self) -> tuple[int, str]:
        number, title = self.random.choice(list(self.things.items()))
        self.click("link", title)
        self.send("GET", f"/{self.plural}/{number}", {}, thing=(number, title))
        self.page = f"/{self.plural}/{number}"
        if self.titled_window:
            self.window = self.app.window.format(t=title)
        return number, title

    # Network ------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        query: bool = False,
        thing: tuple[int, str] | None = None,
        verb: str = "",
    ) -> None:
        if not self.network:
            return
        url, payload = f"http://{self.host}{self.api}{path}", body
        if query:
            pairs = "&".join(f"{k}={str(v).replace(' ', '+')}" for k, v in body.items())
            url, payload = f"{url}?{pairs}", {}
        elif method != "GET" and self.style in ("rpc", "graphql", "opaque"):
            static = [s for s in path.split("/") if s and not s.isdigit()]
            words = {"POST": "create", "PUT": "set", "PATCH": "update", "DELETE": "delete"}
            last = static[-1] if len(static) > 1 and path[-1].isalpha() else words[method]
            name = last + static[0].rstrip("s").title().replace("-", "")
            if thing is not None:
                payload = {"id": thing[0], **payload}
            if self.style == "rpc":
                url = f"http://{self.host}/rpc/{name}"
            elif self.style == "graphql":
                url = f"http://{self.host}/graphql"
                payload = {
                    "operationName": name,
                    "query": f"mutation {name} {{ ok }}",
                    "variables": payload,
                }
            else:
                url = f"http://{self.host}/dispatch"
            method = "POST"
        answer: Any = {"ok": True}
        if thing is not None and self.answers:
            answer = {"id": thing[0], "title": thing[1], "state": "open"}
        self.requests.append(
            Request(
                id=f"r{len(self.requests) + 1}",
                started_us=self.us + 12_000,
                method=method,
                url=url,
                duration_ms=30.0,
                status=200,
                request_mime="application/json",
                request_body=json.dumps(payload) if payload and method != "GET" else None,
                response_mime="application/json",
                response_body=json.dumps(answer),
                tab="t1",
            )
        )
        self.us += 50_000

    # Actions ------------------------------------------------------------------------------------

    def perform(self, a: A) -> None:
        """Does one action, and notes it in the truth when the catalogue has it."""
        number, title = self.random.choice(list(self.things.items()))
        owns = any(p.label is None for p in a.params)
        if (
            owns
            and a.how
            in (
                "form",
                "detail",
                "inline",
                "select",
                "confirm",
                "spin",
                "slider",
                "menu_choice",
                "choice",
                "inline_change",
            )
        ) or (a.how == "row" and owns and not self._is_named(a)):
            number, title = self.open_thing()
        elif self.page != f"/{self.plural}":
            self.page, self.window = f"/{self.plural}", f"{self.plural.title()} - {self.app.name}"
        first = len(self.events)
        values = getattr(self, f"_do_{a.how}")(a, number, title)
        if a not in self.known:
            return
        parameters = {self.drawn[id(p)][0]: v for p, v in values if p.name}
        self.truth.append(
            TruthAction(
                action=self.names[id(a)][0],
                parameters=parameters,
                first_event_id=self.events[first],
                last_event_id=self.events[-1],
            )
        )

    def _value(self, p: P) -> tuple[Any, str]:
        """(typed value, shown text) of a parameter."""
        if p.kind == "BOOLEAN":
            return True, ""
        pool = POOLS.get(p.values, p.values)
        text = self.random.choice(pool.split(";"))
        if self.placeholders and p.values in ("emails", "phones", "names"):
            kind = p.values[:-1].upper()
            text = self.given_placeholders.setdefault(
                text, f"<{kind}_{len(self.given_placeholders) + 1}>"
            )
        if p.kind == "NUMBER":
            number = float(re.sub(r"[^\d.]", "", text))
            return (int(number) if number.is_integer() else number), text
        return text, text

    def _own(self, a: A, title: str) -> list[tuple[P, Any]]:
        return [(p, title) for p in a.params if p.label is None]

    def _send_action(self, a: A, number: int, title: str, pairs: Sequence[tuple[P, Any]]) -> None:
        method, _, path = a.request.partition(" ")
        path = path.partition("?")[0]
        body = {_one(random.Random(f"{self.seed}{p.key}"), p.key): v for p, v in pairs if p.key}
        owns = any(p.label is None for p in a.params)
        if owns and self.tells_title and method not in ("GET", "DELETE"):
            body["title"] = body.get("title", title)
        self.send(
            method,
            path.replace("{id}", str(number)),
            body,
            query=method == "GET" and bool(body),
            thing=(number, title) if owns else None,
        )

    def _do_form(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        self.click("button", self.openers[id(a)])
        values: list[tuple[P, Any]] = []
        sent: list[tuple[P, Any]] = []
        fields = [p for p in (*a.params, *a.others) if p.label is not None]
        last = fields[-1]
        submitted = False
        for p in fields:
            if not p.required and self.random.random() < 0.4:
                continue
            label = self.drawn[id(p)][2]
            value, text = self._value(p)
            if p.control == "checkbox":
                self.click("checkbox", label)
            elif p.control == "select":
                self._step(
                    "select",
                    "combobox",
                    label,
                    events=3,
                    text=text,
                    field_value=text.lower() if self.tells_values else None,
                )
            else:
                role = p.control
                if self.random.random() < 0.6:
                    self.click(role, label)
                enter = p is last and len(text) < 25 and self.random.random() < 0.25
                self.type(role, label, text, enter)
                submitted = enter
            sent.append((p, value))
            if p in a.params:
                values.append((p, value))
        if not submitted:
            self.click("button", self.buttons[id(a)])
        self._send_action(a, number, title, sent)
        return self._own(a, title) + values

    def _do_row(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        name = self.buttons[id(a)]
        owns = any(p.label is None for p in a.params)
        if owns and not self._is_named(a):
            return self._do_detail(a, number, title)
        if owns and "{t}" not in name:
            name += " {t}"
        self.click("button", name.format(t=title))
        self._send_action(a, number, title, [])
        return self._own(a, title)

    def _is_named(self, a: A) -> bool:
        return self.named_rows or "{t}" in self.buttons[id(a)]

    def _do_detail(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        self.click("button", self.buttons[id(a)].replace(" {t}", "").format(t=title))
        self._send_action(a, number, title, [])
        return self._own(a, title)

    def _do_toggle(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        name = self.buttons[id(a)].format(t=title)
        value = self.random.random() < 0.7
        self._step(
            "click",
            self.random.choice(("checkbox", "switch")),
            name,
            events=5,
            field_value=str(value).lower() if self.tells_values else None,
        )
        pairs = [(p, value) for p in a.params if p.kind == "BOOLEAN"]
        self._send_action(a, number, title, pairs)
        return self._own(a, title) + pairs

    def _do_toggle_row(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        self._step("click", "checkbox", self.buttons[id(a)].format(t=title), events=5)
        self._send_action(a, number, title, [])
        return self._own(a, title)

    def _do_select(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        value, text = self._value(p)
        self._step(
            "select",
            "combobox",
            self.buttons[id(a)],
            events=4,
            text=text,
            field_value=text.lower().replace(" ", "-") if self.tells_values else None,
        )
        self._send_action(a, number, title, [(p, value)])
        return [*self._own(a, title)[: len(a.params) - 1], (p, value)]

    def _do_search(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        value, text = self._value(a.params[0])
        role = self.random.choice(("searchbox", "searchbox", "textbox"))
        if self.random.random() < 0.7:
            self.click(role, self.buttons[id(a)])
        self.type(role, self.buttons[id(a)], text, enter=True)
        self._send_action(a, number, title, [(a.params[0], value)])
        return [(a.params[0], value)]

    def _do_filter(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        value, text = self._value(a.params[0])
        role = self.random.choice(("searchbox", "textbox"))
        if self.random.random() < 0.7:
            self.click(role, self.buttons[id(a)])
        self.type(role, self.buttons[id(a)], text)
        if self.random.random() < 0.4:
            self._send_action(a, number, title, [(a.params[0], value)])
        return [(a.params[0], value)]

    def _do_drag(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        target = self.random.choice(p.values.split(";"))
        self._step(
            "drag",
            self.random.choice(("listitem", "button", "")),
            title,
            events=9,
            end_target=Target(role="region", name=target, label=target),
        )
        self._send_action(a, number, title, [(p, target)])
        return [*self._own(a, title)[:1], (p, target)]

    def _do_menu(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        if self.random.random() < 0.5:
            self.click("button", self.random.choice(("More actions", "⋯", f"Options of {title}")))
        else:
            self._step("right_click", "listitem", title, events=3)
        self.click("menuitem", self.buttons[id(a)])
        self._send_action(a, number, title, [])
        return self._own(a, title)

    def _do_menu_choice(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        choice = self.random.choice(a.button.split(";"))
        opener = self.drawn[id(p)][0].replace("_", " ").capitalize()
        self.click("button", opener)
        self.click(self.random.choice(("option", "menuitem", "menuitemradio")), choice)
        self._send_action(a, number, title, [(p, choice)])
        return [*self._own(a, title)[:1], (p, choice)]

    def _do_choice(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        choice = self.random.choice(a.button.split(";"))
        value = int(choice.split()[0])
        self.click("radio", choice)
        self._send_action(a, number, title, [(a.params[-1], value)])
        return [*self._own(a, title)[:1], (a.params[-1], value)]

    def _do_confirm(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        name = self.buttons[id(a)]
        self.click("button", name)
        verb = name.split()[0]
        self.click("button", self.random.choice((name, verb, f"Yes, {verb.lower()}", *_CONFIRM)))
        self._send_action(a, number, title, [])
        return self._own(a, title)

    def _do_slider(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        value, text = self._value(p)
        self._step(
            "drag",
            "slider",
            self.buttons[id(a)],
            events=8,
            field_value=text if self.tells_values or not self.network else None,
        )
        self._send_action(a, number, title, [(p, value)])
        return [*self._own(a, title)[: len(a.params) - 1], (p, value)]

    def _do_spin(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        value, text = self._value(p)
        name = self.buttons[id(a)]
        self.click("spinbutton", name)
        self.type("spinbutton", name, text, enter=self.random.random() < 0.5)
        self._send_action(a, number, title, [(p, value)])
        return [*self._own(a, title)[:1], (p, value)]

    def _do_inline(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = next(q for q in a.params if q.label is not None)
        value, text = self._value(p)
        label = self.drawn[id(p)][2]
        if self.random.random() < 0.7:
            self.click("textbox", label)
        enter = len(text) < 25 and self.random.random() < 0.4
        self.type("textbox", label, text, enter)
        if not enter:
            self.click("button", self.buttons[id(a)])
        self._send_action(a, number, title, [(p, value)])
        return [*self._own(a, title), (p, value)]

    def _do_inline_change(self, a: A, number: int, title: str) -> list[tuple[P, Any]]:
        p = a.params[-1]
        value, text = self._value(p)
        self.click("textbox", self.buttons[id(a)])
        self.type("textbox", self.buttons[id(a)], text)
        self._step("press", "textbox", self.buttons[id(a)], events=2, keys=("Tab",))
        self._send_action(a, number, title, [(p, value)])
        return [*self._own(a, title)[:1], (p, value)]

    # The whole ----------------------------------------------------------------------------------

    def run(self, actions: int) -> None:
        """Works for a while."""
        r = self.random
        self._step("navigate", events=1)
        self.send("GET", f"/{self.plural}", {})
        for _ in range(actions):
            while r.random() < 0.45:
                self.wander()
            self.perform(r.choice(self.app.actions))
        if r.random() < 0.5:
            self.wander()

    def prepared(self) -> PreparedSession:
        """The session as later stages see it."""
        session_id = derived_uuid("simulated", self.app.name, str(self.seed))
        steps = tuple(self.steps)
        return PreparedSession(
            session=Session(id=session_id), steps=steps, requests=tuple(self.requests)
        )


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated session with its catalogue and truth."""

    prepared: PreparedSession
    catalogue: Catalogue
    truth: Truth
    events: tuple[EventLine, ...]


def simulate(app: App, seed: int, actions: int = 8, network: bool | None = None) -> Simulated:
    """Returns one session of an application; the same seed gives the same session."""
    simulation = Simulation(app, seed, network)
    simulation.run(actions)
    prepared = simulation.prepared()
    return Simulated(
        prepared=prepared,
        catalogue=Catalogue(suites=(simulation.suite(),)),
        truth=Truth(session_id=prepared.session.id, actions=tuple(simulation.truth)),
        events=tuple(EventLine(e, True) for e in simulation.events),
    )
