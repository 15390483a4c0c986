"""PTransforms of the normalise stage: NormalizeEvents and MatchObservations."""

from __future__ import annotations

import dataclasses
from typing import Any

import apache_beam as beam
import msgspec

from schemas.work import SessionWork
from transforms.normalize.coalesce import normalize_events
from transforms.normalize.match import MatchSettings
from transforms.normalize.observe import observe
from transforms.stage import SessionDoFn


class _NormalizeEvents(SessionDoFn):
    stage = "NormalizeEvents"

    def apply(self, work: SessionWork) -> SessionWork:
        made = normalize_events(work.trace)
        return msgspec.structs.replace(
            work,
            actions=made.actions,
            dispositions=made.dispositions,
            ledger=made.ledger,
            counts={**work.counts, **made.counts},
        )

    def size_in(self, work: SessionWork) -> int:
        return len(work.trace.events)

    def size_out(self, work: SessionWork) -> int:
        return len(work.actions)

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        return {f"dropped_{reason}": n for reason, n in work.ledger.dropped.items()}


@dataclasses.dataclass
class NormalizeEvents(beam.PTransform):
    """Turns each session's raw events into actions."""

    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with a trace → with actions and a balanced ledger."""
        return sessions | "NormalizeTrace" >> beam.ParDo(
            _NormalizeEvents(self.fail_fast)
        ).with_output_types(SessionWork)


class _MatchObservations(SessionDoFn):
    stage = "MatchObservations"

    def __init__(self, settings: MatchSettings, fail_fast: bool):
        super().__init__(fail_fast)
        self.settings = settings

    def apply(self, work: SessionWork) -> SessionWork:
        steps, dropped = observe(work, self.settings)
        return msgspec.structs.replace(work, steps=steps, dropped=(*work.dropped, *dropped))

    def size_in(self, work: SessionWork) -> int:
        return len(work.actions)

    def size_out(self, work: SessionWork) -> int:
        return len(work.steps)

    def decisions(self, work: SessionWork) -> dict[str, Any]:
        seen = [s.observation for s in work.steps]
        return {
            "without_frame": sum(o.frame is None for o in seen),
            "without_dom": sum(o.dom is None for o in seen),
            "stale": sum(o.stale for o in seen),
        }


@dataclasses.dataclass
class MatchObservations(beam.PTransform):
    """Gives each action what was to be seen strictly before it, and grounds it in an element."""

    settings: MatchSettings
    fail_fast: bool = False

    def expand(self, sessions: Any) -> Any:
        """SessionWork with actions → with steps."""
        return sessions | "MatchTrace" >> beam.ParDo(
            _MatchObservations(self.settings, self.fail_fast)
        ).with_output_types(SessionWork)
