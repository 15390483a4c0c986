"""How far confidence can be trusted after 50, 300 and 1,500 labels.

Run it with `python -m benchmarks.calibration`.

Simulated sessions of sixteen invented applications, no hints. In each of twenty draws eight
applications give the labels and the other eight are what is measured, over all their segments:
expected calibration error over ten bins of equal mass. ``distort`` replaces the classifier's
confidences by what a badly calibrated one would say (a function of the raw logit), to see that the
fit mends it.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Sequence

from pipeline.calibrate import Label
from tests.support.invented_apps import HELD_OUT, TUNED
from tests.support.labelled_segments import labelled_segments
from transforms.classify.calibration import expected_calibration_error, fit

DRAWS = 20
DISTORTIONS: dict[str, Callable[[float], float]] = {
    "as it is": lambda z: z,
    "overconfident": lambda z: 2.5 * z + 1,
    "underconfident": lambda z: 0.3 * z - 1,
    "flat (0.90 to 0.98)": lambda z: math.log(9) + 1.7 / (1 + math.exp(-z)),
}


def distorted(label: Label, distortion: Callable[[float], float]) -> Label:
    """Returns the label with another confidence."""
    p = min(0.999, max(0.001, label.confidence))
    z = distortion(math.log(p / (1 - p)))
    return label._replace(confidence=1 / (1 + math.exp(-z)))


def error_after(pool: Sequence[Label], held_out: Sequence[Label], count: int, seed: int) -> float:
    """Draws ``count`` labels, fits, and returns the error on the held-out segments."""
    drawn = random.Random(seed).sample(list(pool), count) if count else []
    said = [x.confidence for x in held_out]
    if drawn:
        calibration = fit(
            [x.confidence for x in drawn], [x.right for x in drawn], [x.group for x in drawn]
        )
        said = [calibration.apply(x.confidence, x.group) for x in held_out]
    return expected_calibration_error(said, [x.right for x in held_out])


def main() -> None:
    """Prints the median and the largest error of the draws, by number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=40, help="of each application")
    given = parser.parse_args()
    apps = [*TUNED, *HELD_OUT]
    labels = labelled_segments(apps, range(given.sessions))
    print(f"{sum(map(len, labels.values()))} segments of {len(apps)} applications")
    for name, distortion in DISTORTIONS.items():
        own = {app: [distorted(x, distortion) for x in found] for app, found in labels.items()}
        for only in ("all segments", "actions only"):
            told = []
            for count in (0, 50, 300, 1500):
                errors = []
                for seed in range(DRAWS):
                    fitted = set(random.Random(seed).sample(sorted(own), len(own) // 2))
                    pool = [x for app in fitted for x in own[app]]
                    held_out = [
                        x
                        for app in sorted(own)
                        if app not in fitted
                        for x in own[app]
                        if only == "all segments" or x.group != "none"
                    ]
                    assert len(held_out) >= 1000
                    errors.append(error_after(sorted(pool), held_out, count, seed))
                told.append(f"{count}: {statistics.median(errors):.3f} (max {max(errors):.3f})")
            print(f"{name:<22}{only:<14}" + "  ".join(told))


if __name__ == "__main__":
    main()
