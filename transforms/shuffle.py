"""Spreading packed receipts over workers, through coders that every runner knows.

``beam.Reshuffle`` would do the same with pickled metadata in the graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.portability import common_urns


def _with_key(packed: bytes) -> tuple[bytes, bytes]:
    """A key of its own for each element, so that runners spread them one by one."""
    return hashlib.blake2b(packed, digest_size=8).digest(), packed


def _value(pair: tuple[bytes, bytes]) -> bytes:
    return pair[1]


def _pairs(group: tuple[bytes, Iterable[bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for packed in group[1]:
        yield group[0], packed


class _Deal(beam.PTransform):
    """What runners know as a reshuffle of pairs.

    Flink deals them out in turn, where grouping by the hash of a key would give one worker more
    than another. Others do what ``expand`` says.
    """

    def expand(self, pairs: Any) -> Any:
        """(key, bytes) → the same pairs, elsewhere."""
        return (
            pairs
            | "Group" >> beam.GroupByKey()
            | "Pairs" >> beam.FlatMap(_pairs).with_output_types(tuple[bytes, bytes])
        )

    def to_runner_api_parameter(self, unused_context: Any) -> tuple[str, None]:
        """Names it to runners: beam:transform:reshuffle:v1."""
        return common_urns.composites.RESHUFFLE.urn, None


class Spread(beam.PTransform):
    """Breaks fusion: what follows runs on as many workers as there are."""

    def expand(self, packed: Any) -> Any:
        """Bytes → the same bytes, elsewhere."""
        return (
            packed
            | "WithKey" >> beam.Map(_with_key).with_output_types(tuple[bytes, bytes])
            | "Deal" >> _Deal()
            | "Values" >> beam.Map(_value).with_output_types(bytes)
        )
