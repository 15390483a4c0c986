"""Tasks: a session is one, unless its events name tasks or long pauses separate them."""

from __future__ import annotations

from schemas.traces import Event, Trace
from schemas.trajectories import Action


def number_tasks(
    trace: Trace, actions: tuple[Action, ...], split_idle_s: float | None
) -> list[tuple[int, str]]:
    """Returns (task number, task id) for each action.

    Events name their task in ``task_id`` (or the trajectory does); an action that says nothing
    belongs to the task before it. A task that is taken up again goes on. Without names, a pause
    longer than ``split_idle_s`` between two actions starts another task. Tasks without a name are
    called after the session, numbered from 1 when there are several.
    """
    said = _said(trace)
    if said:
        return _by_name(trace.session.id, actions, said)
    numbers = []
    task = 0
    end = None
    for action in actions:
        if (
            split_idle_s is not None
            and end is not None
            and action.start_us - end > split_idle_s * 1_000_000
        ):
            task += 1
        end = action.end_us if end is None else max(end, action.end_us)
        numbers.append(task)
    base = trace.session.id
    if task == 0:
        return [(0, base)] * len(actions)
    return [(number, f"{base}#{number + 1}") for number in numbers]


def _said(trace: Trace) -> dict[str, str]:
    """Event id → the task it names."""
    said = {}
    for event in trace.events:
        name = _task_of(event)
        if name is not None:
            said[event.id] = name
    for step in trace.given:
        if step.task_id is not None:
            said[step.event_id] = step.task_id
    return said


def _task_of(event: Event) -> str | None:
    for fields in (event.extra, event.additional_info):
        if fields:
            name = fields.get("task_id", fields.get("taskId"))
            if isinstance(name, str | int) and not isinstance(name, bool) and name != "":
                return str(name)
    return None


def _by_name(
    session_id: str, actions: tuple[Action, ...], said: dict[str, str]
) -> list[tuple[int, str]]:
    numbers: dict[str, int] = {}
    found = []
    name = session_id
    for action in actions:
        name = next((said[i] for i in action.raw_event_ids if i in said), name)
        number = numbers.setdefault(name, len(numbers))
        found.append((number, name))
    return found
