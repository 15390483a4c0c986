"""What a person sees of a run: a live line on a terminal, plain lines elsewhere, a page."""

from __future__ import annotations

import contextlib
import html
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline import spending

PLAIN_EVERY_S = 15.0
LIVE_EVERY_S = 0.25


class Report:
    """Tells a person how the run is going."""

    def __init__(self, total: int | None, stream: TextIO | None = None):
        self.total = total
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()

    @contextlib.contextmanager
    def watch(self, progress: str) -> Iterator[None]:
        """Shows the progress file's growth while the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._follow, args=(progress, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _follow(self, progress: str, done: threading.Event) -> None:
        started = time.monotonic()
        sessions = steps = failed = at = 0
        last = ""
        while True:
            finished = done.wait(LIVE_EVERY_S if self.live else PLAIN_EVERY_S)
            with contextlib.suppress(FileNotFoundError), open(progress, encoding="ascii") as f:
                f.seek(at)
                for line in iter(f.readline, ""):
                    if not line.endswith("\n"):
                        break
                    at += len(line)
                    n, bad, _ = line.split()
                    sessions, steps, failed = sessions + 1, steps + int(n), failed + int(bad)
            line = self._line(sessions, steps, failed, time.monotonic() - started)
            if self.live:
                self.stream.write("\r\x1b[K" + line + ("\n" if finished else ""))
            elif line != last and sessions:
                self.stream.write(line + "\n")
            self.stream.flush()
            last = line
            if finished:
                return

    def _line(self, sessions: int, steps: int, failed: int, seconds: float) -> str:
        of = f"/{self.total}" if self.total else ""
        text = (
            f"{sessions}{of} sessions · {steps / max(seconds, 0.001):.0f} steps/s · {failed} failed"
        )
        if self.total and 0 < sessions < self.total:
            left = seconds / sessions * (self.total - sessions)
            text += f" · {left:.0f} s left"
        return text


def ending(output: str, summary: dict[str, Any], seconds: float) -> list[str]:
    """Returns the lines that name what a run wrote."""
    counts = summary["counts"]
    done = counts.get("examples/COMPLETED", 0)
    lines = [
        f"{summary['sessions']} sessions ({summary['reused_sessions']} done before, "
        f"{summary['failed_sessions']} failed), {summary['steps']} steps, "
        f"{summary['examples']} examples: {done} completed, {summary['pending_examples']} waiting "
        f"for review; {seconds:.1f} s",
        f"privacy: {summary['privacy']}",
        *([spending.line(summary["model"])] if summary.get("model") else []),
        f"{output}/dataset                version {summary['version']}",
    ]
    for name, rows in summary["rows"].items():
        lines.append(f"  {name:<32}{rows:>8} rows")
    if summary["pending_examples"]:
        lines.append(f"{output}/review/queue.jsonl    segments that wait for an answer")
    if summary["failures"]:
        codes = {k.removeprefix("failures/"): n for k, n in counts.items() if k[:9] == "failures/"}
        lines.append("failures: " + ", ".join(f"{n} {code}" for code, n in codes.items()))
    lines.append(f"{output}/run/{summary['run_id']}/     summary.json, audit, report/index.html")
    return lines


def first_example(output: str) -> list[str]:
    """Returns one example's messages, cut to a screen's width, or nothing when there is none."""
    import orjson

    folder = Path(output) / "dataset" / "examples"
    for path in sorted(folder.glob("*/messages.jsonl"))[:1]:
        lines = [f"one example, {path.relative_to(output)}:"]
        for raw in path.read_bytes().splitlines()[:8]:
            message = orjson.loads(raw)
            text = message.get("content") or ""
            for call in message.get("tool_calls", []):
                function = call.get("function", call)
                text += f" → {function['name']}({function['arguments']})"
            text = " ".join(str(text).split())
            lines.append(f"  {message['role']:<10}{text[:150]}{'…' if len(text) > 150 else ''}")
        return lines
    return []


def write_page(output: str, summary: dict[str, Any], seconds: float) -> Path:
    """Writes ``run/<run-id>/report/index.html``: the summary as a page without any script."""
    rows = []
    for title, values in _sections(summary):
        cells = "".join(
            f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>"
            for k, v in values.items()
        )
        rows.append(f"<h2>{html.escape(title)}</h2><table>{cells}</table>")
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>tracemill run</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;"
        "color:#222}table{border-collapse:collapse;width:100%}td{border-bottom:1px solid #ddd;"
        "padding:.25rem .5rem}td:last-child{text-align:right;font-variant-numeric:tabular-nums;"
        "word-break:break-all}h2{font-size:1.05rem;margin:1.8rem 0 .4rem}</style>"
        f"<h1>tracemill run {html.escape(summary['run_id'])}</h1>"
        f"<p>{'Published' if summary['published'] else 'Not published'} as version "
        f"<code>{html.escape(summary['version'])}</code> in {seconds:.1f} s; privacy "
        f"{html.escape(summary['privacy'])}.</p>{''.join(rows)}</html>"
    )
    path = Path(output) / "run" / summary["run_id"] / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _sections(summary: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        "Sessions and examples",
        {
            k: summary[k]
            for k in (
                "sessions",
                "failed_sessions",
                "reused_sessions",
                "steps",
                "examples",
                "pending_examples",
                "failures",
            )
        },
    )
    ledger = dict(summary["ledger"])
    dropped = ledger.pop("dropped", {})
    if summary.get("model"):
        yield "Model", summary["model"]
    yield "Ledger (raw = kept + merged + dropped)", ledger
    if dropped:
        yield "Dropped events, by reason", dropped
    if summary["failed"]:
        yield "Failed sessions, by code", summary["failed"]
    if summary.get("passed_over"):
        yield "Passed over: no session", summary["passed_over"]
    groups: dict[str, dict[str, int]] = {}
    for name, n in summary["counts"].items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = n
    for group, values in groups.items():
        yield group.capitalize(), values
    yield "Rows written", summary["rows"]
    yield (
        "Configuration",
        {
            k: summary["configuration"][k]
            for k in ("targets", "classifier", "model", "min_confidence", "tracemill")
        },
    )
