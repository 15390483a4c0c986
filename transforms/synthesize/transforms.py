"""PTransforms of the synthesise stage: SynthesizeExamples and ValidateExamples."""

from __future__ import annotations

import dataclasses
from typing import Any

import apache_beam as beam
import msgspec

from schemas.catalogue import Catalogue
from schemas.examples import Example
from schemas.outcomes import Failure
from schemas.work import ResultWork
from transforms.places import messages_path
from transforms.stage import SessionDoFn
from transforms.synthesize.examples import SynthesisSettings, synthesize_examples
from transforms.synthesize.messages import messages_lines
from transforms.synthesize.targets import ImageSource, render_checked, target_named


class _SynthesizeExamples(SessionDoFn):
    stage = "SynthesizeExamples"

    def __init__(self, settings: SynthesisSettings, catalogue: Catalogue, fail_fast: bool):
        super().__init__(fail_fast)
        self.settings, self.catalogue = settings, catalogue

    def setup(self) -> None:
        self.suites = {s.id: s for s in self.catalogue.suites}

    def apply(self, work: ResultWork) -> ResultWork:
        if work.prepared.failed:
            return work
        examples, failures, dropped = synthesize_examples(
            work.prepared,
            self.suites.get(work.suite_id or ""),
            work.segments,
            work.classifications,
            self.catalogue,
            self.settings,
            work.requests,
            work.spent,
        )
        return msgspec.structs.replace(
            work,
            examples=examples,
            failures=(*work.failures, *failures),
            dropped=(*work.dropped, *dropped),
        )

    def size_in(self, work: ResultWork) -> int:
        return len(work.classifications)

    def size_out(self, work: ResultWork) -> int:
        return len(work.examples)


@dataclasses.dataclass
class SynthesizeExamples(beam.PTransform):
    """Makes one Example per task, model configuration and ActionToolMap."""

    settings: SynthesisSettings
    catalogue: Catalogue
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """ResultWork with classifications → with examples."""
        return sessions | "SynthesizeSession" >> beam.ParDo(
            _SynthesizeExamples(self.settings, self.catalogue, self.fail_fast)
        ).with_output_types(ResultWork)


class _ValidateExamples(SessionDoFn):
    stage = "ValidateExamples"

    def __init__(
        self,
        settings: SynthesisSettings,
        targets: tuple[str, ...],
        images: ImageSource,
        fail_fast: bool,
    ):
        super().__init__(fail_fast)
        self.settings, self.images = settings, images
        self.targets = {name: target_named(name, settings.images) for name in targets}

    def apply(self, work: ResultWork) -> ResultWork:
        training: dict[str, list[bytes]] = {t: [] for t in self.targets}
        files: dict[str, bytes] = {}
        failures: list[Failure] = []
        examples = []
        for example in work.examples:
            made, faults = self.validate(example, training)
            failures += faults
            if made.status == "COMPLETED":
                lines = [
                    line
                    for conversation in made.conversations
                    for line in messages_lines(conversation, self.settings.nested_tool_calls)
                ]
                path = messages_path(made.id)
                files[path] = b"".join(line + b"\n" for line in lines)
                made = msgspec.structs.replace(made, example_path=path, storage_path=path)
            examples.append(msgspec.structs.replace(made, conversations=()))
        return msgspec.structs.replace(
            work,
            examples=tuple(examples),
            training={t: tuple(lines) for t, lines in training.items()},
            files=files,
            failures=(*work.failures, *failures),
        )

    def validate(
        self, example: Example, training: dict[str, list[bytes]]
    ) -> tuple[Example, list[Failure]]:
        """Adds the example's rows to every target, or to none: a half-written one is no example."""
        rows: list[tuple[str, bytes]] = []
        for conversation in example.conversations:
            for name, target in self.targets.items():
                row = render_checked(conversation, target, self.images)
                if isinstance(row, Failure):
                    failed = msgspec.structs.replace(
                        example, status="FAILED", error_code=row.code, conversations=()
                    )
                    return failed, [row]
                rows.append((name, row))
        for name, row in rows:
            training[name].append(row)
        return example, []

    def size_in(self, work: ResultWork) -> int:
        return len(work.examples)

    def size_out(self, work: ResultWork) -> int:
        return sum(e.status == "COMPLETED" for e in work.examples)


@dataclasses.dataclass
class ValidateExamples(beam.PTransform):
    """Renders each example in every target and checks it against that target's real rules."""

    settings: SynthesisSettings
    targets: tuple[str, ...]
    images: ImageSource
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """ResultWork with examples → with rows that passed."""
        return sessions | "ValidateSession" >> beam.ParDo(
            _ValidateExamples(self.settings, self.targets, self.images, self.fail_fast)
        ).with_output_types(ResultWork)
