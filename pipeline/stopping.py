"""SIGTERM and Ctrl-C end a run in order: children first, then locks and servers, then the process.

Threads of the runner may be in the middle of a session and can't be ended, so the process is left
without waiting for them. What they had not finished is made again by the next run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn


class Stopped(KeyboardInterrupt):
    """The process was asked to end; ``code`` is its exit code."""

    def __init__(self, signal_number: int):
        super().__init__(signal_number)
        self.code = 128 + signal_number


_asked: list[int] = []


def stop_on_signals() -> None:
    """Makes SIGTERM and SIGINT raise Stopped in the main thread."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _raise_stopped)


def _raise_stopped(number: int, *unused: Any) -> None:
    if not _asked:  # once is enough
        _asked.append(number)
        raise Stopped(number)


def was_asked() -> bool:
    """Whether a signal came."""
    return bool(_asked)


def raise_if_asked() -> None:
    """Raises Stopped if a signal came: a runner may have made another exception of it."""
    if _asked:
        raise Stopped(_asked[0])


def leave(code: int) -> NoReturn:
    """Ends this process and what it started, running exit handlers but waiting for no thread."""
    # Threads that lose their server now would say so with a stack each.
    threading.excepthook = lambda unused: None
    for pid in _children(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _children(parent: int) -> list[int]:
    """Returns all processes below ``parent``; nothing where there is no /proc."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found, new = [], [parent]
    while new:
        new = [pid for pid, above in parents.items() if above in new]
        found += new
    return found
