"""Records the bundled sessions again: `python examples/record.py [--only NAME …]`.

A scripted person works in the demo applications of `apps/` with a real Chromium; its events,
frames, DOM snapshots and network traffic become `sessions/<session-id>/`, and what the person did
becomes `truth.jsonl`. Needs the `record` extra (playwright) and an installed Chromium; the
environment variable CHROMIUM may name its executable.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

EXAMPLES_DIR = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLES_DIR))

try:
    from playwright.sync_api import Browser, Playwright, sync_playwright
except ImportError:
    sys.exit("record.py: playwright is missing; install it with: pip install 'tracemill[record]'")

from apps.board.api import BoardApp  # noqa: E402
from apps.mail.api import TOKEN, MailApp  # noqa: E402
from apps.recorder import RecorderApp  # noqa: E402
from apps.server import App, AppServer  # noqa: E402
from apps.shop.api import ShopApp  # noqa: E402
from check import check_examples  # noqa: E402
from recording import board_scripts, mail_scripts, shop_scripts  # noqa: E402
from recording.alien_sample import SOURCE, TASK, write_alien_sample  # noqa: E402
from recording.person import Person  # noqa: E402
from recording.scripts import Script  # noqa: E402
from recording.session_files import (  # noqa: E402
    RecordedSession,
    network_entries,
    read_jsonl,
    write_jsonl,
    write_session,
)

SESSIONS_DIR = EXAMPLES_DIR / "sessions"
ALIEN_DIR = EXAMPLES_DIR / "alien" / TASK
TRUTH_FILE = EXAMPLES_DIR / "truth.jsonl"
CAPTURE_SCRIPT = EXAMPLES_DIR / "recording" / "capture.js"
SCRIPTS = [*mail_scripts.SCRIPTS, *shop_scripts.SCRIPTS, *board_scripts.SCRIPTS]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str:
    """The browser's executable, or an exit that says what to install."""
    wanted = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in ([wanted] if wanted else CHROMIUM_NAMES)]
    for path in found:
        if path:
            return path
    sys.exit(
        f"record.py: no Chromium found (looked for {wanted or ', '.join(CHROMIUM_NAMES)}); install "
        "the package `chromium`, or name an executable in the environment variable CHROMIUM"
    )


def launch(playwright: Playwright, executable: str, port: int) -> Browser:
    """Starts a browser that finds every `*.test` host at the local server and talks to nobody."""
    return playwright.chromium.launch(
        executable_path=executable,
        args=[
            *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--disable-component-update", "--disable-sync", "--no-first-run", "--lang=en-US"),
            f"--host-resolver-rules=MAP *.test 127.0.0.1:{port}",
        ],
    )


def record(playwright: Playwright, executable: str, script: Script) -> RecordedSession:
    """Lets the person of one script work, and returns what was captured."""
    apps: list[App] = [MailApp(), ShopApp(), BoardApp(), RecorderApp()]
    session = RecordedSession(record={}, xml_dom=script.xml_dom, sidecars=script.sidecars)
    with AppServer(apps) as server, tempfile.TemporaryDirectory() as scratch:
        browser = launch(playwright, executable, server.server_port)
        har = Path(scratch) / "traffic.har"
        context = browser.new_context(
            viewport={"width": script.viewport[0], "height": script.viewport[1]},
            device_scale_factor=script.pixel_ratio,
            has_touch=script.touch,
            is_mobile=script.touch,
            locale="en-US",
            timezone_id="UTC",
            record_har_path=har,
            record_har_content="embed",
        )
        context.add_init_script(path=CAPTURE_SCRIPT)
        if script.logged_in:
            cookie = {"name": "pb_session", "value": TOKEN, "url": "http://postbox.test/"}
            context.add_cookies([cookie])  # type: ignore[list-item]
        person = Person(context, session, seed=script.name)
        started = datetime.now(UTC)
        person.open(script.url)
        script.run(person)
        person.page.wait_for_timeout(100)
        context.close()
        browser.close()
        session.network = network_entries(har)
    session.record = session_record(script, started)
    return session


def session_record(script: Script, created_at: datetime) -> dict[str, object]:
    """The Session record that goes into session.json."""
    optional = {
        "suite_id": script.suite,
        "description": script.description,
        "recorder": script.recorder,
    }
    return {
        "id": script.session_id,
        "user_id": script.user_id,
        "created_at": created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "storage_path": f"sessions/{script.session_id}",
        **{name: value for name, value in optional.items() if value},
    }


def update_truth(script: Script, session: RecordedSession) -> None:
    """Replaces this session's line of the truth, keeping the order of the scripts."""
    lines = (
        {row["session_id"]: row for row in read_jsonl(TRUTH_FILE)} if TRUTH_FILE.exists() else {}
    )
    lines[script.session_id] = {"session_id": script.session_id, "actions": session.truth}
    order = [script.session_id for script in SCRIPTS]
    write_jsonl(TRUTH_FILE, [lines[name] for name in order if name in lines])


def main() -> None:
    """Records all sessions, or those named."""
    names = [script.name for script in SCRIPTS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names)
    options = parser.parse_args()
    executable = find_chromium()
    with sync_playwright() as playwright:
        for script in SCRIPTS:
            if script.name not in options.only:
                continue
            start = time.monotonic()
            session = record(playwright, executable, script)
            write_session(session, SESSIONS_DIR / script.session_id)
            update_truth(script, session)
            if script.name == SOURCE:
                write_alien_sample(SESSIONS_DIR / script.session_id, ALIEN_DIR)
            print(
                f"{script.name}: {len(session.events)} events, {len(session.snapshots)} frames, "
                f"{len(session.network)} requests, {len(session.truth)} actions, "
                f"{time.monotonic() - start:.0f} s"
            )
    problems = check_examples(EXAMPLES_DIR)
    sys.exit("\n".join(problems) if problems else None)


if __name__ == "__main__":
    main()
