"""The coders of sessions on their way between fused steps: msgpack, under a URN of our own.

Without them Beam would put pickling coders into the graph. What crosses a shuffle is bytes
(``schemas.packing``) and needs none of ours: a worker meets these coders only after it has loaded
one of our steps, and with it this module.
"""

from __future__ import annotations

import importlib
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.coders import Coder

from schemas import work
from schemas.packing import pack, unpack

URN = "tracemill:coder:struct:v1"
NOMINAL_BYTES = 1 << 16


class StructCoder(Coder):
    """Encodes one msgspec Struct type as msgpack."""

    def __init__(self, struct: type[msgspec.Struct]):
        self._struct = struct

    @classmethod
    def from_type_hint(cls, typehint: type[msgspec.Struct], registry: Any) -> StructCoder:
        """Returns the coder of the Struct type that Beam's registry was asked for."""
        return cls(typehint)

    def encode(self, value: Any) -> bytes:
        """Returns the msgpack bytes of ``value``."""
        return pack(value)

    def decode(self, encoded: bytes) -> Any:
        """Returns the Struct behind msgpack bytes."""
        return unpack(encoded, self._struct)

    def estimate_size(self, value: Any) -> int:
        """Returns a nominal size: to encode a session only to count its bytes would be waste."""
        return NOMINAL_BYTES

    def is_deterministic(self) -> bool:
        """Equal Structs have equal bytes, so they may be keys."""
        return True

    def to_type_hint(self) -> type:
        """Returns the Struct type."""
        return self._struct

    def to_runner_api_parameter(self, unused_context: Any) -> tuple[str, bytes, tuple[()]]:
        """Puts ``module:Class`` in the graph instead of a pickled coder."""
        return URN, f"{self._struct.__module__}:{self._struct.__qualname__}".encode(), ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StructCoder) and other._struct is self._struct

    def __hash__(self) -> int:
        return hash(self._struct)

    def __reduce__(self):
        return StructCoder, (self._struct,)


@Coder.register_urn(URN, bytes)
def _from_runner_api(payload: bytes, unused_components: Any, unused_context: Any) -> StructCoder:
    module, _, name = payload.decode().partition(":")
    if module.partition(".")[0] != "schemas":
        raise ValueError(f"coder for {module}:{name}: only types of the schemas package have one")
    return StructCoder(getattr(importlib.import_module(module), name))


STRUCTS = (work.SessionWork, work.ResultWork)


def register() -> None:
    """Registers the coder of every type that is an element of the graph."""
    for struct in STRUCTS:
        beam.coders.registry.register_coder(struct, StructCoder)


register()
