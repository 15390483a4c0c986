"""A small catalogue, sessions and classifications that the tests of this folder share."""

from __future__ import annotations

import msgspec

from schemas.catalogue import ActionToolMap, Suite
from schemas.classifications import Classification, Segment
from schemas.examples import Conversation
from schemas.traces import Session
from schemas.trajectories import Action, Observation, PreparedSession, Step
from transforms.catalogue import parse_catalogue
from transforms.synthesize.examples import SynthesisSettings, synthesize_examples

SESSION_ID = "0f8c1f4e-2f55-5a0e-9d0c-3f1f0a6f2b11"
CATALOGUE = parse_catalogue(
    b"""
suites:
  - name: Ledgerly
    description: A bookkeeping program
    actions:
      - name: add_entry
        description: Add an entry to the journal.
        parameters:
          - {name: title, type: STRING, required: true}
          - {name: amount, type: NUMBER, required: true}
          - {name: paid, type: BOOLEAN}
          - {name: count, type: NUMBER, default: 1}
          - {name: colour, type: STRING}
      - name: tag_entry
        description: Tag an entry
        parameters:
          - {name: tags, type: ARRAY, required: true}
          - {name: details, type: OBJECT}
      - name: find_entry
        description: ""
        parameters:
          - {name: words, type: STRING, required: true}
      - name: close_year
        description: Close the year.
mcp_servers:
  - name: books
    tools:
      - {name: unused.tool, description: Nobody maps to it.}
      - name: entry.label
        description: Label an entry.
        parameters:
          - {name: labels, type: ARRAY, required: true}
          - {name: extra, type: OBJECT}
      - name: entry.add
        description: Add an entry.
        parameters:
          - {name: sum, type: NUMBER, required: true, description: In euros}
          - {name: label, type: STRING, required: true}
          - {name: settled, type: BOOLEAN}
          - {name: pieces, type: NUMBER}
      - name: find
        description: Find entries.
        parameters: [{name: query, type: STRING, required: true}]
  - name: desk
    tools:
      - name: note_down
        description: Note something down.
        parameters:
          - {name: what, type: STRING, required: true}
          - {name: value, type: STRING, required: true}
          - {name: state, type: STRING}
action_tool_maps:
  - name: ledgerly-books
    suite: Ledgerly
    mcp_server: books
    tool_mappings:
      - action: add_entry
        tool: entry.add
        parameter_mappings:
          - {action_parameter: title, tool_parameter: label}
          - {action_parameter: amount, tool_parameter: sum}
          - {action_parameter: paid, tool_parameter: settled}
          - {action_parameter: count, tool_parameter: pieces}
      - action: tag_entry
        tool: entry.label
        parameter_mappings:
          - {action_parameter: tags, tool_parameter: labels}
          - {action_parameter: details, tool_parameter: extra}
      - action: find_entry
        tool: find
        parameter_mappings: [{action_parameter: words, tool_parameter: query}]
  - name: ledgerly-desk
    suite: Ledgerly
    mcp_server: desk
    tool_mappings:
      - action: add_entry
        tool: note_down
        parameter_mappings:
          - {action_parameter: title, tool_parameter: what}
          - {action_parameter: amount, tool_parameter: value}
          - {action_parameter: paid, tool_parameter: state}
""",
    "ledgerly.yaml",
)
SUITE: Suite = CATALOGUE.suites[0]
BOOKS, DESK = CATALOGUE.action_tool_maps
ONLY_BOOKS = SynthesisSettings(maps=("ledgerly-books",), code_version="c1")


def frame(number: int) -> str:
    """A published frame's name."""
    return f"{number:02x}" * 16 + ".png"


def step(index: int, task: int = 0, **seen: object) -> Step:
    thought = seen.pop("thought", None)
    given = {
        "frame": frame(index),
        "frame_size": (1280, 720),
        "active_window": f"Ledgerly {index}",
        "url": f"http://ledgerly.test/{index}",
    }
    return Step(
        task=task,
        task_id=f"task-{task}",
        step_id=index + 1,
        action=Action(
            index=index,
            type="click",
            start_us=index * 1_000_000,
            end_us=index * 1_000_000,
            raw_event_ids=(f"e{index}a", f"e{index}b"),
        ),
        observation=Observation(**(given | seen)),
        thought=thought,
    )


def segment(number: int, *steps: int, task: int = 0) -> Segment:
    steps = steps or (number,)
    return Segment(
        id=f"segment-{number}",
        task=task,
        step_indices=steps,
        first_event_id=f"e{steps[0]}a",
        last_event_id=f"e{steps[-1]}b",
    )


def classified(of: Segment, action: str | None, status: str = "accepted", **more) -> Classification:
    given = {"confidence": 0.9, "model_id": "model-1", "model": "m1"}
    return Classification(segment=of, action=action, status=status, **(given | more))


def added(of: Segment, title: str = "Rent", amount: object = 12.5, **more) -> Classification:
    parameters = {"title": title, "amount": amount} | more.pop("parameters", {})
    return classified(of, "add_entry", parameters=parameters, **more)


def prepared(*steps: Step, description: str | None = None) -> PreparedSession:
    return PreparedSession(
        session=Session(id=SESSION_ID, description=description),
        steps=steps,
        frame_ids=tuple(s.observation.frame for s in steps if s.observation.frame),
    )


def synthesize(session: PreparedSession, found, settings: SynthesisSettings = ONLY_BOOKS):
    """Examples, failures and drops of classifications whose segments are all there are."""
    segments = {c.segment.id: c.segment for c in found}
    return synthesize_examples(
        session, SUITE, tuple(segments.values()), tuple(found), CATALOGUE, settings
    )


def conversation(
    turns: int = 3, settings: SynthesisSettings = ONLY_BOOKS, **seen: object
) -> Conversation:
    """A conversation of ``turns`` different calls, with pictures and a thought."""
    steps = [step(i, thought=None if i else "The journal is open.", **seen) for i in range(turns)]
    found = []
    for i in range(turns):
        s = segment(i)
        if i % 3 == 0:
            found.append(added(s, f"Rent {i}", i + 0.5))
        elif i % 3 == 1:
            found.append(classified(s, "tag_entry", parameters={"tags": ["a", f"b{i}"]}))
        else:
            found.append(classified(s, "find_entry", parameters={"words": "Größe 你好"}))
    examples, failures, _ = synthesize(prepared(*steps), found, settings)
    assert not failures
    return examples[0].conversations[0]


def with_map(name: ActionToolMap, settings: SynthesisSettings = ONLY_BOOKS) -> SynthesisSettings:
    import dataclasses

    return dataclasses.replace(settings, maps=(name.id,))


def changed(value, **fields):
    return msgspec.structs.replace(value, **fields)
