"""Target formats: a registry, and what is done with each alike.

A new target is one module with one class of :class:`Target`'s shape and one entry in ``TARGETS``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.examples import Conversation
from schemas.outcomes import Failure
from transforms.synthesize.targets.openai import OpenAiTarget
from transforms.synthesize.targets.sharegpt import ShareGptTarget
from transforms.synthesize.targets.target import ImageSource, Target

__all__ = [
    "TARGETS",
    "ImageSource",
    "Target",
    "render_checked",
    "rows_to_arrow",
    "target_named",
]

STAGE = "ValidateExamples"
TARGETS: dict[str, Target] = {t.name: t for t in (OpenAiTarget(), ShareGptTarget())}
"""Name → format, in the shape of a run whose rows may hold pictures (see :func:`target_named`)."""


def target_named(name: str, images: str = "reference") -> Target:
    """Returns a format in the shape of the run's ``images`` (reference, data_url, none).

    Raises ValueError naming the formats there are.
    """
    if name not in TARGETS:
        raise ValueError(f"unknown target {name!r}; allowed: {', '.join(TARGETS)}")
    return TARGETS[name].for_images(images)


def render_checked(
    conversation: Conversation, target: Target, images: ImageSource
) -> bytes | Failure:
    """Returns the conversation's row as a JSON line (without newline) that passed the check.

    Otherwise Failure ``invalid_example``, naming the target and each rule that is broken.
    """
    row = target.render(conversation, images)
    violations = target.check(row)
    if not violations:
        return orjson.dumps(row)
    more = f" (and {len(violations) - 3} more)" if len(violations) > 3 else ""
    return Failure(
        session_id=conversation.session_id,
        stage=STAGE,
        code="invalid_example",
        message=f"example {conversation.example_id}, target {target.name}: "
        f"{'; '.join(violations[:3])}{more}",
    )


def rows_to_arrow(target: Target | str, lines: Iterable[bytes], images: str = "reference") -> Any:
    """Returns JSONL lines of a target as a ``pyarrow.Table`` with the same columns.

    ``images`` gives the shape where the target is named; it must be that of the run.
    """
    import pyarrow as pa

    if isinstance(target, str):
        target = target_named(target, images)
    rows = [target.columns(orjson.loads(line)) for line in lines]
    return pa.Table.from_pylist(rows, schema=target.arrow_schema())
