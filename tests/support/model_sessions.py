"""Small sessions for tests of the model backend: each segment types a marker, then clicks."""

from __future__ import annotations

from schemas.catalogue import ActionParameter, CanonicalAction, Suite
from schemas.classifications import Segment
from schemas.traces import Request, Session
from schemas.trajectories import Action, Element, Observation, PreparedSession, Step
from transforms.classify.classifier import SegmentContext


def suite(*names: str, kinds: tuple[str, ...] = ("STRING",)) -> Suite:
    """A Suite whose actions have one required parameter ``value`` and optional others."""
    actions = []
    for name in names or ("archive_note", "rename_note", "share_note", "tag_note"):
        parameters = tuple(
            ActionParameter(
                id=f"{name}-{i}",
                action_id=name,
                name="value" if i == 0 else f"extra_{kind.lower()}",
                type=kind,
                required=i == 0,
            )
            for i, kind in enumerate(kinds)
        )
        actions.append(
            CanonicalAction(
                id=name,
                suite_id="notes",
                name=name,
                description=f"The person does {name.replace('_', ' ')}.",
                parameters=parameters,
            )
        )
    return Suite(id="notes", name="Notes", description="A note book.", actions=tuple(actions))


def steps(marker: str, first: int = 0, task: int = 0, frame: str | None = None) -> list[Step]:
    """Typing ``marker`` into a field, then a click on a button."""
    seen = Observation(frame=frame, frame_size=(800, 600), frame_scale=(1.0, 1.0))
    made = []
    for i, (kind, text, role, name) in enumerate(
        (("type", marker, "textbox", "Title"), ("click", None, "button", "Save"))
    ):
        index = first + i
        made.append(
            Step(
                task=task,
                task_id="t",
                step_id=index + 1,
                action=Action(
                    index=index,
                    type=kind,
                    start_us=index * 1_000_000,
                    end_us=index * 1_000_000 + 1000,
                    raw_event_ids=(f"e{index}a", f"e{index}b"),
                    x=100.0 + i,
                    y=50.0,
                    text=text,
                    element=Element(role=role, name=name),
                    url="https://notes.example.org/edit",
                    window="Notes",
                ),
                observation=seen,
            )
        )
    return made


def contexts(
    markers: list[str],
    of: Suite | None = None,
    session: str = "s1",
    description: str | None = None,
    requests: tuple[Request, ...] = (),
    frame: str | None = None,
) -> list[SegmentContext]:
    """One session with a segment for each marker."""
    made: list[Step] = []
    segments = []
    for marker in markers:
        new = steps(marker, len(made), frame=frame)
        indices = tuple(range(len(made), len(made) + len(new)))
        made += new
        segments.append(
            Segment(
                id=f"{session}-{indices[0]}",
                task=0,
                step_indices=indices,
                first_event_id=new[0].action.raw_event_ids[0],
                last_event_id=new[-1].action.raw_event_ids[-1],
            )
        )
    prepared = PreparedSession(
        session=Session(id=session, description=description), steps=tuple(made), requests=requests
    )
    return [
        SegmentContext(prepared=prepared, suite=of or suite(), segment=s, requests=requests)
        for s in segments
    ]
