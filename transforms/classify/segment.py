"""Cuts a trajectory into segments: each a canonical action with what led up to it, or noise.

A segment ends where something is finished: a request that changes something, a full hint of the
catalogue, or input that could finish something (a button, Enter, a choice) and that words tie to an
action. From there it grows backwards over the fields that were filled for it and the button that
opened the form. What is left (wrong clicks, idle scrolling, dialogs given up) becomes segments of
its own, so that every step is in exactly one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from schemas.catalogue import Suite
from schemas.classifications import Segment
from schemas.trajectories import PreparedSession, Step
from transforms.classify.evidence import SegmentEvidence, SessionFacts, can_submit, gather, gives_up
from transforms.classify.facts import StepFacts, body_of, query_of
from transforms.classify.hints import expects_change, glob_captures, match_hints
from transforms.classify.scoring import ActionWords, Score, score_actions, suite_words
from transforms.classify.sources import leaves
from transforms.classify.values import comparable
from transforms.classify.words import (
    best_likeness,
    coverage,
    name_tokens,
    similarity,
    tokens,
)
from transforms.keys import derived_uuid

FULL_HINT = 0.95
SOFT_PROBABILITY = 0.5
"""A step that no request or hint marks ends a segment when words make some action this likely."""
MAX_IDLE_STEPS = 6
"""So many steps without any bearing on a form end the walk back to its beginning."""

_IDLE = frozenset({"scroll", "wait", "swipe", "pinch", "switch_tab", "navigate"})


def segment_trajectory(prepared: PreparedSession, suite: Suite) -> tuple[Segment, ...]:
    """Returns the segments of every task, in order; each step is in exactly one of them."""
    session = SessionFacts(prepared)
    words = suite_words(suite)
    segments: list[Segment] = []
    for task in dict.fromkeys(step.task for step in prepared.steps):
        indices = [i for i, step in enumerate(prepared.steps) if step.task == task]
        spans = Cutter(session, words, indices).spans()
        for (first, last), after in itertools.zip_longest(spans, spans[1:]):
            follower = prepared.steps[indices[after[0]]] if after else None
            segments.append(_segment(prepared, task, indices[first : last + 1], follower))
    return tuple(segments)


def _segment(
    prepared: PreparedSession, task: int, indices: Sequence[int], follower: Step | None
) -> Segment:
    ids = [e for i in indices for e in prepared.steps[i].action.raw_event_ids]
    if follower is not None and len(ids) > 1:
        ids = _before(ids, prepared.steps[indices[-1]], follower)
    first, last = (ids[0], ids[-1]) if ids else ("", "")
    return Segment(
        id=derived_uuid("segment", prepared.session.id, str(task), first, last),
        task=task,
        step_indices=tuple(indices),
        first_event_id=first,
        last_event_id=last,
    )


def _before(ids: list[str], last: Step, follower: Step) -> list[str]:
    """Drops trailing events that came only when the next segment had begun.

    A field tells its change when the next click goes down, a key may come up after the next went
    down. Such events stay with their step, but spans of segments must not overlap.
    """
    if last.action.end_us <= follower.action.start_us or not follower.action.raw_event_ids:
        return ids
    begin = _numbered(follower.action.raw_event_ids[0])
    if begin is None:
        return ids[:-1]
    kept = list(ids)
    while len(kept) > 1 and (_numbered(kept[-1]) or begin) >= begin:
        kept.pop()
    return kept


def _numbered(event_id: str) -> int | None:
    match = re.search(r"(\d+)$", event_id)
    return int(match[1]) if match else None


class Cutter:
    """Finds the spans of one task; positions count within the task."""

    def __init__(
        self, session: SessionFacts, words: Sequence[ActionWords], indices: Sequence[int]
    ) -> None:
        self.session = session
        self.words = words
        self.indices = indices
        self.facts = [session.facts[i] for i in indices]
        self.hinted = [self._best_hint(facts) for facts in self.facts]

    def _best_hint(self, facts: StepFacts) -> float:
        weights = [m.weight for row in self.words for m in match_hints(facts, row.action)]
        return max(weights, default=0.0)

    def spans(self) -> list[tuple[int, int]]:
        """(first, last) positions of all segments, noise too, in order and without gaps."""
        found: list[tuple[int, int]] = []
        free = 0
        for position in range(len(self.facts)):
            if position < free or not self._finishes(position, free):
                continue
            first, last = self.grow(free, position), self._leave(position)
            if first > free:
                found.append((free, first - 1))
            found.append((first, last))
            free = last + 1
        if free < len(self.facts):
            found.append((free, len(self.facts) - 1))
        return found

    # Where segments end --------------------------------------------------------------------

    def _finishes(self, position: int, free: int) -> bool:
        facts = self.facts[position]
        if self._goes_on(position):
            return False
        if facts.was_refused:
            return False
        hinted = self.hinted[position] >= FULL_HINT
        if facts.commits and (hinted or not _is_typing(facts)):
            return not self._is_refused_by_words(position, free)
        if hinted:
            return not self._is_tried_again(position)
        if not (facts.commits or self.session.asks(facts) or can_submit(facts)):
            return False
        if not facts.commits and self._absorbed(position):
            return False
        return self._is_likely(position, free)

    def _is_tried_again(self, position: int) -> bool:
        """Whether a try that sent nothing is followed, on the same page, by one that did."""
        facts = self.facts[position]
        rows = [row for row in self.words if match_hints(facts, row.action)]
        if not self.session.has_network or not any(expects_change(row.action) for row in rows):
            return False
        for later in self.facts[position + 1 :]:
            if later.view != facts.view and later.action.type not in _IDLE:
                return False
            if later.commits:
                return any(match_hints(later, row.action) for row in rows)
        return False

    def _is_refused_by_words(self, position: int, free: int) -> bool:
        """A change that no action is about (a message marked as read) ends nothing."""
        if self.hinted[position] >= FULL_HINT:
            return False
        return not self._is_likely(position, free)

    def _is_likely(self, position: int, free: int) -> bool:
        first = self.grow(free, position)
        scores = self._scores(first, position)
        best = max(scores, key=lambda s: s.probability)
        if best.probability < 1 - sum(s.probability for s in scores):
            return False
        return bool(self.facts[position].commits) or not self._opens(best, first, position)

    def _opens(self, best: Score, first: int, position: int) -> bool:
        """Whether what follows shows that a form was only opened, or is still being filled."""
        after = next((f for f in self.facts[position + 1 :] if f.action.type not in _IDLE), None)
        if after is None or after.field is None or after.action.tab is None:
            return False
        if self.facts[position].field is not None:
            return False
        filled = {f.field for f in self.facts[first:position] if f.is_entry}
        return bool(best.filled.missing) or after.field in filled

    def _scores(self, first: int, last: int) -> tuple[Score, ...]:
        return score_actions(self.words, self._evidence(first, last))

    def _evidence(self, first: int, last: int) -> SegmentEvidence:
        return gather(self.session, self.indices[first : last + 1])

    def _goes_on(self, position: int) -> bool:
        """Whether the same field is changed further: only its last value counts."""
        facts = self.facts[position]
        if facts.field is None or facts.is_toggle or not facts.is_entry or facts.enter:
            return False
        for later in self.facts[position + 1 :]:
            if later.field == facts.field:
                if later.is_entry or later.enter or (later.is_focus_key and later.commits):
                    return True
                if later.is_focus_key:
                    return False
                continue
            if later.action.type not in ("wait",):
                return False
        return False

    def _absorbed(self, position: int) -> bool:
        """Whether a field's value is sent later from the same page, together with others."""
        facts = self.facts[position]
        if not (facts.is_entry or facts.is_toggle):
            return False
        for place in range(position + 1, len(self.facts)):
            later = self.facts[place]
            if later.view != facts.view:
                return False
            if later.commits:
                return self._is_sent(facts, later)
            if not self.session.has_network and later.is_click and later.role == "button":
                return self._takes(later, facts)
        return False

    def _is_sent(self, facts: StepFacts, trigger: StepFacts) -> bool:
        """Whether a trigger's requests carry a field's value, or a key that names the field."""
        bodies = [body_of(r) for r in trigger.commits]
        keys = [w for body in bodies for k, _ in leaves(body) for w in name_tokens(k)]
        if facts.name and coverage(name_tokens(facts.name), tuple(keys)) > 0.3:
            return True
        sent = {comparable(v) for body in bodies for _, v in leaves(body)}
        return bool(sent & _entered(facts, placeholders=True))

    def _is_declared(self, facts: StepFacts, trigger: StepFacts) -> bool:
        """Whether the catalogue says that a parameter comes from this field."""
        return any(
            glob_captures(p.source["field"], facts.name) is not None
            for row in self.words
            for p in row.action.parameters
            if "field" in p.source and match_hints(trigger, row.action)
        )

    def _takes(self, trigger: StepFacts, facts: StepFacts) -> bool:
        """Whether an action that a trigger may be has a parameter for a field."""
        rows = [row for row in self.words if match_hints(trigger, row.action)]
        head = tokens(trigger.name)[:2]
        if not rows:
            rows = [
                row for row in self.words if max(best_likeness(v, head) for v in row.verbs) >= 0.6
            ]
        label = name_tokens(facts.name)
        return any(
            max(similarity(label, name_tokens(p.name)), similarity(label, tokens(p.description)))
            > 0.4
            for row in rows or self.words
            for p in row.action.parameters
        )

    def _leave(self, position: int) -> int:
        """Takes in the key that leaves the field whose change ends a segment."""
        here, after = self.facts[position], position + 1
        if after < len(self.facts) and here.is_entry and not here.enter:
            key = self.facts[after]
            if key.chord in ("Tab", "Shift+Tab") and key.field == here.field and not key.commits:
                return after
        return position

    # Where segments begin ------------------------------------------------------------------

    def grow(self, free: int, position: int) -> int:
        """The first step of the segment that ends at ``position``."""
        trigger = self.facts[position]
        sent = _sent_values(trigger)
        first, idle = position, 0
        fields: set[str | None] = {trigger.field} if trigger.field else set()
        for place in range(position - 1, free - 1, -1):
            facts = self.facts[place]
            if self._prepares(facts, trigger, sent, fields):
                first, idle = place, 0
                if facts.is_entry or facts.is_toggle:
                    fields.add(facts.field)
                continue
            if facts.is_focus_key and place == first - 1 and facts.view == trigger.view:
                # The keys by which the field was reached.
                first = place
                continue
            if gives_up(facts) or (facts.enter and facts.field != trigger.field):
                break
            if facts.commits or (facts.action.type == "navigate" and facts.view != trigger.view):
                break
            idle += 1
            if idle > MAX_IDLE_STEPS:
                break
        return self._with_opener(free, first, position)

    def _prepares(
        self,
        facts: StepFacts,
        trigger: StepFacts,
        sent: set[str] | None,
        fields: set[str | None],
    ) -> bool:
        if facts.field is None or facts.action.tab != trigger.action.tab:
            return False
        if facts.field in fields and facts.view == trigger.view:
            return not facts.enter or facts.field == trigger.field
        if trigger.is_toggle or (trigger.is_entry and not trigger.enter):
            return False
        if not (facts.is_entry or facts.is_toggle) or (
            facts.enter and facts.field != trigger.field
        ):
            return False
        if sent is not None:
            if _entered(facts) & sent:
                return True
            return facts.view == trigger.view and (
                self._is_sent(facts, trigger) or self._is_declared(facts, trigger)
            )
        return facts.view == trigger.view and self._takes(trigger, facts)

    def _with_opener(self, free: int, first: int, position: int) -> int:
        """Takes in the button that brought up the form, menu or question."""
        place = first - 1
        while place >= free and self.facts[place].action.type in ("wait", "scroll"):
            place -= 1
        if place < free:
            return first
        opener, head, trigger = self.facts[place], self.facts[first], self.facts[position]
        if opener.commits or not opener.is_click or opener.action.tab != trigger.action.tab:
            return first
        if trigger.role in ("menuitem", "option", "menuitemradio") and head is trigger:
            return place
        if opener.action.type in ("right_click", "long_press", "double_click"):
            return place
        if head is not trigger and opener.role in ("button", "menuitem") and opener.field is None:
            return place
        if head is trigger and opener.role == "button" and trigger.role == "button":
            alike = coverage(tokens(trigger.name), tokens(opener.name))
            if trigger.commits and tokens(trigger.name)[:1] in _CONFIRMATIONS:
                return place
            same = {row.action.name for row in self.words if match_hints(opener, row.action)} & {
                row.action.name for row in self.words if match_hints(trigger, row.action)
            }
            if same or alike > 0.5:
                return place
        return first


_CONFIRMATIONS = frozenset(tokens(w)[:1] for w in "yes ok okay confirm continue proceed".split())


def _is_typing(facts: StepFacts) -> bool:
    return facts.is_entry and not facts.enter and facts.action.type != "select"


def _entered(facts: StepFacts, placeholders: bool = False) -> set[str]:
    """Comparable forms of what a step put into its field.

    Placeholders (``<REDACTED>``) are all alike, so they count only when asked for.
    """
    values = (facts.action.text, facts.action.field_value)
    return {comparable(v) for v in values if v and (placeholders or not v.startswith("<"))}


def _sent_values(facts: StepFacts) -> set[str] | None:
    """Comparable values that a step's requests carried; None when there was no request."""
    if not facts.requests:
        return None
    values = set()
    for request in facts.requests:
        values |= {comparable(v) for _, v in leaves(body_of(request))}
        values |= {comparable(v) for v in query_of(request.url).values()}
    return {v for v in values if v}
