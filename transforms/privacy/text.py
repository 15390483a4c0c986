"""The text side of the PrivacyFilter: locate in all texts of a session, then redact all of them.

Two passes, because a value that one place betrays must go everywhere:
:meth:`SessionScrubber.locate` finds, :meth:`SessionScrubber.redact` replaces what was found here
and in the pixels. Values of sensitive fields and patterns are searched for from four characters on;
names only with two words or a cue, and never words of the interface.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote_plus

import msgspec

from schemas.findings import Found, ScrubbedSession, Span
from schemas.traces import Event, Trace
from schemas.work import SessionWork
from transforms.dom import DomTree, to_text
from transforms.privacy import walk
from transforms.privacy.config import ScrubberConfig
from transforms.privacy.finder import TextFinder
from transforms.privacy.focus import as_field, as_told, seen_fields
from transforms.privacy.folding import folded, without_invisible
from transforms.privacy.keystrokes import MaskedRun, TypingRun, is_typing, mask_runs, typing_runs
from transforms.privacy.lexicon import COMMON, NAMES, name_parts
from transforms.privacy.replace import Replacer
from transforms.privacy.session_fields import SessionFields
from transforms.privacy.session_order import ledger_of, ordered_events, timeline
from transforms.privacy.spans import merged
from transforms.privacy.split_fields import SplitValue, split_values
from transforms.privacy.values import MIN_CHARS, ValueIndex, found_order, value_index
from transforms.privacy.visitors import (
    NO_VALUES,
    Looker,
    Redactor,
    entity_of_value,
    without_own_names,
)
from transforms.privacy.words import is_caption, is_interface_word

__all__ = ["SessionScrubber", "TextFinder", "ordered_events"]

_TITLE_PARTS = re.compile(r"\s[–—|·•-]\s")
NAMED_ENTITIES = frozenset(("PERSON", "LOCATION", "ORGANIZATION", "USERNAME", "ADDRESS"))
MAX_PARTIAL_CHARS = 400


class SessionScrubber:
    """Locates and redacts the texts of one session."""

    def __init__(self, finder: TextFinder, config: ScrubberConfig, session_key: bytes) -> None:
        """Takes a finder of the same configuration, and the key of the session's surrogates."""
        self.finder = finder
        self.config = config
        self.session_key = session_key

    def locate(
        self, work: SessionWork, dom: Mapping[str, DomTree]
    ) -> tuple[tuple[Found, ...], dict[str, int]]:
        """Finds the sensitive values of a session, in every text it has.

        Args:
            work: the session with its trace and steps; nothing of it is changed.
            dom: snapshot file → parsed tree; snapshots that could not be parsed are missing.

        Returns:
            The values, sorted, and how many were seen, ``<place>/<entity>`` → number.
        """
        trace = _trace_of(work)
        self.finder.forget()
        work, events = self._placed(work, dom)
        fields = SessionFields(self.finder.fields, events, dom.values())
        runs = typing_runs(events)
        split = self._learn_split(runs, fields)
        own_names = self._own_names(events)
        looker = self._searched(work, trace, events, runs, dom, fields)
        found: dict[tuple[str, str], Found] = {}
        counts: Counter = Counter()
        states = {
            text[:end]
            for run in runs
            for text, _ in run.readings()
            for end in range(1, min(len(text), MAX_PARTIAL_CHARS))
        }
        for (value, entity), number in looker.wholes.items():
            sent = (value, entity) not in looker.said
            if value not in states and not (sent and is_caption(value, entity, self._is_common)):
                counts[f"field/{entity}"] += number
                self._add(found, value, entity, "field")
        for value in split:
            counts[f"typed/{value.entity}"] += 1
            self._add(found, value.text, value.entity, "field")
        for run in runs:
            whole = fields.of_target(run.target, run.url, run.tab)
            readings = [text for text, _ in run.readings()]
            if whole is not None:
                counts[f"typed/{whole}"] += 1
                for text in dict.fromkeys((*readings, *run.values[-1:])):
                    self._add(found, text, entity_of_value(text, whole), "field")
                continue
            for text, spans in zip(readings, self.finder.find_many(readings, "key")):
                for span in without_own_names(text, spans, own_names):
                    counts[f"typed/{span.entity}"] += 1
                    self._add(found, text[span.start : span.end], span.entity, span.origin, span)
        for kind, texts in looker.texts.items():
            for text, spans in zip(texts, self.finder.find_many(list(texts), kind)):
                for span in without_own_names(text, spans, own_names):
                    for place, number in texts[text].items():
                        counts[f"{place}/{span.entity}"] += number
                    value = text[span.start : span.end]
                    value = unquote_plus(value) if kind == "url" else value
                    self._add(found, value, span.entity, span.origin, span)
        self._add_parts_of_names(found)
        return tuple(sorted(found.values(), key=found_order)), dict(sorted(counts.items()))

    def fields_of(self, work: SessionWork, dom: Mapping[str, DomTree]) -> SessionFields:
        """Returns what the fields of a session hold, boxes that share one value included."""
        work, events = self._placed(work, dom)
        fields = SessionFields(self.finder.fields, events, dom.values())
        self._learn_split(typing_runs(events), fields)
        return fields

    def _placed(
        self, work: SessionWork, dom: Mapping[str, DomTree]
    ) -> tuple[SessionWork, list[Event]]:
        """The session and its events in order, with the fields that only snapshots tell of."""
        trace = _trace_of(work)
        seen = seen_fields(work.steps, trace.events, dom)

        def aimed(event: Event) -> Event:
            target = event.target or seen.get(event.id)
            if target is not None and is_typing(event):
                target = as_field(target)
            if target is event.target:
                return event
            return msgspec.structs.replace(event, target=target)

        events = [aimed(event) for event in ordered_events(trace, work.dispositions)]
        steps = []
        for step in work.steps:
            target = next((seen[i] for i in step.action.raw_event_ids if i in seen), None)
            if target is not None:
                action = msgspec.structs.replace(step.action, target=target)
                step = msgspec.structs.replace(step, action=action)
            steps.append(step)
        return msgspec.structs.replace(work, steps=tuple(steps)), events

    def _learn_split(self, runs: Sequence[TypingRun], fields: SessionFields) -> list[SplitValue]:
        """Finds values typed over several fields; each of the fields is known from then on."""
        split = split_values(
            runs,
            lambda run: fields.of_target(run.target, run.url, run.tab),
            lambda text: self.finder.find(text, "typing"),
        )
        for value in split:
            for run in value.runs:
                if run.target is not None:
                    fields.learn(run.target, run.url, run.tab, value.entity)
        return split

    def _searched(
        self,
        work: SessionWork,
        trace: Trace,
        events: Sequence[Event],
        runs: Sequence[TypingRun],
        dom: Mapping[str, DomTree],
        fields: SessionFields,
    ) -> Looker:
        """Looks at all texts and searches them in batches, always in the same order.

        Every later look-up is answered by the finder's cache.
        """
        looker = Looker()
        walk.walk_session(trace.session, looker)
        for name in (work.ref.session_id, work.ref.member):
            if name:
                walk.look_at_files({name: None}, looker)
        files = dict.fromkeys([f.file for f in trace.frames] + [s.file for s in trace.dom])
        walk.look_at_files(files, looker)
        for event in events:
            walk.walk_event(event, fields, looker)
        for request in trace.requests:
            walk.walk_request(request, fields, looker)
        for given in trace.given:
            walk.walk_given(given, looker)
        for step in work.steps:
            walk.walk_step(step, fields, None, step.action.raw_event_ids, looker)
        for tree in dom.values():
            walk.look_at_dom(tree, fields, looker)
        typed = dict.fromkeys(text for run in runs for text, _ in run.readings())
        self.finder.find_many(list(typed), "key")
        for kind, texts in looker.texts.items():
            self.finder.find_many(list(texts), kind)
        return looker

    def _is_common(self, word: str) -> bool:
        """Whether a word is in the dictionary, and known as nobody's name."""
        lexicon = getattr(self.finder.names, "lexicon", None)
        bits = lexicon.of(word) if lexicon is not None else 0
        return bool(bits & COMMON) and not bits & NAMES

    def _add(
        self,
        found: dict[tuple[str, str], Found],
        value: str,
        entity: str,
        origin: str,
        span: Span | None = None,
    ) -> None:
        """Notes a value, and whether it is searched for in other places."""
        value = without_invisible(value)[0].strip()
        if not value or value.casefold() in self.config.allow:
            return
        propagates = len(value) >= MIN_CHARS and not is_interface_word(value)
        if origin in ("ner", "value") and entity in NAMED_ENTITIES:
            words = [w for w in re.split(r"[\s,]+", value) if len(w.strip(".")) > 1]
            certain = span is not None and span.score >= self.config.names.propagate_score
            propagates = propagates and len(words) >= 2 and certain
        old = found.get((value, entity))
        if old is None or (propagates and not old.propagates):
            found[value, entity] = Found(value, entity, origin, propagates)

    def _add_parts_of_names(self, found: dict[tuple[str, str], Found]) -> None:
        """First and last names of people who are named in full, or in an address, in the session.

        A part is searched for by itself when it is known as a name and as no other word.
        """
        lexicon = getattr(self.finder.names, "lexicon", None)
        if lexicon is None or "PERSON" not in self.config.entities:
            return
        parts: dict[str, None] = {}
        for item in list(found.values()):
            if not item.propagates or item.entity not in ("PERSON", "EMAIL"):
                continue
            if item.entity == "EMAIL":
                words = name_parts(item.value.split("@")[0], lexicon)
                if len(words) >= 2:
                    full = " ".join(word.capitalize() for word in words)
                    found.setdefault((full, "PERSON"), Found(full, "PERSON", "cue", True))
            else:
                words = re.findall(r"[^\W\d_]+", item.value)
                words = words if 2 <= len(words) <= 4 else []
            parts.update(dict.fromkeys(words))
        for word in parts:
            if len(word) >= MIN_CHARS and lexicon.is_name_only(word):
                name = word.capitalize() if word.islower() else word
                found.setdefault((name, "PERSON"), Found(name, "PERSON", "cue", True))

    def redact(
        self, work: SessionWork, dom: Mapping[str, DomTree], values: Sequence[Found]
    ) -> ScrubbedSession:
        """Returns the session with everything found replaced, in every text.

        Placeholders are numbered by first use in order of time: the session record, then events,
        requests and snapshots by their time, then what only steps and failures say.

        Args:
            work: the session as it was located.
            dom: snapshot file → parsed tree.
            values: what locating found in texts and pixels.
        """
        trace = _trace_of(work)
        work, events = self._placed(work, dom)
        fields = SessionFields(self.finder.fields, events, dom.values())
        runs = typing_runs(events)
        self._learn_split(runs, fields)
        index = value_index(values)
        self._searched(work, trace, events, runs, dom, fields)
        redactor = Redactor(
            self.finder,
            index,
            self._halves(runs, fields, index),
            fields,
            Replacer(self.config.replacement, self.session_key),
        )
        redactor.own_names = self._own_names(events)
        masked = mask_runs(
            events,
            runs,
            lambda run: fields.of_target(run.target, run.url, run.tab),
            lambda text: redactor.spans(text, "key"),
        )
        local = self._local_values(runs, redactor)
        survivor = {run.events[0]: run for run in masked}
        gone = {number for run in masked for number in run.events[1:]}
        session = walk.walk_session(trace.session, redactor)
        told = {event.id: event.target for event in trace.events}
        new_events: dict[str, Event] = {}
        requests, trees = {}, {}
        formats = {s.file: s.format for s in trace.dom}
        for _, what, item in timeline(trace, events, dom):
            if what == "event":
                number, event = item
                if number in gone:
                    continue
                run = survivor.get(number)
                redactor.local = local.get(number, NO_VALUES)
                event = walk.walk_event(_stripped(event) if run else event, fields, redactor)
                event = _masked(event, run, redactor) if run else event
                target = as_told(event.target, told[event.id])
                new_events[event.id] = msgspec.structs.replace(event, target=target)
            elif what == "request":
                requests[item.id] = walk.walk_request(item, fields, redactor)
            else:
                tree = walk.walk_dom(dom[item], fields, redactor)
                trees[item] = to_text(tree, formats.get(item, "json"))
        masked_of = {events[n].id: run for run in masked for n in run.events}
        left = set(new_events)
        steps = tuple(self._step(step, fields, masked_of, left, redactor) for step in work.steps)
        dispositions = tuple(d for d in work.dispositions if d.event_id in left)
        return ScrubbedSession(
            session=session,
            events=tuple(new_events.values()),
            dispositions=dispositions,
            steps=steps,
            given=tuple(walk.walk_given(g, redactor) for g in trace.given if g.event_id in left),
            requests=tuple(requests[r.id] for r in trace.requests),
            dom=trees,
            failures=tuple(walk.walk_failure(f, redactor) for f in work.failures),
            dropped=tuple(walk.walk_dropped(d, redactor) for d in work.dropped),
            ledger=ledger_of(work.ledger, work.dispositions, left),
            counts={
                "masked_runs": len(masked),
                **{f"redacted/{k}": n for k, n in sorted(redactor.counts.items())},
            },
        )

    def redact_text(self, text: str, kind: str, values: Sequence[Found]) -> str:
        """Returns one more text of the session redacted, as all others are."""
        spans = self.finder.find(text, kind) + value_index(values).find(text)
        return Replacer(self.config.replacement, self.session_key).apply(text, merged(spans))

    def _local_values(self, runs: Iterable[TypingRun], redactor: Redactor) -> dict[int, ValueIndex]:
        """Event number → what was found in the run it belongs to."""
        local: dict[int, ValueIndex] = {}
        for run in runs:
            hits = {
                (text[span.start : span.end], span.entity)
                for text, _ in run.readings()
                for span in redactor.spans(text, "key")
            }
            if hits:
                index = ValueIndex(sorted(hits))
                local.update(dict.fromkeys(run.events, index))
        return local

    def _own_names(self, events: Iterable[Event]) -> frozenset[str]:
        """What the session's applications call themselves: the end of many a window's title.

        A person's name is none, whatever it stands behind.
        """
        titles = {event.window for event in events if event.window}
        ends = Counter(folded(_TITLE_PARTS.split(title)[-1].strip()) for title in titles)
        lexicon = getattr(self.finder.names, "lexicon", None)
        return frozenset(
            end
            for end, number in ends.items()
            if number >= 3 and end and not (lexicon and any(map(lexicon.is_name_only, end.split())))
        )

    def _halves(
        self, runs: Iterable[TypingRun], fields: SessionFields, index: ValueIndex
    ) -> dict[str, tuple[int, str]]:
        """Folded texts that a field held while a value was being typed → (start, entity).

        Suggestions are asked for, and snapshots taken, while a value is only half there.
        """
        halves: dict[str, tuple[int, str]] = {}
        for run in runs:
            entity = fields.of_target(run.target, run.url, run.tab)
            for text, _ in run.readings():
                if len(text) > MAX_PARTIAL_CHARS:
                    continue
                if entity is not None:
                    hits = [Span(0, len(text), entity, "field")]
                else:
                    hits = merged(self.finder.find(text, "key") + index.find(text))
                low = folded(text)
                for hit in hits:
                    for end in range(max(hit.start + 1, MIN_CHARS), hit.end):
                        halves.setdefault(low[:end], (hit.start, hit.entity))
        return halves

    def _step(
        self,
        step,
        fields: SessionFields,
        masked_of: Mapping[str, MaskedRun],
        left: set[str],
        redactor: Redactor,
    ):
        ids = step.action.raw_event_ids
        runs = [masked_of[i] for i in ids if i in masked_of]
        kept: dict[str, None] = {}
        for event_id in ids:
            if event_id in left:
                kept[event_id] = None
        entity = fields.of_target(step.action.target, step.action.url, step.action.tab)
        text = step.action.text
        if entity is None and runs and not (text and redactor.spans(text, "key", halves=True)):
            # Only a part of a value was typed in this action: nothing to see in its text alone.
            entity = runs[0].entity
        return walk.walk_step(step, fields, entity, tuple(kept), redactor)


def _trace_of(work: SessionWork) -> Trace:
    if work.trace is None:
        raise ValueError("the session has not been read")
    return work.trace


def _stripped(event: Event) -> Event:
    """The first event of a masked run without anything that was typed."""
    return msgspec.structs.replace(
        event,
        type="input",
        key=None,
        code=None,
        modifiers=(),
        text=None,
        value=None,
        additional_info={},
        extra={},
    )


def _masked(event: Event, run: MaskedRun, redactor: Redactor) -> Event:
    """What is published of a masked run: that something was put in, and what stands for it."""
    entity = entity_of_value(run.value, run.entity)
    redactor.counts[entity] += 1
    return msgspec.structs.replace(
        event,
        text=redactor.replacer.replacement(run.value, entity),
        flags=(*event.flags, "masked_run"),
    )
