"""Turns raw confidences into probabilities, from labels: Platt scaling, or isotonic with many.

Sources: J. Platt, "Probabilistic outputs for support vector machines" (1999), with the target
smoothing proposed there; H.-T. Lin, C.-J. Lin, R. Weng (2007) for its Newton iteration; R. Barlow
et al., pool adjacent violators, for the isotonic fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import msgspec

ISOTONIC_FROM = 1000
"""Labels from which on the isotonic fit is preferred; below, it follows the noise."""
EDGE = 1e-4
"""Raw confidences are kept this far from 0 and 1, where their logit is infinite."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A monotone map 0-1 → 0-1, and how many labels it rests on."""

    kind: str
    """platt, isotonic or constant."""
    labels: int
    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    """isotonic: (raw, probability), ascending; linear between, flat outside."""

    def apply(self, raw: float) -> float:
        """Returns the probability that an answer of this raw confidence is right."""
        if self.kind == "isotonic":
            return round(_between(self.knots, raw), 6)
        return round(_sigmoid(self.slope * _logit(raw) + self.offset), 6)

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-able builtins."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Calibration:
        """Reads what :meth:`to_dict` wrote; raises msgspec.ValidationError for anything else."""
        return msgspec.convert(data, cls, strict=False)


def fit(raw: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Fits Platt scaling below 1,000 labels, isotonic regression from there on."""
    if len(raw) != len(right) or not raw:
        raise ValueError("as many labels as confidences, and at least one")
    if len(raw) >= ISOTONIC_FROM:
        return fit_isotonic(raw, right)
    return fit_platt(raw, right)


def fit_platt(raw: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Fits a logistic curve over the logit of the raw confidence; never a falling one.

    Labels count as (n₊+1)/(n₊+2) and 1/(n₋+2), so that few labels, or labels that are all right,
    give no certainty.
    """
    positive = sum(map(bool, right))
    negative = len(right) - positive
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    xs = [_logit(r) for r in raw]
    ts = [high if r else low for r in right]
    slope, offset = _newton(xs, ts)
    if slope < 0 or max(xs) - min(xs) < 1e-9:
        # More confidence for less truth is no information: one probability for all.
        mean = sum(ts) / len(ts)
        return Calibration(kind="constant", labels=len(raw), slope=0.0, offset=_logit(mean))
    return Calibration(kind="platt", labels=len(raw), slope=slope, offset=offset)


def _newton(xs: Sequence[float], ts: Sequence[float]) -> tuple[float, float]:
    slope, offset = 0.0, _logit(sum(ts) / len(ts))
    loss = _loss(xs, ts, slope, offset)
    for _ in range(100):
        g_a = g_b = h_aa = h_ab = h_bb = 0.0
        for x, t in zip(xs, ts):
            p = _sigmoid(slope * x + offset)
            d, w = p - t, p * (1 - p)
            g_a, g_b = g_a + d * x, g_b + d
            h_aa, h_ab, h_bb = h_aa + w * x * x, h_ab + w * x, h_bb + w
        if abs(g_a) < 1e-7 and abs(g_b) < 1e-7:
            break
        h_aa, h_bb = h_aa + 1e-9, h_bb + 1e-9
        determinant = h_aa * h_bb - h_ab * h_ab
        d_a = -(h_bb * g_a - h_ab * g_b) / determinant
        d_b = -(h_aa * g_b - h_ab * g_a) / determinant
        step = 1.0
        while step > 1e-10:
            new = _loss(xs, ts, slope + step * d_a, offset + step * d_b)
            if new < loss:
                slope, offset, loss = slope + step * d_a, offset + step * d_b, new
                break
            step /= 2
        else:
            break
    return slope, offset


def _loss(xs: Sequence[float], ts: Sequence[float], slope: float, offset: float) -> float:
    total = 0.0
    for x, t in zip(xs, ts):
        z = slope * x + offset
        # log(1 + e^z) − t·z without overflow
        total += max(z, 0.0) + math.log1p(math.exp(-abs(z))) - t * z
    return total


def fit_isotonic(raw: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Fits the best non-decreasing step function, then joins the middles of its steps."""
    blocks: list[list[float]] = []  # [sum of raw, sum of right, count], pooled
    grouped: dict[float, list[float]] = {}
    for r, t in zip(raw, right):
        entry = grouped.setdefault(float(r), [0.0, 0.0])
        entry[0] += bool(t)
        entry[1] += 1
    for r in sorted(grouped):
        hits, count = grouped[r]
        blocks.append([r * count, hits, count])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last)]
    # One more right and one more wrong answer in each block: a block of few is never certain.
    knots = [(s / n, (hits + 1) / (n + 2)) for s, hits, n in blocks]
    rising: list[tuple[float, float]] = []
    for x, p in knots:
        rising.append((x, max(p, rising[-1][1]) if rising else p))
    return Calibration(kind="isotonic", labels=len(raw), knots=tuple(rising))


def expected_calibration_error(
    confidences: Sequence[float], right: Sequence[bool], bins: int = 10
) -> float:
    """Returns the mean gap between confidence and accuracy over bins of equal mass."""
    order = sorted(range(len(confidences)), key=lambda i: confidences[i])
    total = 0.0
    for b in range(bins):
        part = order[b * len(order) // bins : (b + 1) * len(order) // bins]
        if part:
            mean = sum(confidences[i] for i in part) / len(part)
            accuracy = sum(bool(right[i]) for i in part) / len(part)
            total += abs(mean - accuracy) * len(part)
    return total / len(order) if order else 0.0


def _between(knots: Sequence[tuple[float, float]], x: float) -> float:
    if x <= knots[0][0]:
        return knots[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(knots):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return knots[-1][1]


def _logit(p: float) -> float:
    p = min(1 - EDGE, max(EDGE, p))
    return math.log(p / (1 - p))


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))
