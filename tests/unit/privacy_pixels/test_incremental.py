import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drawn import draw, ink_rect
from transforms.privacy.pixels.crops import bridged, text_areas
from transforms.privacy.pixels.engine import Deadline, Line, RecognitionTimeout
from transforms.privacy.pixels.incremental import IncrementalReader

ROW = 24


class Blocks:
    """An engine that sees text exactly: every dark block is a line, and reads its colour.

    It stands for a perfect recogniser, so that what differs between reading a frame whole and
    reading what changed is the fault of the incremental reader alone.
    """

    def __init__(self) -> None:
        self.recognised = 0
        self.detected_pixels = 0

    def detect(self, image_rgb, scale=1.0):
        import cv2

        self.detected_pixels += image_rgb.shape[0] * image_rgb.shape[1]
        dark = (image_rgb.min(2) < 200).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
        return [
            (float(max(0, x - 2)), float(max(0, y - 2)), float(x + w + 2), float(y + h + 2))
            for x, y, w, h, _ in stats[1:count]
        ]

    def recognize(self, image_rgb, boxes, deadline=None):
        if deadline is not None:
            deadline.check()
        self.recognised += len(boxes)
        read = []
        for x0, y0, x1, y1 in boxes:
            crop = image_rgb[int(y0) : int(y1), int(x0) : int(x1)].reshape(-1, 3)
            r, g, b = crop[crop.sum(1).argmin()]
            read.append(Line(x0, y0, x1, y1, f"{r:02x}{g:02x}{b:02x}", (x0,) * 6, 1.0))
        return read

    def lines(self, image_rgb, scale=1.0, deadline=None):
        return self.recognize(image_rgb, self.detect(image_rgb, scale), deadline)


def colour(number: int) -> tuple[int, int, int]:
    """Returns colours that differ by more than what a recorder's compression may change."""
    return (number % 5 * 42, number // 5 % 5 * 42, number // 25 % 5 * 42)


def blocks(*items, size=(320, 240)) -> np.ndarray:
    """Draws blocks (x, y, width, colour) of text height on white; no two rows or columns of one are
    equal, as none of a line of text are."""
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    for x, y, width, colour in items:
        image[y : y + 12, x : x + width] = colour
        image[y : y + 12, x : x + width, 2] += np.arange(12, dtype=np.uint8)[:, None]
        image[y + 1 : y + 12 : 2, x + 1 : x + width : 3, 1] += 30
    return image


def seen(reading) -> set[tuple]:
    return {(line.text, *(round(v) for v in line.box)) for line in reading.lines}


def whole(image) -> set[tuple]:
    return seen(IncrementalReader(Blocks()).read(image, 0))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_reading_what_changed_sees_what_reading_everything_sees(data):
    """Frames change by adding, removing and recolouring blocks and by scrolling a pane."""
    rows = [
        (data.draw(st.integers(8, 60)), data.draw(st.integers(30, 200)), number)
        for number in range(30)
    ]
    offset = 0
    extra: dict[int, int] = {}
    reader = IncrementalReader(Blocks(), keyframes=2, full_pass_every=1000)
    for number in range(6):
        kind = data.draw(st.sampled_from(["scroll", "add", "remove", "idle"]))
        if kind == "scroll":
            offset = max(0, offset + data.draw(st.integers(-70, 70)))
        elif kind == "add":
            extra[data.draw(st.integers(0, 3))] = data.draw(st.integers(40, 90))
        elif kind == "remove" and extra:
            extra.pop(min(extra))
        items = [(10 + 70 * slot, 6, 30, colour(made)) for slot, made in extra.items()]
        image = blocks(*items)
        pane = blocks(
            *((x, y * ROW + 6, w, colour(y)) for x, w, y in rows),
            size=(320, 30 * ROW),
        )
        image[36:216] = pane[offset : offset + 180]
        assert seen(reader.read(image, number)) == whole(image)


def test_an_unchanged_frame_is_not_read_again():
    engine = Blocks()
    reader = IncrementalReader(engine)
    image = blocks((20, 20, 60, (10, 10, 10)))
    first = reader.read(image, 0)
    once = engine.detected_pixels
    again = reader.read(image.copy(), 1)
    assert again.lines == first.lines
    assert (again.link.source, again.link.equal) == (0, None)
    assert engine.detected_pixels == once


def test_empty_parts_of_a_screen_are_not_detected_and_nothing_else_is_lost():
    engine = Blocks()
    size = (1280, 800)
    image = blocks((20, 20, 60, (1, 1, 1)), (1100, 700, 80, (2, 2, 2)), size=size)
    lines = IncrementalReader(engine).read(image, 0).lines
    assert sorted(line.text for line in lines) == ["010101", "020202"]
    assert engine.detected_pixels < 0.1 * 1280 * 800


def test_only_the_neighbourhood_of_a_change_is_detected():
    engine = Blocks()
    reader = IncrementalReader(engine)
    size = (1280, 800)
    reader.read(blocks((20, 20, 60, (1, 1, 1)), (900, 700, 80, (2, 2, 2)), size=size), 0)
    before = engine.detected_pixels
    changed = blocks((20, 20, 60, (1, 1, 1)), (900, 700, 90, (2, 2, 2)), size=size)
    assert len(reader.read(changed, 1).lines) == 2
    assert engine.detected_pixels - before < 0.05 * 1280 * 800


def test_scrolled_text_is_not_recognised_again():
    engine = Blocks()
    reader = IncrementalReader(engine)
    rows = [(20, y * ROW + 6, 100 + 3 * y, colour(y)) for y in range(40)]
    tall = blocks(*rows, size=(320, 40 * ROW))
    reader.read(tall[:480], 0)
    before = engine.recognised
    reading = reader.read(tall[48 : 48 + 480], 1)
    assert reading.link.dy == -48
    assert engine.recognised - before <= 3
    assert seen(reading) == whole(tall[48 : 48 + 480])


def test_compression_changes_pixels_but_not_what_is_read():
    engine = Blocks()
    reader = IncrementalReader(engine)
    image = draw([(20, 20, "Bram Olsavik"), (20, 60, "578-22-9140")])
    first = reader.read(image, 0)
    before = engine.recognised
    noise = np.random.RandomState(1).randint(-6, 7, image.shape)
    noisy = np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)
    assert [li.box for li in reader.read(noisy, 1).lines] == [li.box for li in first.lines]
    moved = np.roll(noisy, (31, 17), axis=(0, 1))
    reader.read(moved, 2)
    assert engine.recognised - before <= 4, "of 23 pieces of text"


def test_a_slow_fade_adds_up_to_a_change():
    reader = IncrementalReader(Blocks())
    plain = blocks((20, 20, 60, colour(3)))
    number = 0
    for number in range(12):
        image = plain.copy()
        image[100:112, 50:120] = 255 - 14 * number
        reading = reader.read(image, number)
    assert len(reading.lines) == 2


def test_a_window_that_comes_back_is_known():
    engine = Blocks()
    reader = IncrementalReader(engine, keyframes=1)
    one, other = blocks((20, 20, 60, (1, 1, 1))), blocks((90, 190, 60, (2, 2, 2)))
    for number, image in enumerate([one, other]):
        reader.read(image, number)
    before = engine.recognised
    reader.read(one, 2)
    assert engine.recognised == before, "the crop was recognised before, elsewhere or here"


def page_of(first: int, *more) -> np.ndarray:
    """Returns a frame that is full of text."""
    rows = [(8, 6 + ROW * row, 250 + row, colour(first + row)) for row in range(9)]
    return blocks(*rows, *more)


def test_a_window_that_comes_back_after_many_steps_in_another_one_is_known():
    engine = Blocks()
    reader = IncrementalReader(engine, keyframes=3)
    reader.read(page_of(0), 0)
    for number in range(1, 7):
        reader.read(page_of(40, (8, 222, 20 * number, colour(3))), number)
    assert reader.counts["full"] == 2
    before = engine.detected_pixels
    assert seen(reader.read(page_of(0), 7)) == whole(page_of(0))
    assert engine.detected_pixels == before


def test_where_text_vanished_nothing_is_detected():
    engine = Blocks()
    reader = IncrementalReader(engine)
    size = (640, 480)
    reader.read(blocks((20, 20, 60, (1, 1, 1)), (300, 300, 200, (2, 2, 2)), size=size), 0)
    before = engine.detected_pixels
    reading = reader.read(blocks((20, 20, 60, (1, 1, 1)), size=size), 1)
    assert [line.text for line in reading.lines] == ["010101"]
    assert engine.detected_pixels == before


def test_text_moved_to_another_place_is_known_by_its_pixels():
    engine = Blocks()
    reader = IncrementalReader(engine)
    reader.read(blocks((20, 20, 60, (1, 1, 1))), 0)
    before = engine.recognised
    reading = reader.read(blocks((133, 177, 60, (1, 1, 1))), 1)
    assert engine.recognised == before
    assert [line.text for line in reading.lines] == ["010101"]


def test_equal_texts_of_one_frame_are_recognised_once_and_forgotten_once():
    engine = Blocks()
    reader = IncrementalReader(engine, crop_cache=2)
    twice = reader.read(blocks((20, 20, 60, colour(1)), (90, 120, 60, colour(1))), 0)
    assert engine.recognised == 1
    assert {line.box[:2] for line in twice.lines} == {(18, 18), (88, 118)}
    for number in range(1, 5):
        reader.read(blocks((20, 60, 60, colour(number + 1))), number)
    assert engine.recognised == 5


def test_every_so_many_frames_one_is_read_whole():
    reader = IncrementalReader(Blocks(), full_pass_every=3)
    for number in range(9):
        reader.read(blocks((20, 20, 60 + number, (1, 1, 1))), number)
    assert reader.counts["full"] == 3
    assert reader.counts["changed"] == 6
    assert reader.counts["guard_missed"] == 0


def test_the_guard_counts_what_reading_changes_had_missed():
    class Forgetful(Blocks):
        """Sees nothing in parts of a frame, as a detector with too little context might."""

        blind = False

        def detect(self, image_rgb, scale=1.0):
            whole = image_rgb.shape[:2] == (240, 320)
            return super().detect(image_rgb) if whole or not self.blind else []

    engine = Forgetful()
    reader = IncrementalReader(engine, full_pass_every=2)
    reader.read(blocks((20, 20, 60, (1, 1, 1))), 0)
    engine.blind = True
    items = [(20, 20, 60, (1, 1, 1)), (200, 200, 60, (2, 2, 2))]
    assert len(reader.read(blocks(*items), 1).lines) == 1
    reading = reader.read(blocks(*items, (20, 200, 40, (3, 3, 3))), 2)
    assert reader.counts["guard_missed"] == 2
    assert len(reading.lines) == 3


def test_a_frame_that_takes_too_long_is_not_remembered():
    reader = IncrementalReader(Blocks())
    image = blocks((20, 20, 60, (1, 1, 1)))
    with pytest.raises(RecognitionTimeout):
        reader.read(image, 0, deadline=Deadline(0.0))
    assert len(reader.read(image, 1).lines) == 1


def test_frames_of_different_sizes_do_not_mix():
    reader = IncrementalReader(Blocks())
    reader.read(blocks((20, 20, 60, (1, 1, 1))), 0)
    other = blocks((20, 20, 60, (1, 1, 1)), size=(333, 177))
    assert seen(reader.read(other, 1)) == whole(other)


def only_area(image, box):
    (area,) = text_areas(image, box)
    return area


def test_the_crop_of_a_text_is_the_same_wherever_it_stands():
    image = draw([(20, 20, "Bram Olsavik"), (203, 97, "Bram Olsavik")])
    a = only_area(image, (15, 14, 125, 44))
    b = only_area(image, (196, 88, 310, 122))
    assert (image[a[1] : a[3], a[0] : a[2]] == image[b[1] : b[3], b[0] : b[2]]).all()


def test_text_that_was_lost_between_two_boxes_is_bridged():
    image = draw([(20, 20, "Bram Olsavik wrote to"), (20, 60, "Bram"), (170, 60, "wrote to")])
    whole = ink_rect(20, 20, "Bram Olsavik wrote to")
    left, right = (16, 18, 62, 42), (110, 18, whole[2] + 4, 42)
    assert bridged(image, [right, left]) == [(16, 18, whole[2] + 4, 42)]
    apart = [(16, 58, 62, 82), (166, 58, 240, 82)]
    assert bridged(image, apart) == apart
    middle = (66, 18, 106, 42)
    assert bridged(image, [left, middle, right]) == [left, middle, right]
    picture = image.copy()
    picture[50:90, 66:160] = np.random.default_rng(1).integers(0, 255, (40, 94, 3))
    assert bridged(picture, apart) == apart


def test_ink_of_the_lines_above_and_below_is_left_out():
    image = draw([(20, 10, "gypsy"), (20, 32, "Bram Olsavik"), (20, 54, "Hello")])
    alone = draw([(20, 32, "Bram Olsavik")])
    assert only_area(image, (15, 26, 130, 58)) == only_area(alone, (15, 26, 130, 58))


def test_a_rule_between_rows_of_a_table_is_no_ink():
    image = draw([(20, 32, "Bram Olsavik")]).copy()
    image[56] = 120
    box = only_area(image, (15, 26, 130, 60))
    assert box[3] < 56


def test_the_border_of_a_pane_is_no_ink():
    image = draw([(20, 32, "Bram Olsavik")]).copy()
    image[:, 16] = 120
    assert only_area(image, (12, 26, 130, 60)) == only_area(
        draw([(20, 32, "Bram Olsavik")]), (12, 26, 130, 60)
    )


def test_the_background_of_a_photo_cuts_nothing_off():
    image = draw([(20, 32, "Bram Olsavik")], paper="#000000", ink="#ffffff").copy()
    noise = np.random.default_rng(3).integers(0, 90, image.shape, np.uint8)
    image = np.maximum(image, noise)
    box = only_area(image, (15, 26, 130, 60))
    rect = ink_rect(20, 32, "Bram Olsavik")
    assert box[0] <= rect[0] and box[2] >= rect[2]


def test_a_box_over_two_cells_is_cut_at_the_border_between_them():
    image = draw([(20, 32, "578-22-9140"), (126, 32, "192.0.2.17")]).copy()
    image[:, 120] = 150
    image[54] = 150
    first, second = text_areas(image, (15, 28, 215, 56))
    assert first[2] <= 120 < 121 <= second[0]
    assert first[0] <= ink_rect(20, 32, "578-22-9140")[0]
    assert second[2] >= ink_rect(126, 32, "192.0.2.17")[2]


@pytest.mark.parametrize("text", ["Illicit lll | III", "578-22-9140 | 192.0.2.17"])
def test_letters_are_no_borders(text):
    image = draw([(20, 32, text)])
    x0, y0, x1, y1 = ink_rect(20, 32, text)
    box = (x0 - 4, y0 - 4, x1 + 4, y1 + 4)
    assert len(text_areas(image, box)) == 1
