"""One run at a time on one output, wherever it lies.

Locally the kernel's lock, which ends with its process. On an object store an object that is created
only if absent and renewed while the run is at work; it ends by itself when it is not renewed any
more. The lock spares work and confusion, correctness doesn't rest on it: versions are named by
their content, and the manifest is replaced by compare-and-swap.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import threading
import time
from collections.abc import Iterator

import msgspec

from pipeline.options import UsageError
from transforms import storage

RENEWED_S = 15.0
EXPIRES_S = 60.0


class _Held(msgspec.Struct):
    owner: str
    renewed: float
    """Seconds since the epoch, by the owner's clock."""


@contextlib.contextmanager
def only_run(output: str) -> Iterator[None]:
    """Refuses a second run on one output while the first is at work: UsageError."""
    with _local_lock(output) if storage.is_local(output) else RemoteLock(output):
        yield


@contextlib.contextmanager
def _local_lock(output: str) -> Iterator[None]:
    folder = storage.local_path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a+b")
    except OSError as error:
        raise storage.StorageError(f"{output}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{output}: another run is at work there") from None
        yield


class RemoteLock:
    """A lock in an object store, as a context."""

    def __init__(self, output: str, renewed_s: float = RENEWED_S, expires_s: float = EXPIRES_S):
        self.output, self.uri = output, storage.join(output, ".lock.json")
        self.renewed_s, self.expires_s = renewed_s, expires_s
        self.owner = secrets.token_hex(8)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> RemoteLock:
        if not storage.put_if_absent(self.uri, self._data()) and not self._mine():
            self._take_over()
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._done.set()
        self._thread.join(2)
        with contextlib.suppress(storage.StorageError):
            if self._mine():
                storage.delete(self.uri)

    def _data(self) -> bytes:
        return msgspec.json.encode(_Held(self.owner, time.time()))

    def _read(self) -> tuple[_Held | None, str]:
        data, version = storage.read_with_version(self.uri)
        try:
            return (msgspec.json.decode(data, type=_Held) if data else None), version
        except msgspec.MsgspecError:
            return None, version

    def _mine(self) -> bool:
        held, _ = self._read()
        return held is not None and held.owner == self.owner

    def _take_over(self) -> None:
        """Takes a lock that nobody renews; watches it first, since clocks may differ."""
        held, version = self._read()
        age = time.time() - held.renewed if held else self.expires_s
        if age < self.expires_s:
            raise UsageError(
                f"{self.output}: another run is at work there; if it was killed, its lock ends in "
                f"{self.expires_s - max(age, 0):.0f} s"
            )
        if version:
            time.sleep(2 * self.renewed_s)
        if not storage.replace_if_unchanged(self.uri, self._data(), version) and not self._mine():
            raise UsageError(f"{self.output}: another run is at work there")

    def _renew(self) -> None:
        while not self._done.wait(self.renewed_s):
            with contextlib.suppress(storage.StorageError):
                held, version = self._read()
                if held is None or held.owner != self.owner:
                    return
                storage.replace_if_unchanged(self.uri, self._data(), version)
