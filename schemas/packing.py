"""Structs as msgpack bytes: the form in which receipts cross shuffles.

Every runner and worker knows the coder of bytes, so no edge that a runner may materialise needs
one of ours.
"""

from __future__ import annotations

import functools
from typing import TypeVar

import msgspec

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder(order="deterministic")


@functools.cache
def _decoder(struct: type) -> msgspec.msgpack.Decoder:
    return msgspec.msgpack.Decoder(struct)


def pack(value: msgspec.Struct) -> bytes:
    """Returns the msgpack bytes of a Struct; equal Structs have equal bytes."""
    return _encoder.encode(value)


def unpack(data: bytes, struct: type[T]) -> T:
    """Returns the Struct behind msgpack bytes; raises msgspec.DecodeError for anything else."""
    return _decoder(struct).decode(data)
