"""Conversation assembly: one Example per (task, model configuration, map) of a session."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from schemas.catalogue import ActionToolMap, Catalogue, Suite
from schemas.classifications import Classification, Segment, Usage
from schemas.examples import Conversation, Example, ToolCall, Turn
from schemas.outcomes import Dropped, Failure
from schemas.trajectories import PreparedSession
from transforms.keys import derived_uuid
from transforms.synthesize.control_tokens import neutralise
from transforms.synthesize.mapping import STAGE, call_for, tool_schemas, unmapped_parameters
from transforms.synthesize.wording import system_text, templated_request

PARTIAL_EXAMPLES = ("wait", "split")
IMAGE_FORMS = ("reference", "data_url", "none")


@dataclasses.dataclass(frozen=True)
class SynthesisSettings:
    """What decides which Examples are made of classifications, and what they hold."""

    maps: tuple[str, ...] = ()
    """Ids or names of ActionToolMaps; empty: all of the Suite."""
    partial_examples: str = "wait"
    """``wait``: one segment in review holds the Example back. ``split``: the conversation ends
    before it and a new one starts after it."""
    code_version: str = ""
    prompt_version: str = ""
    images: str = "reference"
    """``reference`` (a published frame's path), ``data_url`` or ``none``."""
    nested_tool_calls: bool = True
    """Tracepipe's nested tool calls in messages.jsonl; False: the flat form."""
    schema_version: str = "1"
    configurations: tuple[dict[str, Any], ...] = ({},)
    """Model configurations of the run; ``Classification.configuration`` is an index into it."""
    max_images: int = 10
    """Pictures per conversation (OpenAI's limit for fine-tuning)."""

    def __post_init__(self) -> None:
        for name, allowed in (("partial_examples", PARTIAL_EXAMPLES), ("images", IMAGE_FORMS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r}; allowed: {', '.join(allowed)}")
        if self.max_images < 0:
            raise ValueError(f"max_images: {self.max_images}; it cannot be negative")


def synthesize_examples(
    prepared: PreparedSession,
    suite: Suite | None,
    segments: Sequence[Segment],
    classifications: Sequence[Classification],
    catalogue: Catalogue,
    settings: SynthesisSettings,
    requests: Sequence[tuple[int, int, str]] = (),
    spent: Sequence[tuple[int, int, Usage]] = (),
) -> tuple[tuple[Example, ...], tuple[Failure, ...], tuple[Dropped, ...]]:
    """Returns the session's Examples, ordered by (task, configuration, map), failures and drops.

    A session without a Suite gives nothing: it has failed (``unknown_suite``) before. Noise
    (``none``) is dropped and never blocks; a segment in review or failed makes the Example
    PENDING; an action the map doesn't know makes it FAILED; a task with noise only makes none.
    ``requests`` are what a model worded, by (task, configuration), where no description speaks;
    ``spent`` is what that, and thoughts, cost. ``example_path`` and ``storage_path`` stay empty
    until an Example has passed its targets.
    """
    if suite is None:
        return (), (), ()
    examples: list[Example] = []
    failures: list[Failure] = []
    dropped: list[Dropped] = []
    worded = {(task, configuration): text for task, configuration, text in requests}
    maps = _chosen_maps(suite, catalogue, settings.maps)
    tasks = sorted({s.task for s in prepared.steps} | {s.task for s in segments}) or [0]
    for task in tasks:
        for index in range(len(settings.configurations)):
            found = _of_task(classifications, task, index)
            dropped += [
                Dropped(kind="segment", record=c.segment.id, reason="no_canonical_action")
                for c in found
                if c.status == "none"
            ]
            for tool_map in maps:
                synthesis = _Synthesis(
                    prepared=prepared,
                    suite=suite,
                    tool_map=tool_map,
                    catalogue=catalogue,
                    settings=settings,
                    task=task,
                    only_task=len(tasks) == 1,
                    configuration=index,
                    model=next((c for c in classifications if c.configuration == index), None),
                    segments=tuple(s for s in segments if s.task == task),
                    found=found,
                    worded=worded.get((task, index)),
                    spent=tuple(usage for t, n, usage in spent if (t, n) == (task, index)),
                )
                example, faults, drops = synthesis.example()
                examples += [example] if example else []
                failures += faults
                dropped += drops
    return tuple(examples), tuple(failures), tuple(dropped)


def _chosen_maps(
    suite: Suite, catalogue: Catalogue, wanted: Sequence[str]
) -> list[ActionToolMap | None]:
    """The Suite's maps, or [None] when there is none to use."""
    maps: list[ActionToolMap | None] = [
        m
        for m in catalogue.action_tool_maps
        if m.suite_id == suite.id and (not wanted or m.id in wanted or m.name in wanted)
    ]
    return maps or [None]


def _of_task(
    classifications: Sequence[Classification], task: int, configuration: int
) -> tuple[Classification, ...]:
    mine = [
        c for c in classifications if c.segment.task == task and c.configuration == configuration
    ]
    return tuple(sorted(mine, key=lambda c: c.segment.step_indices))


@dataclasses.dataclass(frozen=True)
class _Synthesis:
    """The making of one Example."""

    prepared: PreparedSession
    suite: Suite
    tool_map: ActionToolMap | None
    catalogue: Catalogue
    settings: SynthesisSettings
    task: int
    only_task: bool
    configuration: int
    model: Classification | None
    segments: tuple[Segment, ...]
    found: tuple[Classification, ...]
    worded: str | None = None
    """The request as a model worded it, for the whole task."""
    spent: tuple[Usage, ...] = ()

    @property
    def id(self) -> str:
        """uuid5 over all that makes an Example another one; never the target."""
        configuration = self.settings.configurations[self.configuration]
        return derived_uuid(
            "example",
            self.prepared.session.id,
            str(self.task),
            self.model.model_id if self.model else "",
            msgspec.json.encode(configuration, order="sorted").decode(),
            self.tool_map.id if self.tool_map else "",
            self.settings.schema_version,
        )

    def example(self) -> tuple[Example | None, list[Failure], list[Dropped]]:
        """The Example, or None when the task holds no action; failures and drops beside it."""
        classified = {c.segment.id for c in self.found}
        unclassified = [s for s in self.segments if s.id not in classified]
        if not unclassified and all(c.status == "none" for c in self.found):
            return None, [], [Dropped(kind="example", record=self.id, reason="no_action")]
        if self.tool_map is None:
            failure = self._failure(
                "no_action_tool_map", f"no ActionToolMap was chosen for '{self.suite.name}'"
            )
            return self._record("FAILED", error_code=failure.code), [failure], []
        runs, reasons, failures, dropped = self._calls(unclassified)
        if failures:
            record = self._record("FAILED", error_code=failures[0].code, review_reasons=reasons)
            return record, failures, dropped
        waits = bool(reasons) and self.settings.partial_examples == "wait"
        if waits or not runs:
            return self._record("PENDING", review_reasons=reasons), [], dropped
        conversations = []
        request_source = "template"
        for number, run in enumerate(runs, 1):
            request, request_source = self._request(run, whole=not reasons)
            conversation, unseen = self._conversation(run, number if reasons else 0, request)
            conversations.append(conversation)
            dropped += unseen
        record = self._record(
            "COMPLETED",
            review_reasons=reasons,
            request_source=request_source,
            conversations=tuple(conversations),
        )
        return record, [], dropped

    def _calls(
        self, unclassified: Sequence[Segment]
    ) -> tuple[
        list[list[tuple[Classification, ToolCall]]], tuple[str, ...], list[Failure], list[Dropped]
    ]:
        """Maps accepted segments; runs of them end where a segment has to wait."""
        assert self.tool_map is not None
        runs: list[list[tuple[Classification, ToolCall]]] = [[]]
        reasons: list[str] = []
        failures: list[Failure] = []
        dropped: list[Dropped] = []
        waiting = {s.id: s for s in unclassified}
        entries: list[tuple[tuple[int, ...], Classification | None]] = [
            (c.segment.step_indices, c) for c in self.found if c.status != "none"
        ]
        entries += [(s.step_indices, None) for s in waiting.values()]
        for _, c in sorted(entries, key=lambda entry: entry[0]):
            if c is None or c.status != "accepted":
                reasons += ["unclassified"] if c is None else c.reasons or [c.status]
                runs.append([])
                continue
            call = call_for(
                c,
                self.suite,
                self.tool_map,
                self.catalogue,
                example_id=self.id,
                session_id=self.prepared.session.id,
            )
            if isinstance(call, ToolCall):
                runs[-1].append((c, call))
                dropped += [
                    Dropped(
                        kind="parameter",
                        record=f"{self.id}/{c.segment.id}/{name}",
                        reason="unmapped_parameter",
                    )
                    for name in unmapped_parameters(c, self.suite, self.tool_map, self.catalogue)
                ]
            elif call.code == "redacted_parameter":
                reasons.append(call.code)
                runs.append([])
            else:
                failures.append(call)
        return [r for r in runs if r], tuple(dict.fromkeys(reasons)), failures, dropped

    def _request(
        self, run: Sequence[tuple[Classification, ToolCall]], whole: bool
    ) -> tuple[str, str]:
        """The request and its source. A description speaks for the whole session only.

        What a model worded speaks for the whole task; a template for any run of it.
        """
        description = (self.prepared.session.description or "").strip()
        if description and whole and self.only_task:
            return description, "description"
        if self.worded and whole:
            return self.worded, "model"
        return templated_request(self.suite, [c for c, _ in run]), "template"

    def _conversation(
        self, run: Sequence[tuple[Classification, ToolCall]], part: int, request: str
    ) -> tuple[Conversation, list[Dropped]]:
        assert self.tool_map is not None
        turns, dropped = self._within_budget([self._turn(c, call) for c, call in run])
        conversation = Conversation(
            example_id=self.id,
            part=part,
            session_id=self.prepared.session.id,
            system=neutralise(system_text(self.suite)),
            request=neutralise(request),
            turns=tuple(turns),
            tools=tool_schemas(self.tool_map, self.catalogue),
        )
        return conversation, dropped

    def _turn(self, c: Classification, call: ToolCall) -> Turn:
        steps = [self.prepared.steps[i] for i in c.segment.step_indices]
        seen = steps[0].observation
        # Only the first step's thought was thought before the call; later ones know its outcome.
        thought = (steps[0].thought or "").strip()
        return Turn(
            call=call,
            segment_id=c.segment.id,
            action=c.action or "",
            frame=seen.frame,
            frame_size=seen.frame_size,
            window=seen.active_window,
            url=seen.url,
            thought=neutralise(thought) or None,
            raw_event_ids=tuple(dict.fromkeys(e for s in steps for e in s.action.raw_event_ids)),
            steps=c.segment.step_indices,
        )

    def _within_budget(self, turns: Sequence[Turn]) -> tuple[list[Turn], list[Dropped]]:
        """Leaves out pictures: stale ones, those already in view, and the earliest over budget."""
        if self.settings.images == "none":
            return [_without_picture(t) for t in turns], []
        kept: list[Turn] = []
        dropped: list[Dropped] = []
        in_view: str | None = None
        for turn in turns:
            if turn.frame and self.prepared.steps[turn.steps[0]].observation.stale:
                dropped.append(self._picture(turn.frame, "stale"))
                turn = _without_picture(turn)
            elif turn.frame and turn.frame == in_view:
                turn = _without_picture(turn)
            in_view = turn.frame or in_view
            kept.append(turn)
        pictured = [i for i, t in enumerate(kept) if t.frame]
        for i in pictured[: max(0, len(pictured) - self.settings.max_images)]:
            dropped.append(self._picture(kept[i].frame or "", "image_budget"))
            kept[i] = _without_picture(kept[i])
        return kept, dropped

    def _picture(self, frame: str, reason: str) -> Dropped:
        return Dropped(kind="picture", record=f"{self.id}/{frame}", reason=reason)

    def _failure(self, code: str, message: str) -> Failure:
        return Failure(session_id=self.prepared.session.id, stage=STAGE, code=code, message=message)

    def _record(
        self,
        status: str,
        *,
        review_reasons: tuple[str, ...] = (),
        error_code: str | None = None,
        request_source: str | None = None,
        conversations: tuple[Conversation, ...] = (),
    ) -> Example:
        segments = list(self._segments(conversations))
        steps = [self.prepared.steps[i] for s in segments for i in s.step_indices]
        used = {s.id for s in segments}
        confidences = [
            c.confidence for c in self.found if c.segment.id in used and c.confidence is not None
        ]
        return Example(
            id=self.id,
            session_id=self.prepared.session.id,
            task=self.task,
            suite_id=self.suite.id,
            model_id=self.model.model_id if self.model else "",
            model=self.model.model if self.model else "",
            action_tool_map_id=self.tool_map.id if self.tool_map else None,
            model_configuration=self.settings.configurations[self.configuration],
            status=status,
            request_source=request_source,
            review_reasons=review_reasons,
            error_code=error_code,
            confidence=min(confidences, default=None),
            usage=sum((c.usage for c in self.found), start=sum(self.spent, start=Usage())),
            code_version=self.settings.code_version,
            prompt_version=self.settings.prompt_version,
            segment_ids=tuple(s.id for s in segments),
            raw_event_ids=tuple(dict.fromkeys(e for s in steps for e in s.action.raw_event_ids)),
            frame_ids=tuple(
                dict.fromkeys(s.observation.frame for s in steps if s.observation.frame)
            ),
            conversations=conversations,
        )

    def _segments(self, conversations: Sequence[Conversation]) -> Iterator[Segment]:
        """The segments an Example stands for: those it teaches, or all but noise when it waits."""
        taught = {t.segment_id for c in conversations for t in c.turns}
        noise = {c.segment.id for c in self.found if c.status == "none"}
        mine = {s.id: s for s in (*self.segments, *(c.segment for c in self.found))}
        for segment in sorted(mine.values(), key=lambda s: s.step_indices):
            if segment.id in taught if conversations else segment.id not in noise:
                yield segment


def _without_picture(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, frame=None, frame_size=None)
