"""A Tracepipe API on 127.0.0.1 with SQLite behind it, which keeps the API's rules.

Keys (401), unknown entities (404), status changes out of order (409), values of the wrong kind
(422), and a rate limit with Retry-After (429). ``faults`` makes chosen requests fail on purpose.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "tp_test_0123456789abcdef"
NEXT = {"PENDING": ("PROCESSING",), "PROCESSING": ("COMPLETED", "FAILED", "PROCESSING")}
"""Status → what may follow."""
KINDS = ("suites", "mcp-servers", "action-tool-maps", "sessions", "examples")


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status: int, code: str, message: str = "", retry_after: str = ""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after = retry_after


class BackendServer:
    """The server; ``url`` is its address, ``seen`` what was asked (method, path, body)."""

    def __init__(self, database: Path):
        self._database = sqlite3.connect(database, check_same_thread=False)
        self._database.execute(
            "create table if not exists entity (kind text, id text, data text, created integer "
            "primary key autoincrement, unique (kind, id))"
        )
        self._lock = threading.Lock()
        self.seen: list[tuple[str, str, Any]] = []
        self.history: list[tuple[str, str]] = []
        """(example, status) as they were set."""
        self.faults: list[tuple[str, str, int]] = []
        """(method, part of the path, status; 0 closes the connection), each met once."""
        self.once: dict[str, str] = {}
        """Idempotency-Key → Example."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *unused: Any) -> None:
                pass

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                data = self.rfile.read(length)
                try:
                    status, answer = server._answer(
                        self.command, self.path, dict(self.headers.items()), data
                    )
                    retry_after = ""
                except Refused as refused:
                    if not refused.status:
                        self.close_connection = True
                        self.connection.close()
                        return
                    error = {"code": refused.code, "message": refused.message, "details": {}}
                    status, answer, retry_after = (
                        refused.status,
                        {"error": error},
                        refused.retry_after,
                    )
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._database.close()

    def put(self, kind: str, data: dict[str, Any]) -> None:
        """Stores an entity as it is."""
        with self._lock, self._database:
            self._database.execute(
                "insert or replace into entity (kind, id, data) values (?, ?, ?)",
                (kind, data["id"], json.dumps(data)),
            )

    def get(self, kind: str, id_: str) -> dict[str, Any]:
        """Returns an entity; Refused 404 when there is none."""
        with self._lock:
            row = self._database.execute(
                "select data from entity where kind = ? and id = ?", (kind, id_)
            ).fetchone()
        if row is None:
            raise Refused(404, "not_found", f"{kind} with id '{id_}' not found")
        return json.loads(row[0])

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Returns all entities of a kind, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "select data from entity where kind = ? order by created", (kind,)
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def add_example(
        self,
        session_id: str,
        model_id: str,
        model_configuration: dict[str, Any] | None = None,
        action_tool_map_id: str | None = None,
    ) -> dict[str, Any]:
        """Creates an Example that waits."""
        id_ = str(uuid.uuid4())
        made = {
            "id": id_,
            "session_id": session_id,
            "model_id": model_id,
            "model_configuration": model_configuration or {},
            "action_tool_map_id": action_tool_map_id,
            "storage_path": f"examples/{id_}/",
            "status": "PENDING",
            "created_at": "2026-02-19T11:00:00Z",
        }
        self.put("examples", made)
        self.history.append((id_, "PENDING"))
        return made

    def _answer(
        self, method: str, target: str, headers: dict[str, str], data: bytes
    ) -> tuple[int, Any]:
        parts = urlsplit(target)
        path = parts.path.strip("/").split("/")
        query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        names = {k.lower(): v for k, v in headers.items()}
        try:
            body = json.loads(data) if data else None
        except ValueError:
            raise Refused(400, "bad_request") from None
        self.seen.append((method, parts.path, body))
        for fault in self.faults:
            if fault[0] == method and fault[1] in parts.path:
                self.faults.remove(fault)
                raise Refused(fault[2], "fault", retry_after="0" if fault[2] == 429 else "")
        if names.get("x-api-key") != KEY:
            raise Refused(401, "unauthorized")
        if path[0] != "v1" or len(path) not in (2, 3) or path[1] not in KINDS:
            raise Refused(404, "not_found", parts.path)
        if len(path) == 3:
            _uuid(path[2])
        if method == "GET":
            return 200, self.get(path[1], path[2]) if len(path) == 3 else self._page(path[1], query)
        if (method, *path[1:2], len(path)) == ("POST", "examples", 2):
            return self._create(body, names.get("idempotency-key", ""))
        if (method, *path[1:2], len(path)) == ("PATCH", "examples", 3):
            return 200, self._change(path[2], body)
        raise Refused(405, "method_not_allowed")

    def _page(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        page, per_page = int(query.pop("page", 1)), int(query.pop("per_page", 20))
        if per_page > 100:
            raise Refused(422, "validation_error", "per_page")
        items = [e for e in self.all(kind) if all(str(e.get(k)) == v for k, v in query.items())]
        first = (page - 1) * per_page
        return {
            "items": items[first : first + per_page],
            "total": len(items),
            "page": page,
            "per_page": per_page,
        }

    def _create(self, body: Any, once: str) -> tuple[int, dict[str, Any]]:
        _fields(body, ("session_id", "model_id"), ("model_configuration", "action_tool_map_id"))
        _uuid(body["session_id"])
        _uuid(body["model_id"])
        self.get("sessions", body["session_id"])
        if once and once in self.once:
            return 200, self.get("examples", self.once[once])
        made = self.add_example(
            body["session_id"],
            body["model_id"],
            body.get("model_configuration"),
            body.get("action_tool_map_id"),
        )
        if once:
            self.once[once] = made["id"]
        return 201, made

    def _change(self, id_: str, body: Any) -> dict[str, Any]:
        _fields(body, ("status", "storage_path"), ("error",))
        example = self.get("examples", id_)
        status = body["status"]
        if status not in ("PENDING", "PROCESSING", "COMPLETED", "FAILED"):
            raise Refused(422, "validation_error", "status")
        if not isinstance(body["storage_path"], str) or not body["storage_path"]:
            raise Refused(422, "validation_error", "storage_path")
        if (status == "FAILED") != ("error" in body):
            raise Refused(422, "validation_error", "error")
        if status not in NEXT.get(example["status"], ()):
            raise Refused(409, "conflict", f"{example['status']} -> {status}")
        example |= body
        self.put("examples", example)
        self.history.append((id_, status))
        return example


def _fields(body: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(body, dict) or any(name not in body for name in required):
        raise Refused(400, "bad_request", f"needs {', '.join(required)}")
    if unknown := set(body) - {*required, *optional}:
        raise Refused(422, "validation_error", f"unknown: {', '.join(sorted(unknown))}")


def _uuid(text: Any) -> None:
    try:
        uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        raise Refused(422, "validation_error", "not a UUID") from None


@contextmanager
def backend_server(folder: Path) -> Iterator[BackendServer]:
    """A server whose database lies in ``folder``; ends with the context."""
    server = BackendServer(folder / "backend.sqlite")
    try:
        yield server
    finally:
        server.close()
