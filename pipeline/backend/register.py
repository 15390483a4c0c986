"""What was taken from the backend, and what it was told: the outbox.

One row per Example of the backend. A row whose ``wanted`` is not what was ``sent`` waits to be
sent, in this run or a later one; the file is written before and after, so that neither a dead
backend nor a killed run loses an update. It lies under PRIVATE, because session ids may name
people.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import msgspec

from pipeline.backend.client import BackendClient, BackendDown, KeyRefused, RequestRefused
from transforms import storage
from transforms.keys import stable_hash

PENDING, PROCESSING, COMPLETED, FAILED = "PENDING", "PROCESSING", "COMPLETED", "FAILED"
FINAL = (COMPLETED, FAILED)
SAVED_EVERY = 100
"""Updates between two writes of the file: what a kill may send once more."""


class Update(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the backend is told of one Example."""

    status: str = PENDING
    storage_path: str = ""
    error: dict[str, str] | None = None


class Row(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One Example of the backend."""

    id: str = ""
    """The backend's id; empty until it has been created there."""
    session_id: str
    model_id: str = ""
    model_configuration: dict[str, Any] = {}
    action_tool_map_id: str | None = None
    task: int = 0
    """Number of the session's task; the backend asks for a session and knows of no tasks."""
    first: str = ""
    """Further tasks: the backend's id of the Example that asked for the session."""
    given_path: str = ""
    """The storage path that the backend itself gave it."""
    sent: Update = msgspec.field(default_factory=Update)
    wanted: Update = msgspec.field(default_factory=Update)
    refused: int = 0
    """The status with which the backend refused ``wanted``; it isn't sent again."""

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        return not self.refused and (not self.id or self.sent != self.wanted)

    def want(
        self, status: str, storage_path: str = "", error: dict[str, str] | None = None
    ) -> None:
        """Sets what the backend shall know."""
        wanted = Update(status, storage_path, error)
        if wanted != self.wanted:
            self.wanted, self.refused = wanted, 0


@dataclasses.dataclass
class Sent:
    """What sending came to."""

    sent: Counter[str]
    """Status → updates that arrived."""
    waiting: int
    fault: str = ""
    """Why the rest waits: one line."""
    refused: int = 0


class Register:
    """The rows of one output; ``folder`` is PRIVATE/backend."""

    def __init__(self, folder: str):
        self.uri = storage.join(folder, "examples.jsonl")
        try:
            lines = storage.read_bytes(self.uri).splitlines()
        except FileNotFoundError:
            lines = []
        self.rows = [msgspec.json.decode(line, type=Row) for line in lines]

    def save(self) -> None:
        """Writes all rows, at once or not at all."""
        data = b"".join(msgspec.json.encode(row) + b"\n" for row in self.rows)
        storage.write_bytes(self.uri, data, mode=0o600)

    def known(self) -> set[str]:
        """Returns the backend's ids of all rows."""
        return {row.id for row in self.rows if row.id}

    def send(self, client: BackendClient) -> Sent:
        """Sends what waits, in order; what can't be sent stays. Never raises for the backend."""
        done: Counter[str] = Counter()
        fault = ""
        refused = 0
        for n, row in enumerate([r for r in self.rows if r.waits], 1):
            try:
                self._send(client, row)
                done[row.sent.status] += 1
            except RequestRefused as error:
                row.refused, fault = error.status, str(error)
                refused += 1
            except (BackendDown, KeyRefused) as error:
                fault = str(error)
                break
            if n % SAVED_EVERY == 0:
                self.save()
        self.save()
        return Sent(done, sum(row.waits for row in self.rows), fault, refused)

    def _send(self, client: BackendClient, row: Row) -> None:
        if not row.id:
            self._create(client, row)
        if row.sent == row.wanted:
            return
        if row.sent.status == PENDING and row.wanted.status in FINAL:
            self._patch(client, row, Update(PROCESSING))
        self._patch(client, row, row.wanted)

    def _patch(self, client: BackendClient, row: Row, update: Update) -> None:
        body: dict[str, Any] = {
            "status": update.status,
            "storage_path": update.storage_path or row.given_path,
        }
        if update.error:
            body["error"] = update.error
        try:
            client.patch("examples", row.id, body=body)
        except RequestRefused as error:
            # A retry of an update that had arrived may be answered so.
            if error.status != 409 or not _stands(client, row, update):
                raise
        row.sent = update

    def _create(self, client: BackendClient, row: Row) -> None:
        """Creates the Example, unless an answer that was lost means it was created before."""
        body: dict[str, Any] = {
            "session_id": row.session_id,
            "model_id": row.model_id,
            "model_configuration": row.model_configuration,
        }
        if row.action_tool_map_id:
            body["action_tool_map_id"] = row.action_tool_map_id
        once = stable_hash("example", body, row.first, row.task)
        try:
            made = client.post("examples", body=body, once=once)
        except RequestRefused as error:
            made = self._unclaimed(client, row) if error.status == 409 else None
            if made is None:
                raise
        if not isinstance(made.get("id"), str):
            raise RequestRefused("POST /v1/examples: the answer has no id", 201)
        row.id, row.given_path = made["id"], str(made.get("storage_path") or "")

    def _unclaimed(self, client: BackendClient, row: Row) -> dict[str, Any] | None:
        known = self.known()
        for given in client.pages("examples", session_id=row.session_id):
            if given.get("id") not in known and same_request(row, given):
                return given
        return None


def same_request(row: Row, given: dict[str, Any]) -> bool:
    """Whether an Example of the backend asks for what a row does."""
    return (
        given.get("session_id") == row.session_id
        and given.get("model_id") == row.model_id
        and (given.get("model_configuration") or {}) == row.model_configuration
        and (given.get("action_tool_map_id") or None) == row.action_tool_map_id
    )


def _stands(client: BackendClient, row: Row, update: Update) -> bool:
    return str(client.get("examples", row.id).get("status", "")).upper() == update.status
