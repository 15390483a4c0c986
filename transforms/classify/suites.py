"""Which Suite a session was recorded in."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from urllib.parse import urlsplit

from schemas.catalogue import Catalogue, Suite
from schemas.outcomes import Failure
from schemas.trajectories import PreparedSession
from transforms.catalogue import given_id


def choose_suite(prepared: PreparedSession, catalogue: Catalogue) -> Suite | Failure:
    """Returns the session's Suite, or the fatal Failure ``unknown_suite``.

    The session's own ``suite_id`` (an id or a name) decides; else the catalogue's only Suite; else
    the one whose ``match:`` hosts or windows fit most steps. Two that fit equally often are no
    answer.
    """
    wanted = prepared.session.suite_id
    if wanted:
        for suite in catalogue.suites:
            if wanted == suite.name or given_id(wanted) == suite.id:
                return suite
        return _unknown(prepared, "session.json names a suite that the catalogue doesn't have")
    if len(catalogue.suites) == 1:
        return catalogue.suites[0]
    counts = [(_fitting_steps(prepared, suite), suite) for suite in catalogue.suites]
    best = max(n for n, _ in counts)
    fitting = [suite for n, suite in counts if n == best]
    if not best:
        return _unknown(prepared, "no suite's match: hosts or windows fit; name it in session.json")
    if len(fitting) > 1:
        names = ", ".join(suite.name for suite in fitting)
        return _unknown(prepared, f"several suites fit equally well: {names}")
    return fitting[0]


def _fitting_steps(prepared: PreparedSession, suite: Suite) -> int:
    count = 0
    for step in prepared.steps:
        url = step.action.url or step.observation.url
        window = step.action.window or step.observation.active_window
        count += _host_fits(url, suite.hosts) or glob_fits(window, suite.windows)
    return count


def _host_fits(url: str | None, patterns: Iterable[str]) -> bool:
    if not url:
        return False
    try:
        parts = urlsplit(url if "//" in url else "//" + url)
        names = (parts.netloc.rpartition("@")[2], parts.hostname or "")
    except ValueError:
        return False
    return any(glob_fits(name, patterns) for name in names if name)


def glob_fits(text: str | None, patterns: Iterable[str]) -> bool:
    """Whether a text fits one of the globs, whatever the case."""
    if not text:
        return False
    text = text.lower()
    return any(fnmatch.fnmatchcase(text, pattern.lower()) for pattern in patterns)


def _unknown(prepared: PreparedSession, message: str) -> Failure:
    return Failure(
        session_id=prepared.session.id,
        stage="SegmentTrajectories",
        code="unknown_suite",
        message=message,
        fatal=True,
    )
