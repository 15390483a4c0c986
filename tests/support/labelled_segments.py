"""Segments of simulated sessions, what the offline classifier said, and whether it was right."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.agreement import Prediction, judged
from pipeline.calibrate import Label
from tests.support.invented_apps import App
from tests.support.simulator import simulate
from transforms.classify.calibration import group_of
from transforms.classify.offline import OfflineClassifier
from transforms.classify.session import classify_session


def labelled_segments(apps: Sequence[App], seeds: range) -> dict[str, list[Label]]:
    """Returns application → labels of its sessions' segments, actions and ``none`` alike."""
    classifier = OfflineClassifier()
    found: dict[str, list[Label]] = {}
    for app in apps:
        own = found.setdefault(app.name, [])
        for seed in seeds:
            simulated = simulate(app, seed)
            steps = simulated.prepared.steps
            groups, predictions = {}, []
            for c in classify_session(simulated.prepared, simulated.catalogue, classifier, 0.8)[2]:
                ids = (e for i in c.segment.step_indices for e in steps[i].action.raw_event_ids)
                groups[c.segment.id] = group_of(c.said_action, c.said_source)
                predictions.append(
                    Prediction(
                        session_id=simulated.truth.session_id,
                        segment_id=c.segment.id,
                        suite=app.name,
                        action=c.said_action,
                        parameters={},
                        confidence=c.said_confidence,
                        status="review",
                        event_ids=frozenset(ids),
                    )
                )
            events = {simulated.truth.session_id: simulated.events}
            own += [
                Label(p.confidence, groups[p.segment_id], right)
                for p, right in judged(predictions, [simulated.truth], events)
                if p.confidence is not None
            ]
    return found
