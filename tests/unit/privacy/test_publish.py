"""What a prepared session is called: never by what its folder was called."""

import msgspec

from schemas.traces import Target
from schemas.trajectories import Observation, Step
from tests.unit.privacy.sessions import built, typed
from transforms.privacy.publish import prepare
from transforms.privacy.text import SessionScrubber

KEY = b"k" * 32
PUBLISHED = "5b1c1d5e-8f5c-5c0e-9b4e-3a0a40a5a001"


def test_tasks_of_a_session_whose_folder_is_an_address(patterns_only, config):
    raw = "ottilie.wren@kestrel.example recording 3"
    work = built(typed("hi", Target(tag="textarea", id="msg")))
    (action,) = work.actions
    names = (raw, f"{raw}#2", "of jo@kestrel.example")
    steps = tuple(
        Step(task=n, task_id=name, step_id=1, action=action, observation=Observation())
        for n, name in enumerate(names)
    )
    ref = msgspec.structs.replace(work.ref, session_id=raw)
    work = msgspec.structs.replace(work, ref=ref, steps=steps)
    scrubber = SessionScrubber(patterns_only, config, KEY)
    scrubbed = scrubber.redact(work, {}, scrubber.locate(work, {})[0])
    made = prepare(
        work,
        session=msgspec.structs.replace(scrubbed.session, id=PUBLISHED),
        steps=scrubbed.steps,
        requests=(),
        dom_text={}.get,
        rows=(),
        frame_ids=(),
        dropped=(),
    )
    assert [s.task_id for s in made.prepared.steps] == [
        PUBLISHED,
        f"{PUBLISHED}#2",
        "of <REDACTED>",
    ]
