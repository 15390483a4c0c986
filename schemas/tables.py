"""Rows of the published tables; Arrow and Avro schemas are derived from these Structs.

Column names are a contract with other programs (add, never rename).
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Any

import msgspec


class SessionRow(msgspec.Struct, kw_only=True):
    """One row per session, FAILED ones too."""

    session_id: str
    user_id: str | None
    suite_id: str | None
    suite: str | None
    description: str | None
    storage_path: str | None
    events: int
    frames: int
    status: str
    error_code: str | None
    created_at: str | None = None
    steps: int = 0
    kept: int = 0
    merged: int = 0
    dropped: int = 0
    failed_lines: int = 0


class EventRow(msgspec.Struct, kw_only=True):
    """One row per raw event: validated, scrubbed, with its disposition."""

    session_id: str
    event_id: str
    type: str
    timestamp_us: int
    tab: str | None
    url: str | None
    window: str | None
    target: str | None
    """JSON."""
    payload: str | None
    """JSON of the remaining fields."""
    disposition: str
    reason: str | None


class ActionRow(msgspec.Struct, kw_only=True):
    """One row per normalised action."""

    session_id: str
    action_index: int
    type: str
    start_us: int
    end_us: int
    x: float | None
    y: float | None
    x_rel: float | None
    y_rel: float | None
    text: str | None
    keys: list[str]
    delta_x: float | None
    delta_y: float | None
    path: list[list[float]]
    element: str | None
    """JSON {role, name, bounds, offset …}."""
    raw_event_ids: list[str]
    frame_id: str | None
    frame_timestamp_us: int | None
    tab: str | None
    url: str | None
    window: str | None
    flags: list[str]


class ObservationCell(msgspec.Struct, kw_only=True):
    """ALIEN's observation."""

    screenshot_path: str | None
    dom_tree: str | None
    active_window: str | None


class ActionCell(msgspec.Struct, kw_only=True):
    """ALIEN's action."""

    type: str
    coordinates: list[float] | None
    element_id: str | None


class StepRow(msgspec.Struct, kw_only=True):
    """ALIEN's trajectory step."""

    task_id: str
    step_id: int
    timestamp: int
    observation: ObservationCell
    thought_trace: str | None
    action: ActionCell
    session_id: str
    stale: bool


class ClassificationRow(msgspec.Struct, kw_only=True):
    """One row per segment and model configuration."""

    session_id: str
    segment_id: str
    first_event_id: str
    last_event_id: str
    action: str | None
    parameters: str
    evidence: str
    confidence: float | None
    confidence_source: str
    calibrated: bool
    status: str
    model: str
    model_configuration: str
    usage: str
    suite: str | None
    reasons: list[str]
    candidates: str
    raw_event_ids: list[str]
    said_action: str | None = None
    said_confidence: float | None = None
    said_source: str = "none"


class ExampleRow(msgspec.Struct, kw_only=True):
    """The Example record."""

    id: str
    session_id: str
    model_id: str
    action_tool_map_id: str | None
    model_configuration: str
    storage_path: str | None
    status: str
    task: int
    example_path: str | None
    request_source: str | None
    review_reasons: list[str]
    code_version: str
    prompt_version: str
    error_code: str | None
    confidence: float | None
    suite_id: str | None
    model: str
    segment_ids: list[str]
    raw_event_ids: list[str]
    frame_ids: list[str]
    usage: str = "{}"
    """JSON: calls, tokens and USD, as when they were paid, cached or not."""


class FailureRow(msgspec.Struct, kw_only=True):
    """A dead letter; never the raw text."""

    session_id: str
    stage: str
    code: str
    message: str
    file: str | None
    line: int | None
    column: int | None
    length: int | None
    shape: str | None


class AuditRow(msgspec.Struct, kw_only=True):
    """One row per session and stage, in ``run/<run-id>/audit``."""

    run_id: str
    session_id: str
    stage: str
    records_in: int
    records_out: int
    failed: int
    dropped: str
    decisions: str
    duration_ms: float
    config_hash: str
    reused: bool


TABLES: dict[str, type[msgspec.Struct]] = {
    "sessions": SessionRow,
    "events": EventRow,
    "actions": ActionRow,
    "steps": StepRow,
    "classifications": ClassificationRow,
    "examples": ExampleRow,
    "failures": FailureRow,
}
"""Published tables, in the order they are written."""

_SCALARS = {str: "string", int: "long", float: "double", bool: "boolean", bytes: "bytes"}


def _optional(hint: Any) -> tuple[Any, bool]:
    """Splits ``T | None`` into (T, True)."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (inner,) = [a for a in typing.get_args(hint) if a is not type(None)]
        return inner, True
    return hint, False


@functools.cache
def _arrow() -> Any:
    """Returns pyarrow, told to use the system's allocator.

    A shard is copied from thousands of tables of a few rows; of those Arrow's own allocator keeps
    several times their size.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    return pa


def _arrow_type(hint: Any) -> Any:
    pa = _arrow()
    if typing.get_origin(hint) is list:
        return pa.list_(_arrow_type(typing.get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return pa.struct(list(arrow_schema(hint)))
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[hint]


@functools.lru_cache(None)
def arrow_schema(row: type[msgspec.Struct]) -> Any:
    """Returns the ``pyarrow.Schema`` of a row Struct; ``T | None`` fields are nullable."""
    pa = _arrow()
    fields = []
    for name, hint in typing.get_type_hints(row).items():
        inner, nullable = _optional(hint)
        fields.append(pa.field(name, _arrow_type(inner), nullable=nullable))
    return pa.schema(fields)


def _avro_type(hint: Any) -> Any:
    inner, nullable = _optional(hint)
    if typing.get_origin(inner) is list:
        avro: Any = {"type": "array", "items": _avro_type(typing.get_args(inner)[0])}
    elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        avro = avro_schema(inner)
    else:
        avro = _SCALARS[inner]
    return ["null", avro] if nullable else avro


def avro_schema(row: type[msgspec.Struct]) -> dict[str, Any]:
    """Returns the Avro record schema (a dict for fastavro) of a row Struct."""
    fields = [
        {"name": name, "type": _avro_type(hint)}
        for name, hint in typing.get_type_hints(row).items()
    ]
    return {"type": "record", "name": row.__name__, "namespace": "tracemill", "fields": fields}
