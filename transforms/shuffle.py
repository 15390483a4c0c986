"""Spreading packed receipts over workers, through coders that every runner knows.

``beam.Reshuffle`` would do the same with pickled metadata in the graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.portability import common_urns


def _with_key(packed: bytes) -> tuple[bytes, bytes]:
    """A key of its own for each element, so that runners spread them one by one."""
    return hashlib.blake2b(packed, digest_size=8).digest(), packed


def _values(group: tuple[bytes, Iterable[bytes]]) -> Iterable[bytes]:
    return group[1]


class Spread(beam.PTransform):
    """Breaks fusion: what follows runs on as many workers as there are.

    Known to runners as a reshuffle: Flink deals the elements out in turn, where grouping by the
    hash of a key would give one worker more than another. Others do what ``expand`` says.
    """

    def expand(self, packed: Any) -> Any:
        """Bytes → the same bytes, elsewhere."""
        return (
            packed
            | "WithKey" >> beam.Map(_with_key).with_output_types(tuple[bytes, bytes])
            | "Group" >> beam.GroupByKey()
            | "Values" >> beam.FlatMap(_values).with_output_types(bytes)
        )

    def to_runner_api_parameter(self, unused_context: Any) -> tuple[str, None]:
        """Names what this is to runners; see beam:transform:reshuffle:v1."""
        return common_urns.composites.RESHUFFLE.urn, None
