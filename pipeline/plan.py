"""``tracemill plan``: what a run would read, ask and cost, before anything is spent or written.

Sessions whose first half is done are estimated from their checkpoint. Others are read, normalised
and segmented here, without the PrivacyFilter and without pixels: nothing of that leaves this
process. Requests are really built, so prompt tokens are those of the requests' length; completion
tokens are a guess, with the limit that the endpoint is given as the most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from pipeline.options import Options, UsageError
from pipeline.settings import RunSettings, model_name, resolve
from schemas.catalogue import Suite
from schemas.classifications import Segment
from schemas.outcomes import Failure
from schemas.traces import SessionRef
from schemas.trajectories import PreparedSession
from transforms import prepared as prepared_checkpoint
from transforms.checkpoints import CheckpointStore
from transforms.classify.model.settings import ModelSettings
from transforms.classify.segment import segment_trajectory
from transforms.classify.session import segment_contexts
from transforms.classify.suites import choose_suite
from transforms.ingest.find import InputError, find_sessions
from transforms.ingest.read import read_trace

TOKENS_PER_VALUE = 30
TOKENS_PER_ANSWER = 60
TOKENS_PER_THOUGHT = 40
"""What answers usually take; an endpoint's tokeniser decides."""


class Asking(msgspec.Struct, kw_only=True):
    """What one model configuration would be asked."""

    model: str
    model_configuration: dict[str, Any]
    calls: int = 0
    pictures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    most_completion_tokens: int = 0
    usd: float | None = None
    most_usd: float | None = None

    def add(self, prompt: int, completion: int, most: int, calls: int = 1) -> None:
        """Counts ``calls`` equal requests."""
        self.calls += calls
        self.prompt_tokens += calls * prompt
        self.completion_tokens += calls * min(completion, most)
        self.most_completion_tokens += calls * most


class Plan(msgspec.Struct, kw_only=True):
    """What a run would do."""

    sessions: int = 0
    done_before: int = 0
    """Their results exist: they cost nothing."""
    from_checkpoints: int = 0
    """First half done: segments are exact, texts are scrubbed already."""
    failed: int = 0
    """Cannot be used; nothing is asked about them."""
    steps: int = 0
    segments: int = 0
    frames: int = 0
    asking: list[Asking] = []
    notes: list[str] = []


def plan(options: Options) -> Plan:
    """Reads what a run would read and returns what it would ask; raises UsageError.

    Nothing is written, no endpoint is called, and no key of one is needed.
    """
    settings = resolve(options, dry=True)
    made = Plan(
        asking=[
            Asking(model=model_name(options, c), model_configuration=c)
            for c in options.configurations
        ]
    )
    try:
        refs = find_sessions(
            options.input, fingerprint=options.fingerprint, exclude=options.own_places
        )
    except InputError as error:
        raise UsageError(str(error)) from None
    store = CheckpointStore(settings.checkpoints, read_only=True)
    for ref in refs:
        _count(made, settings, store, ref)
    _price(made, settings)
    made.notes = _notes(made, settings)
    return made


def _count(made: Plan, settings: RunSettings, store: CheckpointStore, ref: SessionRef) -> None:
    session_id = settings.keys.published_id(ref.session_id)
    if session_id in settings.keys.forgotten:
        return
    made.sessions += 1
    key = settings.keys.prepared(ref.session_id, ref.fingerprint, ref.defect)
    done = store.receipt("result", settings.keys.result(session_id, key))
    if done is not None and not done.volatile:
        made.done_before += 1
        return
    receipt = store.receipt(prepared_checkpoint.KIND, key)
    if receipt is not None and not receipt.volatile:
        session = prepared_checkpoint.read_state(store.read(prepared_checkpoint.KIND, key))
        made.from_checkpoints += 1
    else:
        session = _estimated(settings, ref, session_id)
    suite = None if session.failed else choose_suite(session, settings.catalogue)
    if suite is None or isinstance(suite, Failure):
        made.failed += 1
        return
    segments = segment_trajectory(session, suite)
    made.steps += len(session.steps)
    made.segments += len(segments)
    made.frames += len({s.observation.frame for s in session.steps} - {None})
    for asking, model in zip(made.asking, settings.models):
        _ask(asking, model, settings, session, suite, segments)


def _estimated(settings: RunSettings, ref: SessionRef, session_id: str) -> PreparedSession:
    """The session as it is recorded: not scrubbed, so it must not leave this process."""
    from transforms.normalize.coalesce import normalize_events
    from transforms.normalize.match import match_observations
    from transforms.snapshots import session_snapshots

    trace = read_trace(ref, settings.limits, settings.rules)
    session = msgspec.structs.replace(trace.session, id=session_id)
    if trace.failed:
        return PreparedSession(session=session, failures=trace.failures)
    snapshots = session_snapshots(ref, trace)
    steps = match_observations(
        trace, normalize_events(trace), settings.match, lambda s: snapshots.tree(s.file)
    )
    return PreparedSession(session=session, steps=steps, requests=trace.requests)


def _ask(
    asking: Asking,
    model: ModelSettings,
    settings: RunSettings,
    session: PreparedSession,
    suite: Suite,
    segments: Sequence[Segment],
) -> None:
    """Builds the requests of one session and counts them."""
    from transforms.classify.model import evidence, requests
    from transforms.classify.model.classifier import ASK
    from transforms.classify.model.client import PICTURE_TOKENS, estimated_tokens

    prompt = requests.SuitePrompt(suite)
    sent = model.sent
    limit = model.tokens(requests.MAX_TOKENS)
    votes = max(1, model.configuration.get("votes", 0))
    values = max((len(a.parameters) for a in suite.actions), default=0)
    pictured = _sends_pictures(model, settings)
    packs = model.segments_per_request
    contexts = segment_contexts(session, suite, segments)
    for start in range(0, len(contexts), packs):
        pack = contexts[start : start + packs]
        tokens = most = 0
        for context in pack:
            question = requests.Question(
                system=prompt.one,
                shown=evidence.gather(context).shown(),
                ask=ASK,
                schema=prompt.schema,
                max_tokens=limit,
            )
            body = requests.body_of(question, requests.Form(), model.model, sent)
            alone, completion = estimated_tokens(body)
            if tokens:  # what a pack shares is sent once
                empty = msgspec.structs.replace(question, shown={})
                shared = requests.body_of(empty, requests.Form(), model.model, sent)
                alone -= estimated_tokens(shared)[0]
            tokens += alone
            most += completion
            if pictured:
                seen = _frames(session, context.segment)
                tokens += PICTURE_TOKENS * seen
                asking.pictures += seen * votes
        usual = len(pack) * (TOKENS_PER_ANSWER + TOKENS_PER_VALUE * values)
        asking.add(tokens, usual, most, votes)
    for tokens, written, most in _requests(session, segments, model):
        asking.add(tokens, written, most)
    if settings.options.annotate and model is settings.models[0]:
        for tokens, steps, most in _thoughts(session, model):
            asking.add(tokens, TOKENS_PER_THOUGHT * steps, most)


def _sends_pictures(model: ModelSettings, settings: RunSettings) -> bool:
    """Whether requests hold pictures: those that several segments share never do."""
    return (
        model.segments_per_request == 1
        and bool(model.configuration.get("pictures", True))
        and settings.options.visual != "withhold"
    )


def _frames(session: PreparedSession, segment: Segment) -> int:
    """How many pictures go with a segment: the one before it and another one after it."""
    steps, last = session.steps, segment.step_indices[-1] + 1
    seen = {steps[segment.step_indices[0]].observation.frame}
    if last < len(steps) and steps[last].task == segment.task:
        seen.add(steps[last].observation.frame)
    return len(seen - {None})


def _requests(
    session: PreparedSession, segments: Sequence[Segment], model: ModelSettings
) -> Iterator[tuple[int, int, int]]:
    """(prompt, completion, most completion tokens) of the requests to be worded, if all goes well.

    A task is worded when no description speaks for it and all of its segments are accepted.
    """
    from transforms.classify.model import wording
    from transforms.classify.model.client import CHARACTERS_PER_TOKEN

    tasks = {s.task for s in session.steps}
    if (session.session.description or "").strip() and len(tasks) == 1:
        return
    fixed = math.ceil(len(wording._SYSTEM) / CHARACTERS_PER_TOKEN)
    for task in sorted(tasks):
        if count := sum(s.task == task for s in segments):
            told = count * TOKENS_PER_VALUE
            yield fixed + 2 * told, told, model.tokens(wording.MAX_TOKENS)


def _thoughts(session: PreparedSession, model: ModelSettings) -> Iterator[tuple[int, int, int]]:
    """(prompt tokens, steps, most completion tokens) of each request for thoughts."""
    from transforms.classify.model import annotate
    from transforms.classify.model.client import CHARACTERS_PER_TOKEN
    from transforms.classify.model.evidence import step_shown

    for task in dict.fromkeys(s.task for s in session.steps):
        steps = [s for s in session.steps if s.task == task]
        for start in range(0, len(steps), annotate.WINDOW):
            window = steps[start : start + annotate.WINDOW]
            earlier = steps[max(0, start - annotate.EARLIER) : start]
            wanted = sum(not s.thought for s in window)
            if not wanted:
                continue
            shown = [step_shown(s) for s in (*earlier, *window)]
            size = len(annotate._SYSTEM) + len(msgspec.json.encode([shown, annotate.SCHEMA]))
            tokens = math.ceil(size / CHARACTERS_PER_TOKEN)
            most = annotate.TOKENS_PER_STEP * len(window) + annotate.TOKENS_BESIDE
            yield tokens, wanted, model.tokens(most)


def _price(made: Plan, settings: RunSettings) -> None:
    from pipeline.settings import load_prices

    prices = load_prices(settings.options.price_file)
    for asking in made.asking:
        price = prices.get(asking.model)
        if not asking.calls:
            asking.usd = asking.most_usd = 0.0
        elif price is not None:
            asking.usd = round(price.usd(asking.prompt_tokens, asking.completion_tokens), 4)
            most = price.usd(asking.prompt_tokens, asking.most_completion_tokens)
            asking.most_usd = round(most, 4)


def _notes(made: Plan, settings: RunSettings) -> list[str]:
    """What of the figures is an estimate, and why."""
    o = settings.options
    if o.classifier == "offline":
        return ["--classifier=offline asks no model and costs nothing"]
    to_do = made.sessions - made.done_before
    notes = [
        "tokens are estimated from the length of the requests; replies that are in the cache "
        "already cost nothing, repairs of bad answers cost more"
    ]
    if to_do > made.from_checkpoints:
        notes.append(
            f"{to_do - made.from_checkpoints} sessions were read as recorded: scrubbing and "
            "choosing frames may change their texts and pictures a little"
        )
    for asking in made.asking:
        if asking.usd is None:
            where = o.price_file or "no --price_file was given"
            notes.append(f"no price of {asking.model} is known ({where})")
    spent = sum(a.calls for a in made.asking)
    if o.max_calls is not None and spent > o.max_calls:
        notes.append(f"--max_calls {o.max_calls} would leave about {spent - o.max_calls} to review")
    known = [a.usd for a in made.asking if a.usd is not None]
    if o.max_usd is not None and sum(known) > o.max_usd:
        notes.append(f"--max_usd {o.max_usd:g} would be spent before the end")
    return notes


def lines(made: Plan) -> list[str]:
    """The plan for people to read."""
    told = [
        f"{made.sessions} sessions: {made.done_before} done before, {made.failed} cannot be used",
        f"{made.steps} steps, {made.segments} segments, {made.frames} frames in what is to be done",
    ]
    for asking in made.asking:
        configuration = msgspec.json.encode(asking.model_configuration).decode()
        price = "price unknown"
        if asking.usd is not None and asking.most_usd is not None:
            price = f"{asking.usd:.2f} USD (at most {asking.most_usd:.2f})"
        told.append(
            f"{asking.model} {configuration}: {asking.calls} calls, {asking.pictures} pictures, "
            f"about {asking.prompt_tokens} prompt and {asking.completion_tokens} completion tokens "
            f"(at most {asking.most_completion_tokens}), {price}"
        )
    return told + [f"note: {note}" for note in made.notes]
