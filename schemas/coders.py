"""How our types cross a shuffle: msgpack by msgspec, registered under a URN of our own.

Without this Beam would fall back to pickling. Workers must have imported this module before they
decode a graph, so launchers pass it as ``--beam_plugin`` (see ``pipeline/runner.py``).
"""

from __future__ import annotations

import importlib
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.coders import Coder

from schemas import receipts, traces, work

URN = "tracemill:coder:struct:v1"


class StructCoder(Coder):
    """Encodes one msgspec Struct type as msgpack."""

    def __init__(self, struct: type[msgspec.Struct]):
        self._struct = struct
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._decoder = msgspec.msgpack.Decoder(struct)

    @classmethod
    def from_type_hint(cls, typehint: type[msgspec.Struct], registry: Any) -> StructCoder:
        """Returns the coder of the Struct type that Beam's registry was asked for."""
        return cls(typehint)

    def encode(self, value: Any) -> bytes:
        """Returns the msgpack bytes of ``value``."""
        return self._encoder.encode(value)

    def decode(self, encoded: bytes) -> Any:
        """Returns the Struct behind msgpack bytes."""
        return self._decoder.decode(encoded)

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


STRUCTS = (
    traces.SessionRef,
    work.SessionWork,
    work.ResultWork,
    receipts.Receipt,
    receipts.ShardSummary,
    receipts.VersionPlan,
)


def register() -> None:
    """Registers the coder of every type that is an element of the graph."""
    for struct in STRUCTS:
        beam.coders.registry.register_coder(struct, StructCoder)


register()
