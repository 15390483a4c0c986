"""An endpoint that does to the letter what a test tells it: raw bytes on real sockets.

``OddServer(plan)`` answers its n-th request with ``plan[n]``, a function of the connection and the
right completion that writes what it likes and returns whether the connection stays. Requests beyond
the plan, and those whose place is None, get that completion. ``requests`` holds path and headers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from typing import Any

from tests.support import model_answers as answers

Oddity = Callable[[socket.socket, dict[str, Any]], bool]


def raw(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An HTTP response; ``length`` is what Content-Length says, where that is not so."""
    said = len(body) if length is None else length
    lines = (f"HTTP/1.1 {status} Said", f"Content-Length: {said}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def sends(data: bytes, stays: bool = True) -> Oddity:
    """Writes these bytes."""

    def write(connection: socket.socket, _: dict[str, Any]) -> bool:
        connection.sendall(data)
        return stays

    return write


def changed(change: Callable[[dict[str, Any]], Any], *headers: str) -> Oddity:
    """Answers with what ``change`` makes of the right completion (it may change it in place)."""

    def write(connection: socket.socket, completion: dict[str, Any]) -> bool:
        made = change(completion)
        body = json.dumps(completion if made is None else made).encode()
        connection.sendall(raw(200, body, "Content-Type: application/json", *headers))
        return True

    return write


class OddServer(contextlib.AbstractContextManager):
    """The server, in threads of this process."""

    def __init__(self, plan: list[Oddity | None] | None = None) -> None:
        self.plan = list(plan or [])
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    reader = self.request.makefile("rb")
                    while outer._answered(self.request, reader):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from the next connection on."""
        plain = self._server.get_request

        def get_request() -> tuple[socket.socket, Any]:
            connection, address = plain()
            return context.wrap_socket(connection, server_side=True), address

        self._server.get_request = get_request  # type: ignore[method-assign]
        self.base_url = self.base_url.replace("http:", "https:")

    def _answered(self, connection: socket.socket, reader: Any) -> bool:
        first = reader.readline()
        if not first:
            return False
        headers = {}
        while (line := reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = json.loads(reader.read(int(headers["content-length"])))
        with self._lock:
            number = len(self.requests)
            self.requests.append((first.decode().split()[1], headers))
        oddity = self.plan[number] if number < len(self.plan) else None
        return (oddity or changed(lambda _: None))(connection, completion_of(body))

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion_of(body: dict[str, Any]) -> dict[str, Any]:
    """The right answer to a request."""
    text = answers.answer_for(body)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if body.get("tools"):
        call = {"name": body["tools"][0]["function"]["name"], "arguments": text}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": "c1", "type": "function", "function": call}]
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": answers.tokens_of(text, body)}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}
