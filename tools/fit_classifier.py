"""Fits the offline classifier on simulated sessions: `python tools/fit_classifier.py`.

Every step that could finish something is one observation: the features of all actions and of
`none`, and which of them the person really did there. A conditional logit with a ridge penalty is
fitted by Newton's method on the applications in `invented_apps.TUNED`; those in `HELD_OUT` are
never read here. Prints the two tables to be copied into `transforms/classify/scoring.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from schemas.classifications import NONE_ACTION
from tests.support.invented_apps import TUNED
from tests.support.simulator import Simulated, simulate
from transforms.classify.evidence import SessionFacts, can_submit, gather
from transforms.classify.scoring import (
    FEATURES,
    NONE_FEATURES,
    none_features,
    score_actions,
    suite_words,
)
from transforms.classify.segment import Cutter

Observation = tuple[np.ndarray, int]
"""One row of features per choice (the last is `none`), and the row that is true."""


def observe(simulated: Simulated) -> list[Observation]:
    """The observations of one session; segments begin where the truth says."""
    session = SessionFacts(simulated.prepared)
    words = suite_words(simulated.catalogue.suites[0])
    names = [row.action.name for row in words]
    last = {t.last_event_id: t.action for t in simulated.truth.actions}
    steps = simulated.prepared.steps
    cutter = Cutter(session, words, range(len(steps)))
    free, found = 0, []
    for position, facts in enumerate(cutter.facts):
        done = next((last[e] for e in facts.action.raw_event_ids if e in last), NONE_ACTION)
        candidate = facts.commits or session.asks(facts) or can_submit(facts)
        if candidate or done != NONE_ACTION:
            first = cutter.grow(free, position)
            evidence = gather(session, range(first, position + 1))
            scores = score_actions(words, evidence)
            rows = np.zeros((len(scores) + 1, len(FEATURES) + len(NONE_FEATURES)))
            rows[:-1, : len(FEATURES)] = [s.features for s in scores]
            rows[-1, len(FEATURES) :] = none_features(evidence)
            found.append((rows, names.index(done) if done in names else len(names)))
        if done != NONE_ACTION or facts.commits:
            free = position + 1
    return found


def fit(observations: list[Observation], ridge: float, rounds: int = 30) -> np.ndarray:
    """Maximises the penalised likelihood; returns one weight per feature."""
    size = observations[0][0].shape[1]
    weights = np.zeros(size)
    for _ in range(rounds):
        gradient = -ridge * weights
        hessian = ridge * np.eye(size)
        for rows, true in observations:
            logits = rows @ weights
            p = np.exp(logits - logits.max())
            p /= p.sum()
            mean = p @ rows
            gradient += rows[true] - mean
            hessian += (rows * p[:, None]).T @ rows - np.outer(mean, mean)
        step = np.linalg.solve(hessian, gradient)
        weights += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-4:
            break
    return weights


def main() -> None:
    """Simulates, fits and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=40, help="per application")
    parser.add_argument("--ridge", type=float, default=3.0)
    options = parser.parse_args()
    observations = [
        observation
        for app in TUNED
        for seed in range(1000, 1000 + options.sessions)
        for observation in observe(simulate(app, seed))
    ]
    weights = fit(observations, options.ridge)
    right = sum(int(np.argmax(rows @ weights)) == true for rows, true in observations)
    print(f"# {len(observations)} observations, {right / len(observations):.3f} right")
    for name, weight in zip([*FEATURES, *NONE_FEATURES], weights):
        print(f'    "{name}": {weight:.2f},')


if __name__ == "__main__":
    main()
