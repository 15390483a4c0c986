"""Turns raw confidences into probabilities, from labels: Platt scaling, or isotonic with many.

Few labels move a confidence only a little: slope, offset and the shift of each group have normal
priors around "the raw confidence is right". Groups are what confidences of one classifier may be
wrong about in different ways: the answer ``none``, and each source of a confidence.

Sources: J. Platt, "Probabilistic outputs for support vector machines" (1999); the penalty is the
maximum a posteriori form of H.-T. Lin, C.-J. Lin, R. Weng (2007); R. Barlow et al., pool adjacent
violators, for the isotonic fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.classifications import NONE_ACTION, Classification

ISOTONIC_FROM = 1000
"""Labels from which on the isotonic fit is preferred; below, it follows the noise."""
EDGE = 1e-3
"""Raw confidences are kept this far from 0 and 1, where their logit is infinite."""
SLOPE_SPREAD = 1.0
OFFSET_SPREAD = 2.0
SHIFT_SPREAD = 1.0
"""Standard deviations of the priors, in logits; offset and shifts at the mean of the labels."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A map 0-1 → 0-1 that is monotone within each group, and how many labels it rests on."""

    kind: str
    """platt or isotonic (over the Platt curve)."""
    labels: int
    slope: float = 1.0
    offset: float = 0.0
    shifts: dict[str, float] = {}
    """Group → what is added to its logits; a group without labels has none."""
    knots: tuple[tuple[float, float], ...] = ()
    """isotonic: (Platt probability, probability), ascending; linear between, flat outside."""

    def apply(self, raw: float, group: str = "") -> float:
        """Returns the probability that an answer of this raw confidence is right."""
        curve = _sigmoid(self.slope * _logit(raw) + self.offset + self.shifts.get(group, 0.0))
        return round(_between(self.knots, curve) if self.knots else curve, 6)

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON-able builtins."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Calibration:
        """Reads what :meth:`to_dict` wrote; raises msgspec.ValidationError for anything else."""
        return msgspec.convert(data, cls, strict=False)


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """The calibration of one model configuration, as a calibration file holds it."""

    model: str
    model_configuration: dict[str, Any]
    calibration: Calibration


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """What ``evaluate --fit`` writes and ``--calibration`` reads."""

    version: int
    fitted: tuple[Fitted, ...]

    def of(self, model: str, configuration: Mapping[str, Any]) -> Calibration | None:
        """Returns the calibration of a model configuration, or None when it has no labels."""
        for entry in self.fitted:
            if entry.model == model and entry.model_configuration == configuration:
                return entry.calibration
        return None


def group_of(action: str | None, source: str) -> str:
    """Returns the group of an answer: ``none``, or the source of its confidence."""
    return NONE_ACTION if action == NONE_ACTION else source


def calibrated(found: Classification, calibration: Calibration | None) -> Classification:
    """Notes what the classifier itself said, and replaces its confidence by a probability."""
    found = msgspec.structs.replace(
        found,
        said_action=found.action,
        said_confidence=found.confidence,
        said_source=found.confidence_source,
    )
    raw = found.confidence
    if calibration is None or isinstance(raw, bool) or not isinstance(raw, int | float):
        return found
    if not 0 <= raw <= 1:
        return found
    group = group_of(found.action, found.confidence_source)
    return msgspec.structs.replace(found, confidence=calibration.apply(raw, group), calibrated=True)


def fit(
    raw: Sequence[float], right: Sequence[bool], groups: Sequence[str] | None = None
) -> Calibration:
    """Fits Platt scaling below 1,000 labels, isotonic regression from there on."""
    if len(raw) != len(right) or not raw or (groups is not None and len(groups) != len(raw)):
        raise ValueError("as many labels as confidences, and at least one")
    if len(raw) >= ISOTONIC_FROM:
        return fit_isotonic(raw, right, groups)
    return fit_platt(raw, right, groups)


def fit_platt(
    raw: Sequence[float], right: Sequence[bool], groups: Sequence[str] | None = None
) -> Calibration:
    """Fits a logistic curve over the logit of the raw confidence; never a falling one."""
    of = list(groups or [""] * len(raw))
    # Labels are pooled by (confidence, group): their order must not matter to the last digit.
    pooled: dict[tuple[float, str], list[int]] = {}
    for r, t, g in zip(raw, right, of):
        entry = pooled.setdefault((float(r), g), [0, 0])
        entry[0] += bool(t)
        entry[1] += 1
    # One group alone is told by the offset.
    names = sorted(set(of)) if len(set(of)) > 1 else []
    keys = sorted(pooled)
    slope, offset, shifts = _most_likely(
        [_logit(r) for r, _ in keys],
        [[float(g == name) for name in names] for _, g in keys],
        [pooled[k][0] for k in keys],
        [pooled[k][1] for k in keys],
    )
    return Calibration(
        kind="platt",
        labels=len(raw),
        slope=round(slope, 9),
        offset=round(offset, 9),
        shifts={name: round(s, 9) for name, s in zip(names, shifts)},
    )


def _most_likely(
    logits: Sequence[float],
    members: Sequence[Sequence[float]],
    hits: Sequence[int],
    counts: Sequence[int],
) -> tuple[float, float, list[float]]:
    """Newton's method with the priors as ridge; returns (slope, offset, shifts)."""
    import numpy as np

    n = np.array(counts, float)
    k = np.array(hits, float)
    x = np.array(logits)
    centre = float(x @ n / n.sum())
    rows = np.column_stack([x - centre, np.ones(len(x)), np.array(members).reshape(len(x), -1)])
    groups = rows.shape[1] - 2
    prior = np.array([1.0, centre, *[0.0] * groups])
    spread = [SLOPE_SPREAD, OFFSET_SPREAD, *[SHIFT_SPREAD] * groups]
    ridge = np.diag([1 / s**2 for s in spread])

    def climb(free: Any, start: Any) -> Any:
        weights = start.copy()
        for _ in range(100):
            p = 1 / (1 + np.exp(-np.clip(rows @ weights, -40, 40)))
            gradient = rows.T @ (k - n * p) - ridge @ (weights - prior)
            hessian = (rows * (n * p * (1 - p))[:, None]).T @ rows + ridge
            step = np.zeros_like(weights)
            step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
            # Far from the peak the curve is flat: a full step would overshoot.
            weights = weights + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
            if np.abs(step).max() < 1e-10:
                break
        return weights

    everything = np.arange(len(prior))
    weights = climb(everything, prior)
    if weights[0] < 0:
        # More confidence for less truth is no information: one probability for all of a group.
        flat = prior.copy()
        flat[0] = 0.0
        weights = climb(everything[1:], flat)
    slope = float(weights[0])
    return slope, float(weights[1]) - slope * centre, [float(w) for w in weights[2:]]


def fit_isotonic(
    raw: Sequence[float], right: Sequence[bool], groups: Sequence[str] | None = None
) -> Calibration:
    """Fits the best non-decreasing steps over the Platt curve, then joins their middles."""
    platt = fit_platt(raw, right, groups)
    blocks: list[list[float]] = []  # [sum of confidences, sum of right, count], pooled
    grouped: dict[float, list[float]] = {}
    for r, t, g in zip(raw, right, groups or [""] * len(raw)):
        entry = grouped.setdefault(platt.apply(r, g), [0.0, 0.0])
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
        rising.append((round(x, 9), round(max(p, rising[-1][1]) if rising else p, 9)))
    return msgspec.structs.replace(platt, kind="isotonic", knots=tuple(rising))


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
