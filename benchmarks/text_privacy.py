"""Measures the text side of the PrivacyFilter: what it finds, what it flags wrongly, how fast.

    python -m benchmarks.text_privacy            all parts
    python -m benchmarks.text_privacy names      names: the curve of precision and recall
    python -m benchmarks.text_privacy patterns   addresses, cards, phones, secrets
    python -m benchmarks.text_privacy prose      flagged spans per 1,000 words of technical prose
    python -m benchmarks.text_privacy speed      side by side with presidio-analyzer, same model
    python -m benchmarks.text_privacy session    a whole session, located and redacted

Names are of locales, texts of packages and templates that training never saw. Both sides of the
speed part run on one core in the same process, on the same texts, with the same spaCy model.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import re
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.text_privacy_data import (
    dom_session,
    held_out_examples,
    pattern_examples,
    secret_lines,
    session_of,
    technical_paragraphs,
)
from transforms.privacy.config import load_scrubber_config
from transforms.privacy.finder import TextFinder
from transforms.privacy.text import SessionScrubber

_WORD = re.compile(r"[^\W_]+")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class NoNames:
    """Finds no names."""

    def find_many(self, texts, kinds):
        """Returns nothing for each text."""
        return [[] for _ in texts]


def score_names(finder: TextFinder, examples: Sequence, label: str = "PERSON") -> dict[str, float]:
    """Token precision and recall of one label, and the share of names missed entirely.

    A token counts as found when any span of that label covers it, for precision; for recall any
    span at all does, since the token is gone then.
    """
    right = flagged = covered = wanted = names = missed = 0
    found = finder.find_many([example.text for example in examples], "prose")
    for example, spans in zip(examples, found):
        for token in _WORD.finditer(example.text):
            gold = _label_at(example.names, token)
            hits = {s.entity for s in spans if s.start < token.end() and token.start() < s.end}
            if gold == label:
                wanted += 1
                covered += bool(hits)
            if label in hits and gold != "USERNAME":
                flagged += 1
                right += gold == label
        for start, end, gold in example.names:
            if gold == label:
                names += 1
                missed += not any(s.start < end and start < s.end for s in spans)
    return {
        "precision": right / max(flagged, 1),
        "recall": covered / max(wanted, 1),
        "missed": missed / max(names, 1),
        "names": names,
    }


def _label_at(names, token) -> str:
    for start, end, label in names:
        if start < token.end() and token.start() < end:
            return label
    return ""


def names_part() -> None:
    """Prints the curve for names, and the chosen thresholds' row."""
    config = load_scrubber_config(None)
    examples = held_out_examples(2000)
    names = TextFinder(config).names
    print("names (held-out locales, templates and sentences), tokens")
    for threshold in (*THRESHOLDS, None):
        scores = dict(config.names.min_score)
        if threshold is not None:
            scores["PERSON"] = threshold
        changed = dataclasses.replace(
            config, names=dataclasses.replace(config.names, min_score=scores)
        )
        names.min_score = scores
        row = score_names(TextFinder(changed, names), examples)
        mark = f"{threshold:.1f}" if threshold is not None else f"{scores['PERSON']} (packaged)"
        print(
            f"  PERSON >= {mark:16} precision {row['precision']:.3f}  recall {row['recall']:.3f}"
            f"  missed entirely {row['missed']:.3f}  ({row['names']} names)"
        )


def prose_part(words: int = 40_000) -> None:
    """Prints flagged spans per 1,000 words of technical prose, by entity."""
    config = load_scrubber_config(None)
    finder = TextFinder(config)
    paragraphs = technical_paragraphs(words)
    counted = sum(len(p.split()) for p in paragraphs)
    counts = Counter(s.entity for spans in finder.find_many(paragraphs, "prose") for s in spans)
    total = sum(counts.values()) * 1000 / counted
    by_entity = ", ".join(f"{k} {v * 1000 / counted:.2f}" for k, v in counts.most_common())
    print(f"technical prose, {counted} words of held-out packages: {total:.1f} per 1,000 words")
    print(f"  {by_entity}")


def patterns_part() -> None:
    """Prints recall of pattern entities and secrets, and false lines."""
    finder = TextFinder(load_scrubber_config(None), NoNames())
    examples = pattern_examples(400)
    for entity, cases in examples.items():
        found = finder.find_many([text for text, _, _ in cases], "prose")
        full = sum(
            any(s.start <= start and end <= s.end for s in spans)
            for (_, start, end), spans in zip(cases, found)
        )
        print(f"  {entity:10} recall {full / len(cases):.4f}  ({len(cases)} cases)")
    positives, negatives = secret_lines(1500, 4000)
    found = finder.find_many([text for text, _ in positives], "prose")
    full = sum(
        all(any(s.start <= i < s.end for s in spans) for i in range(start, start + len(value)))
        for (text, value), spans in zip(positives, found)
        for start in [text.index(value)]
    )
    false = sum(
        any(s.entity in ("SECRET", "PASSWORD") for s in spans)
        for spans in finder.find_many(negatives, "prose")
    )
    print(f"  secrets    recall {full / len(positives):.4f}  ({len(positives)} lines)")
    print(f"  secrets    false lines {false} of {len(negatives)}")


def _presidio(nlp):
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from transforms.privacy.patterns import keep_off_the_network

    keep_off_the_network()

    class Engine(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "bundled"}])

        def load(self) -> None:
            self.nlp = {"en": nlp}

    engine = Engine()
    engine.load()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


def speed_part(seconds: float) -> None:
    """Prints KB per CPU second of both sides, and their ratios."""
    import logging

    from presidio_analyzer import BatchAnalyzerEngine

    from transforms.privacy.name_model import load_bundled
    from transforms.privacy.names import BUNDLED

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    config = load_scrubber_config(None)
    nlp = load_bundled(BUNDLED)
    presidio = _presidio(nlp)
    batches = BatchAnalyzerEngine(analyzer_engine=presidio)
    prose = [e.text for e in held_out_examples(1500)] + technical_paragraphs(15_000)
    random.Random(3).shuffle(prose)
    snapshots = dom_session(steps=30, nodes=1200)

    def ours_cold(texts):
        finder = TextFinder(config)
        return lambda: finder.find_many(texts, "prose")

    def ours_session():
        finder = TextFinder(config)

        def run():
            for texts in snapshots:
                finder.find_many(texts, "prose")

        return run

    def peer_single(texts):
        return lambda: [presidio.analyze(text, language="en") for text in texts]

    def peer_batch(texts):
        return lambda: list(batches.analyze_iterator(texts, language="en", batch_size=256))

    cold = _fitting(prose, peer_single, seconds)
    warm = [text for texts in snapshots for text in texts]
    some = _fitting(warm, peer_single, seconds)
    rates = {
        "prose, ours": _rate(ours_cold(prose), prose),
        "prose, presidio analyze()": _rate(peer_single(cold), cold),
        "prose, presidio batch": _rate(peer_batch(cold), cold),
        "DOM session, ours": _rate(ours_session(), warm),
        "DOM session, presidio analyze()": _rate(peer_single(some), some),
        "DOM session, presidio batch": _rate(peer_batch(some), some),
    }
    for name, rate in rates.items():
        print(f"  {name:34} {rate:9.1f} KB per CPU second")
    for kind in ("prose", "DOM session"):
        for peer in ("analyze()", "batch"):
            ratio = rates[f"{kind}, ours"] / rates[f"{kind}, presidio {peer}"]
            print(f"  {kind}: {ratio:.1f} x presidio {peer}")


def session_part(steps: int = 40, nodes: int = 1200) -> None:
    """Prints the rate at which a whole DOM-heavy session is located and redacted."""
    config = load_scrubber_config(None)
    work, trees = session_of(dom_session(steps, nodes))
    scrubber = SessionScrubber(TextFinder(config), config, bytes(32))
    started = time.process_time()
    values, _ = scrubber.locate(work, trees)
    located = time.process_time()
    result = scrubber.redact(work, trees, values)
    done = time.process_time()
    size = sum(len(text) for text in result.dom.values()) / 1024
    print(f"  {steps} snapshots of {nodes} nodes, {size:.0f} KB, {len(values)} values")
    print(f"  locate {located - started:.2f} s, redact {done - located:.2f} s CPU")
    print(f"  {size / (done - started):.0f} KB per CPU second, both passes")


def _rate(run, texts: Sequence[str]) -> float:
    started = time.process_time()
    run()
    spent = time.process_time() - started
    return sum(len(text.encode("utf-8", "replace")) for text in texts) / 1024 / max(spent, 1e-9)


def _fitting(texts: Sequence[str], runner, seconds: float) -> list[str]:
    """As many texts from the front as the slower side reads in about this time."""
    probe = list(texts[:100])
    runner(probe)()
    started = time.process_time()
    runner(probe)()
    each = (time.process_time() - started) / len(probe)
    return list(texts[: max(100, int(seconds / max(each, 1e-9)))])


def main() -> None:
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ("names", "prose", "patterns", "speed", "session")
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[], metavar="PART")
    parser.add_argument("--seconds", type=float, default=20.0, help="CPU seconds per slow side")
    args = parser.parse_args()
    for part in args.parts or parts:
        print(f"== {part}", flush=True)
        if part == "speed":
            speed_part(args.seconds)
        else:
            {
                "names": names_part,
                "prose": prose_part,
                "patterns": patterns_part,
                "session": session_part,
            }[part]()


if __name__ == "__main__":
    main()
