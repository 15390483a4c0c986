"""One session through the model: every segment under every model configuration, many at a time.

What ``AsyncWindow`` keeps under way. A session's segments are asked for together; those that a
person has answered too: their replies are in the cache, and the answer is a label for them.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence

import msgspec

from schemas.catalogue import Catalogue, Suite
from schemas.classifications import Classification
from schemas.outcomes import is_volatile
from schemas.trajectories import PreparedSession
from schemas.work import ResultWork
from transforms import storage
from transforms.classify.model.annotate import Annotator
from transforms.classify.model.classifier import ModelClassifier
from transforms.classify.model.replies import ASKED
from transforms.classify.model.settings import ModelSettings
from transforms.classify.model.wording import RequestWriter, Worded, wants_wording
from transforms.classify.review import Answer, Answers, settled
from transforms.classify.session import outcomes, segment_contexts
from transforms.places import frame_path


class ModelStage(msgspec.Struct, frozen=True, kw_only=True):
    """What ``ClassifySegments`` must know to use a model; travels to the workers."""

    models: tuple[ModelSettings, ...]
    """One per model configuration."""
    catalogue: Catalogue
    output: str
    """Where published frames lie."""
    min_confidence: float
    answers: Answers
    annotate: bool = False


class ClassifySessions:
    """The asynchronous twin of classifying one session; made on the worker."""

    def __init__(self, stage: ModelStage):
        load = functools.partial(_load_frame, stage.output)
        self.stage = stage
        self.classifiers = [ModelClassifier(m, load) for m in stage.models]
        self.writers = [RequestWriter(m) for m in stage.models]
        self.annotator = Annotator(stage.models[0]) if stage.annotate else None
        self.suites = {s.id: s for s in stage.catalogue.suites}

    async def __call__(self, work: ResultWork) -> ResultWork:
        """Returns the session with its classifications, and thoughts where they are asked for."""
        asked: set[str] = set()
        ASKED.set(asked)  # each session is a task of its own, with a context of its own
        suite = self.suites[work.suite_id or ""]
        answers = self.stage.answers.get(work.prepared.session.id, {})
        made = await asyncio.gather(
            *(
                self._classify(number, classifier, work, suite, answers)
                for number, classifier in enumerate(self.classifiers)
            )
        )
        found = tuple(c for part in made for c in part)
        failures, _ = outcomes(work.prepared, found)  # noise is dropped where examples are made
        worded = await self._requests(work.prepared, suite, made)
        lost = {said.reason for _, _, said in worded if said.request is None}
        spent = [(task, number, said.usage) for task, number, said in worded]
        thoughts: dict[int, str] = {}
        prepared = work.prepared
        if self.annotator is not None:
            said = await self.annotator.annotate(prepared)
            thoughts, lost = said.thoughts, lost | set(said.rejected)
            spent.append((min((s.task for s in prepared.steps), default=0), 0, said.usage))
            prepared = with_thoughts(prepared, thoughts)
        return msgspec.structs.replace(
            work,
            prepared=prepared,
            classifications=found,
            thoughts=tuple(sorted(thoughts.items())),
            requests=tuple((t, n, said.request) for t, n, said in worded if said.request),
            spent=tuple(spent),
            unfinished=any(map(is_volatile, lost)),
            replies=tuple(sorted(asked)),
            failures=(*work.failures, *failures),
        )

    async def _classify(
        self,
        number: int,
        classifier: ModelClassifier,
        work: ResultWork,
        suite: Suite,
        answers: Mapping[str, Answer],
    ) -> list[Classification]:
        contexts = segment_contexts(work.prepared, suite, work.segments)
        made = []
        for said in await classifier.classify_all(contexts):
            found = msgspec.structs.replace(said, configuration=number)
            answer = answers.get(found.segment.id)
            made.append(settled(found, answer, suite, self.stage.min_confidence))
        return made

    async def _requests(
        self, prepared: PreparedSession, suite: Suite, made: Sequence[Sequence[Classification]]
    ) -> list[tuple[int, int, Worded]]:
        """Words the request of each whole task that no description speaks for.

        Returns (task, configuration, request or why there is none).
        """
        tasks = sorted({s.task for s in prepared.steps})
        if (prepared.session.description or "").strip() and len(tasks) == 1:
            return []
        wanted = [
            (task, number, own)
            for number, found in enumerate(made)
            for task in tasks
            if wants_wording(own := [c for c in found if c.segment.task == task])
        ]
        worded = await asyncio.gather(
            *(
                self.writers[number].write(suite, [c for c in own if c.status == "accepted"])
                for _, number, own in wanted
            )
        )
        return [(task, number, said) for (task, number, _), said in zip(wanted, worded)]

    def take_counts(self) -> dict[str, int]:
        """Returns what the endpoints counted since the last call."""
        counts: dict[str, int] = {}
        for endpoint in {id(c.endpoint): c.endpoint for c in self.classifiers}.values():
            for name, number in endpoint.take_counts().items():
                counts[name] = counts.get(name, 0) + number
        return counts


def with_thoughts(prepared: PreparedSession, thoughts: Mapping[int, str]) -> PreparedSession:
    """Returns the session with thoughts in the steps that had none."""
    steps = tuple(
        msgspec.structs.replace(step, thought=thoughts[i])
        if i in thoughts and not step.thought
        else step
        for i, step in enumerate(prepared.steps)
    )
    return msgspec.structs.replace(prepared, steps=steps)


def _load_frame(output: str, frame: str) -> bytes:
    return storage.read_bytes(storage.join(output, frame_path(frame)))
