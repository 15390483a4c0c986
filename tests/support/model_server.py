"""A faulty OpenAI-compatible server with real sockets on 127.0.0.1, in a process of its own.

``ModelServer(config)`` starts it; ``trace()`` gives what the server itself saw: for each request
when its slot began and ended (``time.monotonic`` of the server), the status it sent, the fault it
injected, and a hash of the body. ``CONFIG`` lists what can be configured, with its defaults.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support import model_answers as answers  # noqa: E402

CONFIG: dict[str, Any] = {
    "seed": 1,
    "latency_s": [0.0, 0.0],
    "faults": {},
    # 429 500 503 408 hang reset garbage empty blank truncated refusal broken wrong_schema
    # wrong_label: share of requests that get each
    "plan": [],  # faults of the first requests, in order ("" = none); before "faults"
    "retry_after_s": 1.0,
    "retry_after_style": "seconds",  # seconds, ms or date
    "hang_s": 60.0,
    "max_in_flight": 0,  # above: 429
    "key": "test-key",  # None: nobody is asked for one
    "models": None,
    "status": 0,  # every request gets this status
    "quota": False,
    "json_schema": True,
    "tools": True,
    "json_object": True,
    "logprobs": True,
    "n": True,
    "ignore_n": False,
    "drop_logprobs": False,
    "fixed_text": "",  # the text of every answer
    "fixed_answer": "",  # the text of answers with the fault "fixed"
    "pictures": True,
    "refuse_pictures_of": "",  # a marker whose pictures get 400
    "max_prompt_chars": 0,  # above: 400 context_length_exceeded
    "max_body_bytes": 0,  # above: 413, as from a proxy
    "needs_tokens": 0,  # a request with a smaller max_tokens gets a truncated answer
    "reject": [],  # parameter names that get 400 unsupported_parameter
    "steered": False,
    "drop_rows": 0,  # each so-many-th row of a packed answer is left out
    "votes": None,  # shares of action answers for n > 1, e.g. [0, 0, 1]: index offset of the action
    "echo_key": False,  # error messages hold the key, as some servers do
    "slow_drip_s": 0.0,  # the body arrives a byte at a time over this long
    "keep_bodies": False,  # what was received can be read with bodies()
}


class Server:
    """The application: state, routes and faults."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.reset(config)

    def reset(self, config: dict[str, Any]) -> None:
        """Forgets trace and counters, takes a new configuration."""
        unknown = set(config) - set(CONFIG)
        if unknown:
            raise ValueError(f"unknown configuration {sorted(unknown)}")
        self.config = {**CONFIG, **config}
        self.random = random.Random(self.config["seed"])
        self.rows: list[dict[str, Any]] = []
        self.bodies: list[str] = []
        self.in_flight = 0
        self.peak = 0
        self.number = 0
        self.checked: dict[str, str | None] = {}

    def pick_fault(self) -> str:
        """The fault of the next request; one draw a request, so that shares are exact in mean."""
        self.number += 1
        draw = self.random.random()
        if self.number <= len(self.config["plan"]):
            return self.config["plan"][self.number - 1]
        for name, share in self.config["faults"].items():
            if draw < share:
                return name
            draw -= share
        return ""

    async def chat(self, request: Any) -> Any:
        """POST /v1/chat/completions."""
        begun = time.monotonic()
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        row = {
            "t0": begun,
            "t1": None,
            "status": 0,
            "fault": "",
            "key": "",
            "marker": "",
            "prompt": 0,
        }
        self.rows.append(row)
        try:
            return await self.reply(request, row)
        finally:
            row["t1"] = time.monotonic()
            self.in_flight -= 1

    async def reply(self, request: Any, row: dict[str, Any]) -> Any:
        """One request's answer or fault; fills in its trace row."""
        config = self.config
        raw = await request.read()
        row["key"] = hashlib.sha256(raw).hexdigest()[:24]
        if config["keep_bodies"]:
            self.bodies.append(raw.decode())
        body = json.loads(raw)
        row["marker"] = answers.marker(body)
        low, high = config["latency_s"]
        wait = self.random.uniform(low, high)
        over = config["max_in_flight"] and self.in_flight > config["max_in_flight"]
        refused = self.refuse(request, body)
        if refused is None and not over:
            fault = row["fault"] = self.pick_fault()
        else:
            fault = ""
        if fault == "hang":
            await asyncio.sleep(config["hang_s"])
        if wait and not over:
            await asyncio.sleep(wait)
        if refused is not None:
            return self.error(row, *refused)
        if over or fault == "429":
            return self.error(row, 429, "rate_limit_exceeded", self.retry_after())
        if fault in ("408", "409", "425", "500", "502", "503", "504"):
            return self.error(row, int(fault), "server_error")
        if fault == "reset":
            row["status"] = -1
            request.transport.abort()
            await asyncio.sleep(0)
        from aiohttp import web

        row["status"] = 200
        if fault == "garbage":
            return web.Response(text="<html>upstream", content_type="application/json")
        payload = json.dumps(self.completion(body, fault, row)).encode()
        if config["slow_drip_s"]:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for i in range(20):
                await response.write(payload[i * len(payload) // 20 : (i + 1) * len(payload) // 20])
                await asyncio.sleep(config["slow_drip_s"] / 20)
            return response
        return web.Response(body=payload, content_type="application/json")

    def refuse(self, request: Any, body: dict[str, Any]) -> tuple[Any, ...] | None:
        """What is wrong with the request itself: (status, code, headers, message, parameter)."""
        config = self.config
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if config["status"]:
            return config["status"], "fixed", {}, f"fixed {key if config['echo_key'] else ''}"
        if config["key"] not in (None, key):
            return 401, "invalid_api_key", {}, f"Incorrect API key provided: {key}"
        if config["quota"]:
            return 429, "insufficient_quota"
        if config["models"] is not None and body["model"] not in config["models"]:
            return 404, "model_not_found"
        for name in config["reject"]:
            if name in body:
                return 400, "unsupported_parameter", {}, f"Unsupported: '{name}'", name
        if body.get("logprobs") and not config["logprobs"]:
            return 400, "unsupported_parameter", {}, "logprobs are not supported", "logprobs"
        if body.get("n", 1) > 1 and not config["n"]:
            return 400, "unsupported_parameter", {}, "n must be 1", "n"
        form = body.get("response_format", {}).get("type", "text")
        if form != "text" and not config[form]:
            return 400, "unsupported_value", {}, f"{form} unsupported", "response_format"
        if body.get("tools") and not config["tools"]:
            return 400, "unsupported_parameter", {}, "tools are not supported", "tools"
        schema = None
        if form == "json_schema":
            schema = body["response_format"]["json_schema"]["schema"]
        elif body.get("tools"):
            schema = body["tools"][0]["function"]["parameters"]
        if schema is not None:
            digest = json.dumps(schema)
            if digest not in self.checked:
                self.checked[digest] = answers.schema_fault(schema)
            if fault := self.checked[digest]:
                return 400, "invalid_json_schema", {}, fault, "response_format"
        if 0 < config["max_body_bytes"] < int(request.headers["Content-Length"]):
            return 413, "request_too_large"
        named = config["refuse_pictures_of"]
        bad = bool(named) and named == answers.marker(body)
        if answers.pictures(body) and (bad or not config["pictures"]):
            return 400, "unsupported_image", {}, "this model takes no images", "messages"
        size = sum(len(json.dumps(m)) for m in body["messages"])
        if config["max_prompt_chars"] and size > config["max_prompt_chars"]:
            return 400, "context_length_exceeded", {}, "maximum context length exceeded", "messages"
        return None

    def retry_after(self) -> dict[str, str]:
        """The header of a 429, in the configured style."""
        seconds = self.config["retry_after_s"]
        if self.config["retry_after_style"] == "ms":
            return {"retry-after-ms": str(int(seconds * 1000))}
        if self.config["retry_after_style"] == "date":
            from email.utils import formatdate

            return {"Retry-After": formatdate(time.time() + seconds, usegmt=True)}
        return {"Retry-After": f"{seconds:g}"} if seconds else {}

    def error(
        self,
        row: dict[str, Any],
        status: int,
        code: str,
        headers: dict[str, str] | None = None,
        message: str = "",
        parameter: str | None = None,
    ) -> Any:
        """An error in the API's form."""
        from aiohttp import web

        row["status"] = status
        row["fault"] = row["fault"] or code
        error = {"message": message or code, "type": code, "code": code, "param": parameter}
        return web.json_response({"error": error}, status=status, headers=headers)

    def completion(self, body: dict[str, Any], fault: str, row: dict[str, Any]) -> dict[str, Any]:
        """A chat completion, spoilt by the faults that live inside one."""
        config = self.config
        text = config["fixed_text"] or answers.answer_for(body, config["steered"])
        prompt = sum(len(json.dumps(m)) for m in body["messages"]) // 4
        row["prompt"] = prompt
        row["pictures"] = len(answers.pictures(body))
        finish, refusal = "stop", None
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 1 << 30
        if fault == "truncated" or limit < config["needs_tokens"]:
            text, finish = text[: len(text) // 2], "length"
        elif fault == "refusal":
            text, refusal = None, "I cannot help with that."
        elif fault == "fixed":
            text = config["fixed_answer"]
        elif fault == "blank":
            text = ""
        elif fault == "broken":
            text = text[: len(text) * 2 // 3]
        elif fault == "wrong_schema":
            text = json.dumps({"answer": "click"})
        elif fault == "wrong_label":
            text = json.dumps(
                {"evidence": [], "choice": {"action": "rm_rf", "parameters": {}}, "confidence": 1}
            )
        if config["drop_rows"] and text and '"items"' in text and finish == "stop":
            rows = json.loads(text)["items"]
            kept = [r for i, r in enumerate(rows) if (i + 1) % config["drop_rows"] or len(rows) < 2]
            text = json.dumps({"items": kept})
        choices: list[dict[str, Any]] = []
        count = 1 if config["ignore_n"] else body.get("n", 1)
        for index in range(count):
            content = text
            if config["votes"] and text:
                content = self.vote(text, body, config["votes"][index % len(config["votes"])])
            message: dict[str, Any] = {"role": "assistant", "content": content}
            if refusal:
                message["refusal"] = refusal
            if body.get("tools") and text is not None:
                name = body["tools"][0]["function"]["name"]
                call = {"name": name, "arguments": content}
                message["content"] = None
                message["tool_calls"] = [{"id": "c1", "type": "function", "function": call}]
                finish = "tool_calls" if finish == "stop" else finish
            logprobs = None
            if body.get("logprobs") and content and not config["drop_logprobs"]:
                logprobs = {"content": answers.tokens_of(content, body)}
            choices.append(
                {
                    "index": index,
                    "message": message,
                    "finish_reason": finish,
                    "logprobs": logprobs,
                }
            )
        completion = len(text or "") // 4 * count
        return {
            "id": f"chatcmpl-{self.number}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [] if fault == "empty" else choices,
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            },
        }

    def vote(self, text: str, body: dict[str, Any], offset: int) -> str:
        """The answer with its action moved on by ``offset`` in the sorted list of actions."""
        answer = json.loads(text)
        actions = sorted(answers.suite_actions(body))
        if offset and answer.get("choice", {}).get("action") in actions:
            place = actions.index(answer["choice"]["action"])
            other = actions[(place + offset) % len(actions)]
            parameters = dict.fromkeys(answers.suite_actions(body)[other])
            answer["choice"] = {"action": other, "parameters": parameters}
        return json.dumps(answer)

    async def models(self, _request: Any) -> Any:
        """GET /v1/models."""
        from aiohttp import web

        names = self.config["models"] or ["fake-1"]
        return web.json_response({"object": "list", "data": [{"id": name} for name in names]})

    async def control(self, request: Any) -> Any:
        """GET /__trace, /__bodies, /__count, /__peak; POST /__reset with a configuration."""
        from aiohttp import web

        if request.path == "/__reset":
            self.reset(await request.json())
            return web.json_response({})
        if request.path == "/__count":
            return web.json_response({"count": len(self.rows)})
        if request.path == "/__peak":
            return web.json_response({"peak": self.peak})
        if request.path == "/__bodies":
            return web.json_response(self.bodies)
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        return web.Response(text=lines)


async def serve(config: dict[str, Any]) -> None:
    """Listens on a free port of 127.0.0.1, says which on stdout, ends when its parent is gone."""
    from aiohttp import web

    server = Server(config)
    app = web.Application(client_max_size=256 << 20)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/v1/models", server.models)
    app.router.add_get("/v1/v1/models", server.models)  # where some clients look
    app.router.add_post("/__reset", server.control)
    app.router.add_get("/__trace", server.control)
    app.router.add_get("/__peak", server.control)
    app.router.add_get("/__bodies", server.control)
    app.router.add_get("/__count", server.control)
    # handler_cancellation: the slot of a request whose client went away ends at once.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.5)


class ModelServer(contextlib.AbstractContextManager):
    """The server's process, seen from a test."""

    def __init__(self, **config: Any) -> None:
        command = [sys.executable, __file__, "--config", json.dumps(config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the model server ended with {self.process.wait()}")
        self.port = int(line)
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def _call(self, path: str, data: bytes | None = None) -> bytes:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data)) as reply:
            return reply.read()

    def reset(self, **config: Any) -> None:
        """Forgets the trace and takes a new configuration."""
        self._call("/__reset", json.dumps(config).encode())

    def trace(self) -> list[dict[str, Any]]:
        """All requests since the last reset, in order of arrival."""
        return [json.loads(line) for line in self._call("/__trace").splitlines()]

    def bodies(self) -> list[str]:
        """The raw bodies since the last reset, where ``keep_bodies`` is set."""
        return json.loads(self._call("/__bodies"))

    def count(self) -> int:
        """How many requests have come."""
        return json.loads(self._call("/__count"))["count"]

    def peak(self) -> int:
        """The most requests that were in flight at once."""
        return json.loads(self._call("/__peak"))["peak"]

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="{}")
    asyncio.run(serve(json.loads(parser.parse_args().config)))
