"""Every reply that was paid for, kept by the content of its request; first writer wins.

An entry is one object ``<2 hex>/<key>.json`` on any storage: a JSON line of key and checksum, then
the value. An entry that is torn, or that belongs to another key, is copied to ``quarantine/`` and
treated as missing; the next reply takes its place only if it is still the same damaged bytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from transforms import storage

VERSION = 1


class _Head(msgspec.Struct):
    key: str
    checksum: str


def request_key(*parts: Any) -> str:
    """Hashes the canonical JSON of everything that affects an answer.

    Not part of it: the key, time-outs, limits and where the endpoint is.
    """
    data = msgspec.json.encode([VERSION, *parts], order="sorted")
    return hashlib.sha256(data).hexdigest()


def _checksum(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=16).hexdigest()


class ReplyCache:
    """Content-addressed values under one folder; safe with any number of processes."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.quarantined = 0

    def path(self, key: str) -> str:
        """Returns where the entry of ``key`` is."""
        return storage.join(self.root, key[:2], f"{key}.json")

    def get(self, key: str) -> bytes | None:
        """Returns the value, or None when there is none or it is damaged."""
        data, _ = storage.read_with_version(self.path(key))
        if data is None:
            return None
        value = _opened(key, data)
        if value is None:
            self._quarantine(key, data)
        return value

    def put(self, key: str, value: bytes) -> bytes:
        """Stores the value unless one is there; returns the one that is there now."""
        head = msgspec.json.encode(_Head(key, _checksum(value)))
        data = head + b"\n" + value
        uri = self.path(key)
        # Not synced: that takes longer than all else, within a slot. What a power failure tears is
        # found by its checksum.
        if storage.put_if_absent(uri, data, outlives_power=False):
            return value
        current, version = storage.read_with_version(uri)
        winner = None if current is None else _opened(key, current)
        if winner is not None:
            return winner
        if current is not None:
            self._quarantine(key, current)
        if storage.replace_if_unchanged(uri, data, version):
            return value
        return self.get(key) or value

    def _quarantine(self, key: str, data: bytes) -> None:
        self.quarantined += 1
        name = f"{key}.{_checksum(data)}"
        storage.put_if_absent(storage.join(self.root, "quarantine", name), data)


def _opened(key: str, data: bytes) -> bytes | None:
    line, _, value = data.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, ValueError):  # ValueError: no UTF-8
        return None
    return value if head.key == key and head.checksum == _checksum(value) else None
