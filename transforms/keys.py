"""The project key and what is derived from it.

Nothing published is a hash of raw bytes: ids that stand for raw material are HMACs under the
project key, so that only its holder can link them. Same key: same ids.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid

from transforms import storage

NAMESPACE = uuid.UUID("6f2d4f0e-58a4-5a53-9c0c-7d1f4e0c2a11")
"""Namespace of every uuid5 that tracemill derives."""


class ProjectKeyError(Exception):
    """The project key file is unusable; the message says why and what to do."""


def load_project_key(uri: str, create: bool = True) -> bytes:
    """Reads the 32-byte project key (hex), making it (mode 0600) on first use."""
    try:
        text = storage.read_bytes(uri, 4096)
    except FileNotFoundError:
        if not create:
            raise ProjectKeyError(f"{uri}: no such project key") from None
        text = os.urandom(32).hex().encode() + b"\n"
        if not storage.put_if_absent(uri, text, mode=0o600):
            text = storage.read_bytes(uri, 4096)
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ProjectKeyError(
            f"{uri}: expected 64 hexadecimal digits (32 bytes), found something else"
        )
    return key


def keyed_hex(key: bytes, *parts: str, size: int = 16) -> str:
    """Returns a hexadecimal HMAC-SHA256 over length-prefixed parts, cut to ``size`` bytes."""
    message = b"".join(
        len(p.encode("utf-8", "surrogatepass")).to_bytes(4, "big")
        + p.encode("utf-8", "surrogatepass")
        for p in parts
    )
    return hmac.new(key, message, hashlib.sha256).digest()[:size].hex()


def session_key(project_key: bytes, session_id: str) -> bytes:
    """Returns the key of one session (surrogates, placeholders, pixel patterns)."""
    return bytes.fromhex(keyed_hex(project_key, "session", session_id, size=32))


def published_session_id(project_key: bytes, session_id: str) -> str:
    """A UUID stays (lower case); anything else becomes a UUID derived with the project key."""
    try:
        return str(uuid.UUID(session_id))
    except ValueError:
        number = int(keyed_hex(project_key, "session-id", session_id), 16)
        # Version 8 (RFC 9562, custom) and the variant, which Python 3.11 cannot set by itself.
        number = number & ~(0xF000 << 64) | 0x8000 << 64
        number = number & ~(0xC000 << 48) | 0x8000 << 48
        return str(uuid.UUID(int=number))


def derived_uuid(*parts: str) -> str:
    """Returns the uuid5 of a path of names."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def stable_hash(*parts: object, size: int = 16) -> str:
    """Returns a hexadecimal hash of JSON-able parts, equal in every process and version."""
    import msgspec

    data = msgspec.json.encode(parts, order="sorted")
    return hashlib.blake2b(data, digest_size=size).hexdigest()
