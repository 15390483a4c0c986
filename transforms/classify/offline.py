"""The default classifier: hints and words, no model, no key, no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.catalogue import Model, Suite
from schemas.classifications import NONE_ACTION, Candidate, Classification
from transforms.classify.calibration import Calibration, calibrated
from transforms.classify.classifier import SegmentContext
from transforms.classify.evidence import SegmentEvidence, SessionFacts, can_submit, gather
from transforms.classify.hints import expects_change
from transforms.classify.page import page_sources
from transforms.classify.parameters import Filled, fill_parameters
from transforms.classify.scoring import ActionWords, Score, score_actions, suite_words
from transforms.classify.segment import FULL_HINT
from transforms.keys import derived_uuid

MODEL_NAME = "offline-rules"
VERSION = "1"
CANDIDATES = 3

IDLE_CONFIDENCE = 0.98
"""That steps in which nothing was pressed or entered are no action."""
SURE_SCORE = 0.6
"""A required parameter with a weaker score is looked for on the page as well."""
RULE_CONFIDENCE = 0.93
"""Of a segment that full hints of one action fit and of no other."""
UNANSWERED_CONFIDENCE = 0.7
"""Of one whose hints name a changing request that the recording, which has others, lacks."""


class OfflineClassifier:
    """Matches hints and weighs words; deterministic, and honest about what it can't know."""

    model = Model(
        id=derived_uuid("model", "CUSTOM", MODEL_NAME), provider="CUSTOM", name=MODEL_NAME
    )
    prompt_version = f"rules-{VERSION}"

    def __init__(
        self, configuration: dict[str, Any] | None = None, calibration: Calibration | None = None
    ) -> None:
        self.configuration = dict(configuration or {})
        self.calibration = calibration
        self._session: SessionFacts | None = None
        self._suite: Suite | None = None
        self._words: tuple[ActionWords, ...] = ()

    def classify(self, context: SegmentContext) -> Classification:
        """Returns the most likely action with its parameters; ``none`` when nothing fits."""
        session, words = self._facts(context)
        evidence = gather(session, context.segment.step_indices)
        scores = score_actions(words, evidence)
        winner, confidence, source = judge(scores, evidence)
        filled = self._filled(context, winner, evidence)
        ranked = sorted(scores, key=lambda s: (-s.hinted, -s.probability, s.action.name))
        found = Classification(
            segment=context.segment,
            action=winner.action.name if winner else NONE_ACTION,
            parameters=filled.values if filled else {},
            evidence=filled.evidence if filled else (),
            confidence=round(confidence, 4),
            confidence_source=source,
            candidates=tuple(
                Candidate(s.action.name, round(max(min(s.hinted, 1.0), s.probability), 4))
                for s in ranked[:CANDIDATES]
            ),
            model_id=self.model.id,
            model=self.model.name,
        )
        return calibrated(found, self.calibration)

    def _filled(
        self, context: SegmentContext, winner: Score | None, evidence: SegmentEvidence
    ) -> Filled | None:
        """The winner's parameters; what is missing or vague is looked for on the page."""
        if winner is None:
            return None
        required = [p.name for p in winner.action.parameters if p.required]
        if all(winner.filled.scores.get(name, 0.0) >= SURE_SCORE for name in required):
            return winner.filled
        around = page_sources(context.prepared, evidence.trigger)
        return fill_parameters(
            winner.action,
            (*evidence.sources, *around),
            evidence.trigger,
            winner.matches,
            evidence.opener,
        )

    def _facts(self, context: SegmentContext) -> tuple[SessionFacts, tuple[ActionWords, ...]]:
        """Facts of the session and words of the suite, kept while the same ones come again."""
        if self._session is None or self._session.prepared is not context.prepared:
            self._session = SessionFacts(context.prepared)
        if self._suite is not context.suite:
            self._suite, self._words = context.suite, suite_words(context.suite)
        return self._session, self._words


def judge(scores: Sequence[Score], evidence: SegmentEvidence) -> tuple[Score | None, float, str]:
    """Returns the winning action (None for ``none``), the confidence 0–1 and its source."""
    full = [s for s in scores if s.hinted >= FULL_HINT]
    if full:
        return _judge_hinted(full, evidence)
    none = max(1 - sum(s.probability for s in scores), 0.0)
    if not any(s.commits or can_submit(s) or s.is_entry for s in evidence.steps):
        return None, max(none, IDLE_CONFIDENCE), "lexical"
    if not any(s.commits or can_submit(s) for s in evidence.steps) and not evidence.asks:
        # Something was entered and never sent: at most a change of what is shown.
        scores = [s for s in scores if s.reads]
        none = 1 - sum(s.probability for s in scores)
        if not scores:
            return None, none, "lexical"
    best = max(scores, key=lambda s: (s.probability, s.action.name))
    if none >= best.probability:
        return None, none, "lexical"
    return best, best.probability, "lexical"


def _judge_hinted(full: Sequence[Score], evidence: SegmentEvidence) -> tuple[Score, float, str]:
    def strength(score: Score) -> tuple[float, float]:
        on_trigger = any(
            m.step == evidence.trigger.index and m.weight >= FULL_HINT for m in score.matches
        )
        specificity = max(m.specificity for m in score.matches if m.weight >= FULL_HINT)
        return (score.hinted + 0.3 * on_trigger + 0.05 * specificity, score.probability)

    ranked = sorted(full, key=strength, reverse=True)
    best = ranked[0]
    confidence = RULE_CONFIDENCE
    kinds = {
        (bool(m.hint.request), bool(m.hint.event or m.hint.keys or m.hint.name))
        for m in best.matches
        if m.weight >= FULL_HINT
    }
    if len(kinds) > 1:
        confidence += 0.04
    if expects_change(best.action) and evidence.has_network and not evidence.commits:
        confidence = UNANSWERED_CONFIDENCE
    if len(ranked) > 1:
        margin = strength(best)[0] - strength(ranked[1])[0]
        if margin < 0.05:
            together = best.probability + ranked[1].probability
            share = best.probability / together if together else 0.5
            confidence = min(confidence, share)
        elif margin < 0.2:
            confidence -= 0.08
    return best, confidence, "rules"
