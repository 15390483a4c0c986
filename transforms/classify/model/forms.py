"""Finds out once how an endpoint can be asked, and asks in that way from then on.

The first real request about a schema is the probe: structure is taken down the ladder json_schema →
tool call → json_object → text, and fields that the endpoint does not take are left out, until it
answers. What was found is kept in the reply cache, so that a resumed or repeated run asks for the
same things in the same words, in all its processes.

Some endpoints ignore in silence what they do not know. An answer that came in a form like that is
used all the same, and found again later: the forms that were passed over are kept too.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import time
from collections.abc import AsyncIterator

import msgspec

from transforms.classify.model.cache import request_key
from transforms.classify.model.client import Pictures
from transforms.classify.model.replies import Replies
from transforms.classify.model.reply import Outcome, Refused, Reply
from transforms.classify.model.requests import MAX_TOKENS, STRUCTURES, Form, Question, body_of
from transforms.classify.model.settings import ConfigurationFault, ModelSettings

DEFAULT_VOTES = 5
"""Samples in one request, where an endpoint gives several but no token probabilities."""
MOST_PROBES = 16
HEAD_START_S = 0.05
DOUBTS = 3
HOPELESS = 3
"""Requests refused in every form before the configuration is held to be wrong."""


class _Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an endpoint."""

    form: Form
    passed: tuple[Form, ...] = ()
    """Forms in which it answered, though not with all that was asked for."""


_FOUND = msgspec.json.Decoder(_Found)


class Forms:
    """Asks questions of one model configuration; use inside the process's loop."""

    def __init__(self, replies: Replies, settings: ModelSettings) -> None:
        self.replies = replies
        self.settings = settings
        self.max_tokens = self.settings.tokens(MAX_TOKENS)
        self.votes = settings.configuration.get("votes")
        self._known: dict[str, Form] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._passed: dict[str, tuple[Form, ...]] = {}
        self._trial: dict[str, Form] = {}
        self._trial_since: dict[str, float] = {}
        self._changed = asyncio.Event()
        """Set, and replaced by a new one, when any of these may have changed."""
        self._following = 0
        """Requests that go ahead in a form under trial: no more than there are slots for them."""
        self._hopeless = 0
        self._doubts: collections.Counter[str] = collections.Counter()
        """Requests in a row that told nothing of the form, or that the known form did not fit."""

    async def ask(self, question: Question, pictures: Pictures) -> tuple[Outcome, Form]:
        """Returns the outcome and the form it was asked in."""
        # Samples of a vote have a seed, which some refuse: they find out their own form.
        kind = "found" if question.seed is None else "found for samples"
        key = request_key(kind, self.settings.model, question.schema, self.settings.configuration)
        lock = self._locks.setdefault(key, asyncio.Lock())
        form = self._known.get(key)
        if form is None and lock.locked():
            # The probe comes first. A refusal comes fast, an answer may take long: after a head
            # start the others follow in the form under trial, and ask again should it change.
            trial = await self._trial_with_room(key, lock)
            if trial is not None:
                self._following += 1
                try:
                    outcome, trial = await self._asked(key, question, trial, pictures)
                finally:
                    self._following -= 1
                    self._tell()
                seen = self._seen(question, trial, outcome) if isinstance(outcome, Reply) else None
                if seen is None and isinstance(outcome, Reply | Refused):
                    async with lock:
                        pass  # the probe will tell
                elif seen == trial:
                    await self._settle(key, trial)  # as good a proof as the probe's own answer
                elif seen is not None:
                    self._pass(key, trial)
                if (
                    not isinstance(outcome, Reply | Refused)
                    or trial == self._known.get(key)
                    or trial in self._passed.get(key, ())
                ):
                    return outcome, trial
            form = self._known.get(key)
        if form is None:
            async with self._probing(lock):
                form = self._known.get(key) or await self._stored(key)
                if form is None:
                    return await self._probed(key, question, pictures)
        outcome, form = await self._asked(key, question, form, pictures)
        if isinstance(outcome, Refused):
            other = _next(form, outcome, self.settings)
            if other is not None:
                # Something about this request, or the endpoint is not what it was.
                async with self._probing(lock):
                    return await self._probed(key, question, pictures, other)
        if isinstance(outcome, Reply):
            self._doubts[key] = 0
        return outcome, form

    async def _trial_with_room(self, key: str, lock: asyncio.Lock) -> Form | None:
        """Waits for a trial that has lasted for the head start, and for a slot beside the probe's.

        None when the form is known, or the probe ended without one.
        """
        most = self.replies.endpoint.settings.concurrency - 1
        while key not in self._known and lock.locked():
            left = self._trial_since.get(key, math.inf) + HEAD_START_S - time.monotonic()
            if left <= 0 and self._following < most:
                return self._trial[key]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left if 0 < left < math.inf else None):
                    await self._changed.wait()
        return None

    @contextlib.asynccontextmanager
    async def _probing(self, lock: asyncio.Lock) -> AsyncIterator[None]:
        try:
            async with lock:
                yield
        finally:
            self._tell()

    def _tell(self) -> None:
        """Wakes those who wait for a trial or for its end."""
        self._changed.set()
        self._changed = asyncio.Event()

    def body(self, question: Question, form: Form) -> dict:
        """Returns the request; how many samples it asks for follows from the form."""
        votes = DEFAULT_VOTES if self.votes is None and not _gives_tokens(form) else self.votes or 0
        if form.several and votes > 1 and question.seed is None and question.samples == 1:
            question = msgspec.structs.replace(question, samples=votes)
        return body_of(question, form, self.settings.model, self.settings.sent)

    async def _asked(
        self, key: str, question: Question, form: Form, pictures: Pictures
    ) -> tuple[Outcome, Form]:
        """Asks in a form, unless there is an answer in one that was passed over since."""
        passed = [f for f in self._passed.get(key, ()) if f != form]
        for other in (form, *reversed(passed)) if passed else ():
            body = self.body(question, other)
            if reply := await self.replies.cached(body, _draw(question, other)):
                return reply, other
        return await self._sent(question, form, pictures), form

    async def _sent(self, question: Question, form: Form, pictures: Pictures) -> Outcome:
        body = self.body(question, form)
        return await self.replies.ask(body, pictures, _draw(question, form))

    def _pass(self, key: str, form: Form) -> None:
        passed = self._passed.get(key, ())
        if form not in passed:
            self._passed[key] = (*passed, form)

    async def _stored(self, key: str) -> Form | None:
        stored = await asyncio.to_thread(self.replies.cache.get, key)
        return None if stored is None else self._taken(key, stored)

    def _taken(self, key: str, stored: bytes) -> Form | None:
        """Takes over what is kept."""
        try:
            found = _FOUND.decode(stored)
        except msgspec.DecodeError:
            return None
        for form in found.passed:
            self._pass(key, form)
        return self._known.setdefault(key, found.form)

    async def _probed(
        self, key: str, question: Question, pictures: Pictures, form: Form | None = None
    ) -> tuple[Outcome, Form]:
        known = form is not None
        form = form or self._first()
        outcome: Outcome
        for _ in range(MOST_PROBES):
            self._trial[key], self._trial_since[key] = form, time.monotonic()
            self._tell()
            outcome = await self._sent(question, form, pictures)
            if isinstance(outcome, Refused):
                following = _next(form, outcome, self.settings)
                if following is None:
                    break
                form = following
            elif isinstance(outcome, Reply):
                seen = self._seen(question, form, outcome)
                if seen == form:
                    self._hopeless = 0
                    if known:
                        self._doubt(key, form)
                        return outcome, form
                    settled = await self._settle(key, form)
                    if settled == form:
                        return outcome, form
                    # Others were first. It may be this request that does not fit their form.
                    again = await self._sent(question, settled, pictures)
                    return (outcome, form) if isinstance(again, Refused) else (again, settled)
                if seen is None:
                    self._doubt(key, form)
                    return outcome, form
                self._pass(key, form)
                form = seen
            else:
                return outcome, form
        if isinstance(outcome, Refused) and not (outcome.too_long or outcome.filtered):
            self._hopeless += 1
            if self._hopeless >= HOPELESS and not self._known:
                endpoint = self.replies.endpoint
                endpoint.fault = ConfigurationFault(
                    f"model endpoint {endpoint.place}: HTTP {outcome.status} "
                    f"{outcome.code}: it takes no form of request; check --model and "
                    "--model_configuration"
                )
                endpoint.check()
        return outcome, form

    def _doubt(self, key: str, form: Form) -> None:
        """Takes a form as known, for this process, when several requests in a row point to it."""
        self._doubts[key] += 1
        if self._doubts[key] >= DOUBTS:
            self._known[key] = form
            self._doubts[key] = 0
            self._tell()

    async def _settle(self, key: str, form: Form) -> Form:
        """Takes a form as known, and keeps it for later runs, unless one is; returns that one."""
        if key in self._known:
            return self._known[key]
        data = msgspec.json.encode(_Found(form, self._passed.get(key, ())))
        kept = await asyncio.to_thread(self.replies.cache.put, key, data)
        known = self._taken(key, kept) or self._known.setdefault(key, form)
        self._tell()
        return known

    def _first(self) -> Form:
        configuration = self.settings.configuration
        field = "max_tokens"
        if "max_completion_tokens" in configuration:
            field = "max_completion_tokens"
        return Form(logprobs=configuration.get("logprobs", True) is not False, tokens_field=field)

    def _seen(self, question: Question, form: Form, reply: Reply) -> Form | None:
        """What an ordinary reply shows of the endpoint; None when it is not ordinary."""
        choice = reply.choices[0]
        if not choice.text or choice.refusal:
            return None
        if _gives_tokens(form) and not choice.spelled:
            form = msgspec.structs.replace(form, logprobs=False)
        elif self.body(question, form).get("n", 1) > len(reply.choices):
            form = msgspec.structs.replace(form, several=False)
        return form


def _draw(question: Question, form: Form) -> int | None:
    """Which of several equal requests it is, where their seed cannot tell them apart."""
    return question.seed if "seed" in form.dropped else None


def _gives_tokens(form: Form) -> bool:
    return form.logprobs and form.structure != "tools"


_OF_FORM = frozenset((400, 403, 405, 415, 422, 501))
"""403 reaches here only where it names a field of ours."""


def _next(form: Form, refused: Refused, settings: ModelSettings) -> Form | None:
    """Returns the next form to try after a refusal; None when there is none left."""
    if refused.too_long or refused.filtered or refused.status not in _OF_FORM:
        return None
    parameter = refused.parameter.split(".")[0].split("[")[0]
    replace = msgspec.structs.replace
    if parameter in ("logprobs", "top_logprobs") and form.logprobs:
        return replace(form, logprobs=False)
    if parameter == "n" and form.several:
        return replace(form, several=False)
    if parameter in ("max_tokens", "max_completion_tokens") and "tokens_field" not in form.dropped:
        other = {"max_tokens": "max_completion_tokens"}.get(form.tokens_field, "max_tokens")
        return replace(form, tokens_field=other, dropped=(*form.dropped, "tokens_field"))
    if parameter in ("temperature", "seed") and parameter not in form.dropped:
        if parameter in settings.configuration:
            return None
        return replace(form, dropped=(*form.dropped, parameter))
    if (parameter.startswith("image") or "image" in refused.code) and form.pictures:
        return replace(form, pictures=False)
    named = parameter in ("response_format", "json_schema", "tools", "tool_choice")
    if not named and form.logprobs and form.structure != "tools":
        return replace(form, logprobs=False)
    place = STRUCTURES.index(form.structure) + 1
    return replace(form, structure=STRUCTURES[place]) if place < len(STRUCTURES) else None
