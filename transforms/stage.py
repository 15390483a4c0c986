"""The one way a session passes a stage: failures end it, exceptions become failures.

A stage is a DoFn whose :meth:`SessionDoFn.apply` calls one plain function. Elements are
``SessionWork`` or ``ResultWork``; both know whether they have failed and carry their audit rows.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics

import schemas.coders  # noqa: F401  (a worker that loads a stage knows our coders)
from schemas.outcomes import Audit, Failure
from transforms.storage import is_storage_fault

_PROJECT = Path(__file__).resolve().parent.parent


def count(stage: str, name: str, n: int = 1) -> None:
    """Adds to the Beam counter ``<stage>/<name>`` (for eyes; the ledger does not rely on it)."""
    Metrics.counter(stage, name).inc(n)


def internal_failure(session_id: str, stage: str, error: BaseException) -> Failure:
    """Describes an unexpected exception: its type and our own file and line, nothing it says.

    Its message and locals may hold recorded text, so neither is kept.
    """
    place = "?"
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_PROJECT) and ".venv" not in path.parts:
            place, line = str(path.relative_to(_PROJECT)), frame.lineno
    return Failure(
        session_id=session_id,
        stage=stage,
        code="internal_error",
        message=f"{type(error).__name__} in {place}",
        file=place,
        line=line,
        fatal=True,
    )


class SessionDoFn(beam.DoFn):
    """Base of the stages between two checkpoints."""

    stage = ""

    def __init__(self, fail_fast: bool = False):
        self.fail_fast = fail_fast

    def apply(self, work: Any) -> Any:
        """Returns the session with this stage's part filled in."""
        raise NotImplementedError

    def size_in(self, work: Any) -> int:
        """Returns the number of records this stage is given."""
        raise NotImplementedError

    def size_out(self, work: Any) -> int:
        """Returns the number of records this stage made."""
        raise NotImplementedError

    def decisions(self, work: Any) -> dict[str, Any]:
        """Returns counts worth a line in the audit log; never values."""
        return {}

    def session_id(self, work: Any) -> str:
        """Returns the id to name in failures."""
        return work.ref.session_id if hasattr(work, "ref") else work.receipt.session_id

    def process(self, work: Any) -> Iterator[Any]:
        """Applies the stage to one session."""
        if work.failed:
            yield work
            return
        started = time.perf_counter()
        try:
            made = self.apply(work)
        except Exception as error:
            made = self.failed_work(work, error)
        yield self.audited(work, made, time.perf_counter() - started)

    def failed_work(self, work: Any, error: Exception) -> Any:
        """Returns the session with an internal failure.

        Raises under ``fail_fast``, and when storage failed, which is no session's fault.
        """
        if self.fail_fast or is_storage_fault(error):
            raise error
        failure = internal_failure(self.session_id(work), self.stage, error)
        return msgspec.structs.replace(work, failures=(*work.failures, failure))

    def audited(self, work: Any, made: Any, seconds: float) -> Any:
        """Returns the session with this stage's audit row."""
        dropped: dict[str, int] = {}
        for d in made.dropped[len(work.dropped) :]:
            dropped[f"{d.kind}/{d.reason}"] = dropped.get(f"{d.kind}/{d.reason}", 0) + 1
        ok = made.failed is None
        row = Audit(
            session_id="",
            stage=self.stage,
            records_in=self.size_in(work),
            records_out=self.size_out(made) if ok else 0,
            failed=len(made.failures) - len(work.failures),
            dropped=dropped,
            decisions=self.decisions(made) if ok else {},
            duration_ms=round(seconds * 1000, 3),
        )
        return msgspec.structs.replace(made, audit=(*made.audit, row))
