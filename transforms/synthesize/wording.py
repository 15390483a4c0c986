"""The words of a conversation that nobody recorded: system message and templated request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from schemas.catalogue import Suite
from schemas.classifications import Classification

HOW_TO_ACT = (
    "Carry out the user's request by calling the tools, one call at a time, in the order the "
    "request needs. Fill arguments with values from the request or from what is on the screen; "
    "leave out optional arguments that nothing asks for."
)


def system_text(suite: Suite) -> str:
    """Returns the system message: the application, what it is, and how to act."""
    about = f" {_sentence(suite.description)}" if suite.description.strip() else ""
    return f"You operate {suite.name}.{about}\n{HOW_TO_ACT}"


def templated_request(suite: Suite, accepted: Sequence[Classification]) -> str:
    """Returns a request made of the Actions' descriptions and the parameters' values.

    One action is one sentence, several are a numbered list in their order.
    """
    clauses = [_clause(suite, c) for c in accepted]
    if len(clauses) == 1:
        return f"In {suite.name}: {clauses[0]}"
    steps = "\n".join(f"{i}. {clause}" for i, clause in enumerate(clauses, 1))
    return f"Do this in {suite.name}, in this order:\n{steps}"


def _clause(suite: Suite, classification: Classification) -> str:
    action = next(a for a in suite.actions if a.name == classification.action)
    told = action.description.strip() or action.name.replace("_", " ").capitalize()
    values = classification.parameters
    details = [
        f"{p.name.replace('_', ' ')}: {_value(values[p.name])}"
        for p in action.parameters
        if values.get(p.name) is not None
    ]
    if not details:
        return _sentence(told)
    return f"{told.rstrip('. ')} ({'; '.join(details)})."


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
