"""``tracemill evaluate --fit``: from labels to a calibration file.

Labels are a truth file's sessions, and what people answered in ``review/answers.jsonl``. They are
compared with what the classifier itself said, in its raw confidence, so that an output that was
calibrated, or reviewed, gives labels as well as a fresh one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.agreement import judged
from pipeline.dataset import read_table
from pipeline.evaluate import prediction, read_event_lines, read_labelled
from pipeline.options import UsageError
from pipeline.settings import load_answers
from transforms import storage
from transforms.classify.calibration import (
    Calibration,
    CalibrationFile,
    Fitted,
    expected_calibration_error,
    fit,
    group_of,
)
from transforms.classify.review import AnswerError

FILE_VERSION = 1


class Label(NamedTuple):
    """One thing that a classifier said, and whether it was right."""

    confidence: float
    group: str
    right: bool


def labels(output: str, truth: str | None) -> dict[tuple[str, str], list[Label]]:
    """Returns (model, JSON of its configuration) → labels, in the order of the table."""
    rows = [
        row
        for row in read_table(output, "classifications").to_pylist()
        if row.get("said_action") is not None and row.get("said_confidence") is not None
    ]
    right: dict[tuple[str, str, str, str], bool] = {}
    if truth is not None:
        labelled = read_labelled(output, truth)
        events = read_event_lines(output, {t.session_id for t in labelled})
        for name in dict.fromkeys(_name(row) for row in rows):
            said = [
                msgspec.structs.replace(prediction(row), action=row["said_action"], status="review")
                for row in rows
                if _name(row) == name
            ]
            for p, is_right in judged(said, labelled, events):
                right[*name, p.session_id, p.segment_id] = is_right
    try:
        answers = load_answers(output)
    except AnswerError as error:
        raise UsageError(str(error)) from None
    found: dict[tuple[str, str], list[Label]] = {}
    for row in rows:
        name, place = _name(row), (row["session_id"], row["segment_id"])
        answer = answers.get(place[0], {}).get(place[1])
        if answer is not None:
            is_right = answer.action == row["said_action"]
        elif (*name, *place) in right:
            is_right = right[*name, *place]
        else:
            continue
        group = group_of(row["said_action"], row["said_source"])
        found.setdefault(name, []).append(Label(row["said_confidence"], group, is_right))
    return found


def _name(row: dict[str, Any]) -> tuple[str, str]:
    return row["model"], row["model_configuration"]


def fit_file(output: str, truth: str | None, path: str) -> list[str]:
    """Writes the calibration of every model configuration of an output; returns lines that say how.

    Raises UsageError where there is no label at all.
    """
    fitted: list[Fitted] = []
    said: list[str] = []
    for (model, configuration), own in sorted(labels(output, truth).items()):
        calibration = fit(
            [x.confidence for x in own], [x.right for x in own], [x.group for x in own]
        )
        fitted.append(
            Fitted(
                model=model, model_configuration=json.loads(configuration), calibration=calibration
            )
        )
        before, after = _errors(own, calibration)
        said.append(
            f"{model} {configuration}: {calibration.kind}, {len(own)} labels, "
            f"{sum(x.right for x in own)} right; calibration error on these labels "
            f"{before:.3f} before, {after:.3f} after"
        )
    if not fitted:
        raise UsageError(
            f"{output}: no labels; give --truth FILE, or answers in {output}/review/answers.jsonl"
        )
    file = CalibrationFile(version=FILE_VERSION, fitted=tuple(fitted))
    data = msgspec.json.format(msgspec.json.encode(file, order="sorted"), indent=1)
    storage.write_bytes(path, data + b"\n")
    return [*said, f"{path}: give it to the next run as --calibration"]


def _errors(own: Sequence[Label], calibration: Calibration) -> tuple[float, float]:
    right = [x.right for x in own]
    before = expected_calibration_error([x.confidence for x in own], right)
    applied = [calibration.apply(x.confidence, x.group) for x in own]
    return before, expected_calibration_error(applied, right)
