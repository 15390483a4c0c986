"""Serves the demo applications on 127.0.0.1, one application per host name.

The application is chosen by the `Host` header (postbox.test, orchard.test, lanes.test), so one port
serves all of them. State lives in memory and belongs to one `AppServer`: a new one starts afresh.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

APPS_DIR = Path(__file__).resolve().parent
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class ApiError(Exception):
    """A refusal with its HTTP status; the page shows the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class App:
    """One application: a folder of static files and a table of API routes.

    `routes` maps (method, path pattern) to a handler called with the pattern's groups and a
    `Request`; it returns a JSON value, or a pair of JSON value and extra response headers.
    """

    folder = ""
    hosts: tuple[str, ...] = ()

    def routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        """The API of this application."""
        return {}

    def answer(self, method: str, path: str, request: Request) -> Any:
        """Finds and calls the handler of one API request."""
        for (wanted, pattern), handler in self.routes().items():
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return handler(*match.groups(), request)
        raise ApiError(404, f"No such endpoint: {method} {path}")


class Request:
    """What a handler needs to know about a request."""

    def __init__(self, query: dict[str, str], body: Any, cookies: str) -> None:
        self.query = query
        self.body = body
        self.cookies = cookies


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AppServer

    def _handle(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        app = self.server.app_for(self.headers.get("Host", ""))
        if app is None:
            return self._send(404, b"unknown host", "text/plain")
        if url.path == "/telemetry/collect":
            return self._send(204, b"", "text/plain")
        if not url.path.startswith("/api/"):
            return self._send_file(app, url.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        request = Request(query, json.loads(raw or b"null"), self.headers.get("Cookie") or "")
        headers: dict[str, str] = {}
        try:
            with self.server.lock:
                value = app.answer(self.command, url.path, request)
            status = 200
            if isinstance(value, tuple):
                value, headers = value
        except ApiError as error:
            status, value = error.status, {"error": str(error)}
        self._send(status, json.dumps(value).encode(), "application/json", headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _send_file(self, app: App, path: str) -> None:
        name = {"/": "index.html", "/login": "login.html"}.get(path, path.lstrip("/"))
        base = APPS_DIR if name.startswith("shared/") else APPS_DIR / app.folder
        file = (base / name).resolve()
        if not file.is_relative_to(base) or file.suffix not in CONTENT_TYPES or not file.is_file():
            return self._send(404, b"not found", "text/plain")
        self._send(200, file.read_bytes(), CONTENT_TYPES[file.suffix])

    def _send(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the terminal quiet."""


class AppServer(ThreadingHTTPServer):
    """A server of fresh applications on a free port of 127.0.0.1; use as a context manager."""

    daemon_threads = True

    def __init__(self, apps: list[App], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.Lock()
        self._apps = {host: app for app in apps for host in app.hosts}

    def app_for(self, host: str) -> App | None:
        """The application of a `Host` header."""
        return self._apps.get(host.split(":")[0])

    def __enter__(self) -> AppServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()
