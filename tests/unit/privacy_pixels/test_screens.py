"""Rendered screens of invented applications: everything that was marked must be covered."""

import numpy as np
import pytest

from schemas.findings import Found
from schemas.traces import Frame, Viewport
from tests.support.pixel_scores import Score, find_patterns
from tests.support.screen_sessions import render_session
from tests.support.screens import PATTERN_KINDS, browser, render_pages
from transforms.images import decode_image
from transforms.privacy.pixels.locate import locate_regions
from transforms.privacy.pixels.settings import PixelSettings

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


def scored(screens, engine) -> tuple[Score, dict[str, int]]:
    frames = [
        Frame(
            file=str(number),
            timestamp_us=number,
            width=s.width,
            height=s.height,
            format="png",
            size_bytes=len(s.png),
            viewport=Viewport(s.width / s.device_pixel_ratio, 1, s.device_pixel_ratio),
        )
        for number, s in enumerate(screens)
    ]
    images = {f.file: np.asarray(decode_image(s.png, 10**8)) for f, s in zip(frames, screens)}
    names = {m.text for s in screens for m in s.marks if m.kind == "PERSON" and m.whole}
    regions, _, withheld, counts = locate_regions(
        frames,
        lambda frame: images[frame.file],
        find_patterns,
        [Found(name, "PERSON", "ner") for name in sorted(names)],
        lambda frame: (),
        engine,
        PixelSettings(),
    )
    assert withheld == {}
    score = Score()
    for frame, screen in zip(frames, screens):
        score.add(images[frame.file], screen, regions.get(frame.file, ()))
    return score, counts


def test_single_screens(chromium, engine):
    # One screen is no session: names and domains of one must not help with another.
    total = Score()
    for screen in render_pages(chromium, "held_out", range(300, 306)):
        score, _ = scored([screen], engine)
        total.seen.update(score.seen)
        total.covered.update(score.covered)
        total.missed += score.missed
    assert sum(total.seen[kind] for kind in PATTERN_KINDS) > 40
    assert total.share(PATTERN_KINDS) >= 0.98, total.missed
    assert total.share(["PERSON"]) >= 0.98, total.missed
    assert total.share(["NEGATIVE"]) <= 0.05, total.missed


def test_a_session_of_which_only_changes_are_read(chromium, engine):
    screens = render_session(chromium, "held_out", 300, 16)
    score, counts = scored(screens, engine)
    assert counts["ocr/full"] < 8
    assert sum(score.seen[kind] for kind in PATTERN_KINDS) > 60
    assert score.share(PATTERN_KINDS) >= 0.99, score.missed
    assert score.share(["PERSON"]) >= 0.98, score.missed
    assert score.share(["NEGATIVE"]) <= 0.05, score.missed
