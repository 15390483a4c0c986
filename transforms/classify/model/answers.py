"""Reads an answer and checks it against the Suite and against what was recorded.

Two kinds of fault are told apart. *Problems* make an answer unusable: it is no JSON object, names
no action of the Suite, has unknown parameters or a value that cannot become the declared type; a
changed request may mend them. A value that no row it cites holds, or a citation of a row that does
not exist, is the answer's own claim and is weighed, not asked again: it is flagged and goes to
review.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.catalogue import ActionParameter, CanonicalAction, Suite
from schemas.classifications import NONE_ACTION, ParameterEvidence
from transforms.classify.model.evidence import Evidence, Row
from transforms.classify.model.fence import CUT_END


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A usable answer about one segment."""

    action: str
    parameters: dict[str, Any] = {}
    evidence: tuple[ParameterEvidence, ...] = ()
    """Only of values that a cited row really holds."""
    cited: int = 0
    """Existing rows that the answer cites for its choice."""
    verbal: float | None = None
    required: tuple[str, ...] = ()
    """Parameters that the action cannot do without."""

    @property
    def grounded(self) -> float:
        """Share of the values that a row holds."""
        return len(self.evidence) / len(self.parameters) if self.parameters else 1.0

    @property
    def complete(self) -> float:
        """Share of the required parameters that have a value."""
        present = [n for n in self.required if self.parameters.get(n) not in (None, "")]
        return len(present) / len(self.required) if self.required else 1.0


class Unusable(msgspec.Struct, frozen=True):
    """Why an answer cannot be used: ``code`` for counting, ``problems`` to be sent back."""

    code: str
    problems: tuple[str, ...]


class _Duplicate(ValueError):
    pass


_THOUGHTS_END = "</think>"
_FENCED = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)


def read_object(text: str) -> dict[str, Any] | None:
    """Finds the JSON object in a text, inside a code fence or prose too; None when there is
    none.

    A repeated key makes it no object: two answers are no answer. What a model thinks aloud before
    it answers is left out.
    """
    found = find_object(text)
    return found[0] if found else None


def find_object(text: str) -> tuple[dict[str, Any], int] | None:
    """Returns what :func:`read_object` does, and where in the text it begins."""
    begin = answer_begins(text)
    at = text.find("{", begin)
    if at < 0:
        return None
    try:
        return _DECODER.raw_decode(text, at)[0], at
    except _Duplicate:
        return None
    except (ValueError, RecursionError):
        # Trying each later brace of a broken object would find its parts.
        fenced = _FENCED.search(text, begin) if text[begin:at].strip() else None
    try:
        return (_DECODER.decode(fenced[1]), fenced.start(1)) if fenced else None
    except (ValueError, RecursionError):
        return None


def answer_begins(text: str) -> int:
    """Where the thoughts before an answer end; chat templates often swallow how they begin."""
    if _THOUGHTS_END not in text:
        return 0
    try:
        if isinstance(_DECODER.decode(text), dict):
            return 0  # it stands in a value
    except (ValueError, RecursionError):
        pass
    return text.rindex(_THOUGHTS_END) + len(_THOUGHTS_END)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def salvaged_rows(text: str) -> list[Any]:
    """Returns the complete objects of a truncated or broken list of items."""
    rows: list[Any] = []
    at = text.find("[", answer_begins(text)) + 1
    while at > 0 and (at := text.find("{", at)) >= 0:
        try:
            row, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        rows.append(row)
    return rows


def read_answer(
    found: dict[str, Any] | None, suite: Suite, evidence: Evidence
) -> Answer | Unusable:
    """Checks an answer about one segment."""
    if found is None:
        return Unusable("not_json", ("it is not one complete JSON object",))
    choice = found.get("choice", found if "action" in found else None)
    if not isinstance(choice, dict) or not isinstance(choice.get("action"), str):
        return Unusable("wrong_form", ('"choice" must be an object with an "action"',))
    name = choice["action"]
    verbal = probability(found.get("confidence"))
    rows = {r.id: r for r in evidence.rows}
    cited = _ids(found.get("evidence"))
    counted = sum(1 for i in dict.fromkeys(cited) if i in rows)
    if name == NONE_ACTION:
        return Answer(action=NONE_ACTION, verbal=verbal, cited=counted)
    action = next((a for a in suite.actions if a.name == name), None)
    if action is None:
        allowed = ", ".join(json.dumps(a.name) for a in suite.actions)
        problem = f'"action" must be one of {allowed} or "{NONE_ACTION}"'
        return Unusable("unknown_action", (problem,))
    given = choice.get("parameters")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        return Unusable("wrong_form", ('"parameters" must be an object',))
    return _with_parameters(action, given, rows, cited, verbal, counted)


def _with_parameters(
    action: CanonicalAction,
    given: dict[str, Any],
    rows: dict[str, Row],
    cited: list[str],
    verbal: float | None,
    counted: int,
) -> Answer | Unusable:
    declared = {p.name: p for p in action.parameters}
    problems = []
    if set(given) - set(declared):
        allowed = ", ".join(declared) or "no parameters"
        problems.append(f"the parameters of {action.name} are: {allowed}")
    values: dict[str, Any] = {}
    evidence: list[ParameterEvidence] = []
    for name, parameter in declared.items():
        raw, ids = _cited_value(given.get(name))
        if raw is None:
            continue
        value = converted(raw, parameter.type)
        if value is None:
            problems.append(f"{action.name}.{name} must be of type {parameter.type}")
            continue
        by = [rows[i] for i in dict.fromkeys([*ids, *cited]) if i in rows]
        values[name] = value = uncut(value, by)
        where = grounding(value, parameter, by)
        if where is not None:
            evidence.append(where)
    if problems:
        return Unusable("wrong_parameters", tuple(problems))
    return Answer(
        action=action.name,
        parameters=values,
        evidence=tuple(evidence),
        cited=counted,
        verbal=verbal,
        required=tuple(p.name for p in action.parameters if p.required),
    )


def _cited_value(given: Any) -> tuple[Any, list[str]]:
    if isinstance(given, dict) and "value" in given and set(given) <= {"value", "from"}:
        return given["value"], _ids(given.get("from"))
    return given, []


def _ids(value: Any) -> list[str]:
    return [i for i in value if isinstance(i, str)] if isinstance(value, list) else []


def probability(value: Any) -> float | None:
    """Returns a number 0-1; NaN, words, booleans and anything outside are None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def converted(value: Any, kind: str) -> Any:
    """Converts to a parameter type; None when that cannot be done without loss."""
    if kind == "STRING":
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        return None
    if kind == "NUMBER":
        if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", value):
            value = float(value) if "." in value else int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not math.isfinite(value):
            return None
        return int(value) if isinstance(value, float) and value == int(value) else value
    if kind == "BOOLEAN":
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.strip().lower())
        return value if isinstance(value, bool) else None
    expected = {"OBJECT": dict, "ARRAY": list}[kind]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, expected) else None


# --- Grounding ------------------------------------------------------------------------------------

_FIELDS = (
    # row field → what ParameterEvidence calls it; the person's own doing comes first
    ("text", "field"),
    ("field_value", "field"),
    ("keys", "keys"),
    ("body", "request"),
    ("element", "element"),
    ("dropped_on", "element"),
    ("url", "url"),
    ("values", "request"),
    ("response", "request"),
    ("window", "window"),
)


def uncut(value: Any, cited: Sequence[Row]) -> Any:
    """Returns a text as it was recorded where an answer copied all of it that was shown."""
    if isinstance(value, str) and (copied := folded(value)).endswith(CUT_END):
        for row in cited:
            for field, whole in row.whole.items():
                for shown, text in zip(leaves(row.shown[field]), leaves(whole)):
                    if shown != text and folded(shown) == copied:
                        return text
    return value


def grounding(
    value: Any, parameter: ActionParameter, cited: Sequence[Row]
) -> ParameterEvidence | None:
    """Finds the first of the cited rows that holds a value, in its whole text."""
    if isinstance(value, bool):
        # A switch leaves no text to compare; the cited step on it is the evidence.
        steps = [r for r in cited if r.step is not None]
        return _found(parameter, value, steps[0], "element") if steps else None
    parts = [folded(leaf) for leaf in leaves(value)]
    if not any(parts):
        return None
    for row in cited:
        told = row.shown | row.whole
        for field, source in _FIELDS:
            text = folded(" ".join(leaves(told.get(field))))
            if text and all(_holds(text, part) for part in parts):
                source = "select" if _selects(row, field) else source
                return _found(parameter, value, row, source)
    if len(parts) > 1:
        # A list may have been gathered over several rows.
        everything = folded(" ".join(" ".join(leaves(r.shown | r.whole)) for r in cited))
        if all(_holds(everything, part) for part in parts):
            return _found(parameter, value, cited[0], "field")
    return None


def _selects(row: Row, field: str) -> bool:
    return field in ("text", "field_value") and row.shown.get("did") == "select"


def _found(parameter: ActionParameter, value: Any, row: Row, source: str) -> ParameterEvidence:
    element = row.shown.get("element") or {}
    return ParameterEvidence(
        parameter=parameter.name,
        value=value,
        source=source,
        event_ids=row.event_ids,
        request_id=row.request_id,
        detail=element.get("label") or element.get("name"),
    )


def leaves(value: Any) -> list[str]:
    """Returns the texts and numbers of a JSON value, as texts, in order."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in leaves(v)]
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in leaves(v)]
    return [value if isinstance(value, str) else json.dumps(value)]


def folded(text: str) -> str:
    """Folds what does not change a value: case, width, kinds of space and quotes."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return " ".join(text.split())


# -5 and 1,000.50 are one number each, 2024-05, 10:30 and 1,2 are two, 1.2.3 is none.
_NUMBER = re.compile(r"(?:(?<!\w)[-+])?(?<![\w.])\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+(?!\w|\.\d)")


def _holds(text: str, leaf: str) -> bool:
    """Whether a text holds a value, not as a part of a longer word or number."""
    if not leaf:
        return True
    if _NUMBER.fullmatch(leaf):
        return any(_plain(m[0]) == _plain(leaf) for m in _NUMBER.finditer(text))
    at = text.find(leaf)
    while at >= 0:
        if not (_goes_on(text, at) or _goes_on(text, at + len(leaf))):
            return True
        at = text.find(leaf, at + 1)
    return False


def _plain(number: str) -> str:
    """A number without what does not change it: 1,000.50 is 1000.5, but 007 is not 7."""
    number = number.replace(",", "").removeprefix("+")
    return number.rstrip("0").removesuffix(".") if "." in number else number


def _goes_on(text: str, at: int) -> bool:
    """Whether a word or number goes on across a place in a text."""
    left, right = text[max(0, at - 2) : at], text[at : at + 2]
    if left[-1:].isalnum() and right[:1].isalnum():
        return True
    around = (left[-1:] + right, left + right[:1])
    return any(re.fullmatch(r"\d[.,]\d", part) for part in around)
