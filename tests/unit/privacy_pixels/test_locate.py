import re

import msgspec
import numpy as np
import pytest
from PIL import Image

from schemas.findings import Found, Region, Span
from schemas.traces import Viewport
from tests.support.drawn import draw, frames_of, ink_rect, png
from transforms.images import ImageDefect, decode_image
from transforms.privacy.pixels.engine import Line, RecognitionTimeout, load_engine
from transforms.privacy.pixels.locate import detection_scale, locate_regions
from transforms.privacy.pixels.models import models_folder
from transforms.privacy.pixels.redact import redact_frame
from transforms.privacy.pixels.settings import PixelSettings
from transforms.session_files import DamagedFileError

SSN = "578-22-9140"


def find(text: str) -> list[Span]:
    return [Span(m.start(), m.end(), "SSN") for m in re.finditer(r"\d{3}-\d{2}-\d{4}", text)]


def locate(images, engine, values=(), mode="blur", dom=lambda frame: (), load=None, **options):
    frames = frames_of(images)
    by_file = {frame.file: image for frame, image in zip(frames, images, strict=True)}
    return locate_regions(
        frames,
        load or (lambda frame: by_file[frame.file]),
        find,
        values,
        dom,
        engine,
        PixelSettings(mode=mode, **options),
    )


def covers(regions, rect) -> bool:
    return any(
        r.x0 <= rect[0] and r.y0 <= rect[1] and r.x1 >= rect[2] and r.y1 >= rect[3] for r in regions
    )


def test_a_pattern_is_found_by_the_recognisers_and_its_ink_is_covered(engine):
    image = draw([(20, 20, "Number"), (120, 20, SSN), (20, 70, "Nothing to see")])
    regions, found, withheld, counts = locate([image], engine)
    (region,) = regions["0000.png"]
    assert covers([region], ink_rect(120, 20, SSN))
    assert region.x0 > 90 and region.y1 < 60, "the label and the other line stay"
    assert region.value == SSN
    assert [(f.value, f.origin, f.propagates) for f in found] == [(SSN, "pixel", True)]
    assert withheld == {}
    assert counts["pixels/SSN"] == 1


def test_a_known_name_is_found_and_a_frame_without_one_has_no_regions(engine):
    images = [draw([(30, 60, "Reply to Bram Olsavik")]), draw([(30, 60, "Reply to everyone")])]
    regions, *_ = locate(images, engine, [Found("Bram Olsavik", "PERSON", "ner")])
    assert list(regions) == ["0000.png"]
    left = ink_rect(30, 60, "Reply to ")[2]
    rect = ink_rect(30, 60, "Reply to Bram Olsavik")
    assert covers(regions["0000.png"], (left + 8, rect[1], rect[2], rect[3]))


def test_a_value_that_one_frame_shows_whole_is_covered_while_it_is_being_typed(engine):
    typed = ["57", "578-2", "578-22-914", SSN]
    images = [draw([(20, 20, "Number"), (120, 60, text)]) for text in typed]
    regions, *_ = locate(images, engine)
    for number, text in enumerate(typed):
        assert covers(regions[f"{number:04}.png"], ink_rect(120, 60, text)), text


def test_what_a_menu_leaves_to_be_seen_is_covered(engine):
    whole = draw([(60, 60, f"Number {SSN} of 2024")])
    covered = whole.copy()
    covered[40:100, 60:190] = (230, 240, 250)
    rest = ink_rect(60, 60, f"Number {SSN}")
    for images in ([whole, covered], [covered, whole]):
        regions, *_ = locate(images, engine)
        number = 1 if images[0] is whole else 0
        assert covers(regions[f"000{number}.png"], (196, rest[1], rest[2] - 1, rest[3]))


def test_boxes_from_the_dom_are_united_with_those_from_pixels(engine):
    image = draw([(120, 20, SSN)])
    inside = Region(118, 18, 214, 38, "SSN", SSN)
    apart = Region(10, 100, 90, 120, "PASSWORD", "hunter2")
    regions, *_ = locate([image], engine, dom=lambda frame: (inside, apart))
    assert len(regions["0000.png"]) == 2
    assert apart in regions["0000.png"]


def test_boxes_of_all_the_times_at_which_a_file_was_shown_are_covered(engine):
    image = draw([(120, 20, SSN)])
    first, second = frames_of([image, image])
    second = msgspec.structs.replace(second, file=first.file)
    boxes = {
        first.timestamp_us: [Region(10, 100, 90, 120, "PASSWORD")],
        second.timestamp_us: [Region(200, 100, 290, 120, "OTP")],
    }
    regions, *_ = locate_regions(
        [first, second],
        lambda frame: image,
        find,
        (),
        lambda frame: boxes[frame.timestamp_us],
        engine,
        PixelSettings(),
    )
    assert {r.entity for r in regions[first.file]} == {"SSN", "PASSWORD", "OTP"}


def test_every_text_is_covered_unread_in_mode_all_text(engine):
    texts = [(20, 20, "Hello there"), (120, 70, SSN)]
    regions, found, _, counts = locate([draw(texts)], engine, mode="all_text")
    assert all(covers(regions["0000.png"], ink_rect(*text)) for text in texts)
    assert {r.value for r in regions["0000.png"]} == {""}
    assert found == ()
    assert counts["pixels/TEXT"] == 2


def test_nothing_is_published_unread_without_an_engine():
    regions, _, withheld, _ = locate([draw([]), draw([])], None)
    assert (regions, withheld) == ({}, {f"000{n}.png": "no_ocr_engine" for n in (0, 1)})


def test_withhold_publishes_no_frame_and_off_touches_none():
    assert locate([draw([])], None, mode="withhold")[2] == {"0000.png": "withheld"}
    assert locate([draw([])], None, mode="off") == ({}, (), {}, {})


@pytest.mark.parametrize(
    "error", [ImageDefect("truncated"), DamagedFileError("truncated", "cut off")]
)
def test_a_frame_that_does_not_decode_is_withheld_and_the_others_are_read(engine, error):
    images = [draw([(20, 20, SSN)]) for _ in range(3)]

    def load(frame):
        if frame.file == "0001.png":
            raise error
        return images[0]

    regions, _, withheld, _ = locate(images, engine, load=load)
    assert withheld == {"0001.png": "truncated"}
    assert sorted(regions) == ["0000.png", "0002.png"]


class Partial:
    """An engine that reads one line, of which a stretch is in a script that it does not know."""

    def detect(self, image_rgb, scale=1.0):
        return [(20.0, 20.0, 200.0, 40.0)]

    def recognize(self, image_rgb, boxes, deadline=None):
        return [Line(*boxes[0], "Assigned to", (30.0,) * 11, 0.99, unread=((150.0, 196.0),))]


def test_of_a_line_that_was_read_in_part_the_rest_is_covered():
    regions, *_ = locate([draw([(24, 22, "Assigned to somebody")])], Partial())
    (region,) = regions["0000.png"]
    assert (region.entity, region.value) == ("TEXT", "")
    assert 140 <= region.x0 <= 150 and 196 <= region.x1 <= 206


class Failing:
    """An engine that detects but cannot read, or cannot even detect."""

    def __init__(self, engine, error, detects=True):
        self.engine, self.error, self.detects = engine, error, detects

    def detect(self, image_rgb, scale=1.0):
        if not self.detects:
            raise self.error
        return self.engine.detect(image_rgb, scale)

    def recognize(self, image_rgb, boxes, deadline=None):
        raise self.error

    def lines(self, image_rgb, scale=1.0, deadline=None):
        raise self.error


@pytest.mark.parametrize(
    "error, count",
    [(RecognitionTimeout(), "timed_out"), (RuntimeError("out of memory"), "failed")],
)
def test_when_recognition_fails_all_text_goes(engine, error, count):
    texts = [(20, 20, "Hello there"), (120, 70, SSN)]
    regions, found, withheld, counts = locate([draw(texts)], Failing(engine, error))
    assert all(covers(regions["0000.png"], ink_rect(*text)) for text in texts)
    assert counts[f"ocr/{count}"] == 1
    assert (found, withheld) == ((), {})


def test_when_time_is_up_all_text_goes(engine):
    texts = [(20, 20, "Hello there"), (120, 70, SSN)]
    regions, _, _, counts = locate([draw(texts)], engine, timeout_s=0.0)
    assert all(covers(regions["0000.png"], ink_rect(*text)) for text in texts)
    assert counts["ocr/timed_out"] == 1


def test_when_not_even_detection_works_the_frame_is_withheld(engine):
    failing = Failing(engine, RuntimeError("broken"), detects=False)
    regions, _, withheld, _ = locate([draw([(20, 20, SSN)])], failing)
    assert (regions, withheld) == ({}, {"0000.png": "ocr_failed"})


def test_results_do_not_depend_on_what_was_read_before(engine):
    images = [draw([(20, 20, f"Number {SSN}"), (20, 60, "Bram Olsavik")])]
    values = [Found("Bram Olsavik", "PERSON", "ner")]
    first = locate(images, engine, values)
    locate([draw([(40, 40, "Something else 111-22-3333")])], engine)
    assert locate(images, engine, values) == first


def test_a_long_session_is_read_in_runs_and_values_are_known_in_all_of_them(engine):
    images = [draw([(20, 20, "Number"), (120, 60, text)]) for text in (SSN, "578-2", SSN, "578")]
    regions, *_, counts = locate(images, engine, frames_at_once=2)
    whole = locate(images, engine)
    assert (counts["ocr/full"], whole[-1]["ocr/full"]) == (2, 1)
    assert regions == whole[0]


def test_dense_screens_are_detected_at_half_size():
    (frame,) = frames_of([draw([], size=(2048, 1280))])
    assert detection_scale(frame, 2048) == 1.0
    dense = msgspec.structs.replace(frame, viewport=Viewport(1024, 640, 2.0))
    assert detection_scale(dense, 2048) == 0.5
    assert detection_scale(dense, 1024) == 1.0, "scaled down before it was stored"


def test_large_frames_are_detected_in_bands_and_no_line_is_lost(engine):
    texts = [(40, 30 + 61 * n, f"line {n} of many") for n in range(20)]
    image = draw(texts, size=(400, 1260))
    small = load_engine(None, max_det_pixels=400 * 320)
    found = [line.text.replace(" ", "") for line in small.lines(image)]
    assert found == [f"line{n}ofmany" for n in range(20)]


def test_ocr_of_the_output_reads_none_of_what_was_covered(engine):
    texts = [(20, 20, "Number"), (120, 20, SSN), (20, 70, "Bram Olsavik"), (200, 70, "wrote")]
    images = [draw(texts)]
    values = [Found("Bram Olsavik", "PERSON", "ner")]
    regions, *_ = locate(images, engine, values)
    for mode in ("blur", "fill", "pixelate"):
        settings = PixelSettings(mode=mode)
        data, _ = redact_frame(png(images[0]), regions["0000.png"], settings, b"k" * 32)
        read = " ".join(li.text for li in engine.lines(np.asarray(decode_image(data, 10**7))))
        assert "wrote" in read and "Number" in read
        assert not re.search(r"578|9140|ram|lsav", read)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (33, 2), (64, 64), (1000, 5)])
def test_pictures_of_any_size_are_read(engine, size):
    images = [np.full((size[1], size[0], 3), shade, np.uint8) for shade in (255, 0, 255)]
    images[2] = images[2].copy()
    images[2][0, 0] = 0
    assert locate(images, engine)[0] == {}
    assert locate(images, engine)[2] == {}


@pytest.mark.parametrize("turns", [1, 3])
def test_text_that_stands_upright_is_read_in_both_directions(engine, turns):
    drawn = draw([(20, 20, SSN)], size=(160, 64))
    image = np.ascontiguousarray(np.rot90(drawn, turns))
    x0, y0, x1, y1 = ink_rect(20, 20, SSN)
    turned = {1: (y0, 160 - x1, y1, 160 - x0), 3: (64 - y1, x0, 64 - y0, x1)}[turns]
    regions, *_ = locate([image], engine)
    assert covers(regions["0000.png"], turned)


def test_text_over_a_photo_is_read_from_end_to_end(engine):
    image = draw([(20, 20, SSN)], paper="#000000", ink="#ffffff")
    noise = np.random.default_rng(3).integers(0, 90, image.shape, np.uint8)
    regions, *_ = locate([np.maximum(image, noise)], engine)
    assert covers(regions["0000.png"], ink_rect(20, 20, SSN))


@pytest.mark.parametrize("text", ["Иванова Ольга Сергеевна", "Συνάντηση με Γιώργο"])
def test_text_in_a_script_that_cannot_be_read_is_covered(engine, text):
    image = draw([(20, 20, text), (20, 80, "Reply to everyone")])
    regions, *_ = locate([image], load_engine(models_folder()) or engine)
    latin, other = ink_rect(20, 80, "Reply to everyone"), ink_rect(20, 20, text)
    assert covers(regions["0000.png"], other)
    assert not covers(regions["0000.png"], latin)


def test_tilted_text_is_covered(engine):
    drawn = Image.fromarray(draw([(60, 120, f"{SSN} and what it is for")], size=(480, 300)))
    image = np.asarray(drawn.rotate(8, fillcolor="white", resample=Image.Resampling.BICUBIC))
    regions, *_ = locate([image], engine)
    ink = np.argwhere(image.min(2) < 128)
    inside = np.zeros(image.shape[:2], bool)
    for region in regions["0000.png"]:
        inside[region.y0 : region.y1, region.x0 : region.x1] = True
    assert inside[ink[:, 0], ink[:, 1]].all()
