"""Reads timestamps of every kind recorders write, as integer microseconds since the epoch (UTC)."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_S = 946_684_800
"""2000-01-01: nothing was recorded before."""
LATEST_S = 4_102_444_800
"""2100-01-01."""
_EARLIEST_US = EARLIEST_S * 1_000_000
_LATEST_US = LATEST_S * 1_000_000
_FURTHEST_US = 7_258_118_400_000_000
"""2200-01-01: no relative time leads further."""
NO_FLAGS: tuple[str, ...] = ()
NAIVE = ("naive_time",)
RELATIVE = ("relative_time",)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$")
_LONGEST_NUMBER = 64
_BASIC = re.compile(
    r"(?<!\d)(?P<date>\d{4}[_-]?\d\d[_-]?\d\d)[T_ -]?"
    r"(?P<h>\d\d)[:._-]?(?P<m>\d\d)[:._-]?(?P<s>\d\d)"
    r"(?:[.,_-]?(?P<f>\d{1,9}))?(?P<z>Z|[+-]\d\d:?\d\d)?(?![\d:])"
)
_EPOCH_IN_NAME = re.compile(r"(?<![^\W_])(?:\d{10}(?:\.\d+)?|\d{13}|\d{16}|\d{19})(?![^\W_])")


class BadTime(ValueError):
    """A timestamp that gives no date; the message says why, without the value."""


class Clock:
    """Turns the timestamps of one session into microseconds.

    Numbers are seconds, milli-, micro- or nanoseconds since the epoch, by magnitude. What gives no
    date in 2000–2100 in any unit counts seconds from the session's ``created_at`` (flag
    ``relative_time``). On a ``monotonic`` session the first time read is ``created_at``, and all
    others are seconds relative to it.
    """

    def __init__(self, created_us: int | None = None, monotonic: bool = False):
        self.created_us = created_us
        self.monotonic = monotonic
        self.base_us = EARLIEST_S * 1_000_000 if created_us is None else created_us
        """Where relative times begin; 2000-01-01 when the session does not say."""
        self.used_base = False
        self._origin_s: float | None = None

    def read(self, value: Any) -> tuple[int, tuple[str, ...]]:
        """Returns (µs, flags); raises BadTime."""
        kind = type(value)
        if (kind is float or kind is int) and not self.monotonic:
            # Milliseconds, what browsers give: most of all timestamps.
            if 946_684_800_000 <= value < 4_102_444_800_000:
                return round(value * 1000), NO_FLAGS
        elif kind is str:
            if value[4:5] == "-":
                return self._read_iso(value)
            text = value.strip()
            if not _NUMBER.match(text):
                return self._read_iso(text)
            if len(text) > _LONGEST_NUMBER:
                raise BadTime("the number is too large for a time")
            value = float(text) if "." in text or "e" in text.lower() else int(text)
        if type(value) is int:
            if abs(value) > 1 << 63:
                raise BadTime("the number is too large for a time")
        elif type(value) is not float:
            raise BadTime("neither a number nor an ISO-8601 text")
        elif not math.isfinite(value):
            raise BadTime("not a finite number")
        if self.monotonic:
            return self._read_monotonic(value), NO_FLAGS
        if 946_684_800_000 <= value < 4_102_444_800_000:
            return round(value * 1000), NO_FLAGS
        if EARLIEST_S <= value < LATEST_S:
            return round(value * 1_000_000), NO_FLAGS
        if 946_684_800_000_000 <= value < 4_102_444_800_000_000:
            return round(value), NO_FLAGS
        if 946_684_800_000_000_000 <= value < 4_102_444_800_000_000_000:
            return int(value // 1000), NO_FLAGS
        return self._relative(value), RELATIVE

    def _read_iso(self, text: str) -> tuple[int, tuple[str, ...]]:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            if text != text.strip():
                return self._read_iso(text.strip())
            raise BadTime("neither a number nor an ISO-8601 text") from None
        flags = NO_FLAGS
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
            flags = NAIVE
        us = microseconds(moment)
        if _EARLIEST_US <= us < _LATEST_US:
            return us, flags
        # A recorder whose clock was never set counts from the epoch, or from year 1.
        return self._relative(us / 1_000_000), (*flags, *RELATIVE)

    def _relative(self, seconds: float) -> int:
        if abs(seconds) > 1e10:
            raise BadTime("no date in 2000–2100 in any unit, and too large to be relative")
        us = self.base_us + round(seconds * 1_000_000)
        if not 0 <= us < _FURTHEST_US:
            raise BadTime("no date in 2000–2100 in any unit, and too large to be relative")
        self.used_base = True
        return us

    def _read_monotonic(self, seconds: float) -> int:
        if self._origin_s is None:
            self._origin_s = seconds
        return self._relative(seconds - self._origin_s)

    def read_name(self, stem: str) -> int | None:
        """Returns the time in a file's name (ISO-8601 basic time or an epoch number), or None.

        Words, counters and sizes may stand around it: ``0007_1770000000000_click``. Other numbers
        are no times.
        """
        for found in _EPOCH_IN_NAME.findall(stem):
            try:
                us, flags = Clock().read(float(found) if "." in found else int(found))
            except BadTime:
                continue
            if not flags:
                return us
        return self._read_compact(stem)

    def _read_compact(self, stem: str) -> int | None:
        found = _BASIC.search(stem)
        if not found:
            return None
        date = found["date"].replace("-", "").replace("_", "")
        fraction = (found["f"] or "0")[:6].ljust(6, "0")
        zone = (found["z"] or "+0000").replace("Z", "+0000").replace(":", "")
        try:
            moment = datetime.strptime(
                f"{date}{found['h']}{found['m']}{found['s']}{fraction}{zone}", "%Y%m%d%H%M%S%f%z"
            )
        except ValueError:
            return None
        us = microseconds(moment)
        return us if _EARLIEST_US <= us < _LATEST_US else None


def microseconds(moment: datetime) -> int:
    """Returns an aware datetime as integer microseconds since the epoch."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def iso_utc(us: int) -> str:
    """Returns microseconds as ISO-8601 UTC with milliseconds."""
    seconds, rest = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
