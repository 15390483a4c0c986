"""What of the input is no session: counted for everybody, named under PRIVATE alone.

Nothing is passed over in silence, but names of files and folders may be those of people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from transforms import storage
from transforms.ingest.find import PassedOver

NAME = "passed_over.jsonl"


def keep_passed_over(private: str, found: Sequence[PassedOver]) -> dict[str, int]:
    """Writes the names to ``PRIVATE/passed_over.jsonl``; returns kind → number."""
    uri = storage.join(private, NAME)
    if found:
        lines = (msgspec.json.encode(one) + b"\n" for one in found)
        storage.write_bytes(uri, b"".join(lines), mode=0o600)
    else:
        storage.delete(uri)
    return dict(sorted(Counter(one.kind for one in found).items()))


def told(counts: Mapping[str, int], private: str) -> list[str]:
    """Returns the line that says so to a person, if there is anything to say."""
    if not counts:
        return []
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return [f"passed over: {kinds}; named in {storage.join(private, NAME)}"]
