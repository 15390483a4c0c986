import numpy as np
import pytest

from tests.support.drawn import draw, png
from transforms.images import ImageDefect
from transforms.privacy.pixels.pictures import KEPT, Pictures


def test_a_repeated_picture_is_decoded_once_and_no_other_is_taken_for_it():
    pictures = Pictures(10**6)
    images = [draw([(10, 10, f"frame {number}")]) for number in range(KEPT + 2)]
    first = pictures.pixels(png(images[0]))
    assert pictures.pixels(png(images[0])) is first
    for image in [*images, *images]:
        assert np.array_equal(pictures.pixels(png(image)), image)


def test_a_picture_that_cannot_be_decoded_raises_every_time():
    pictures = Pictures(10**6)
    for _ in range(2):
        with pytest.raises(ImageDefect):
            pictures.pixels(png(draw([]))[:40])


def test_a_picture_cannot_be_written_to():
    pixels = Pictures(10**6).pixels(png(draw([])))
    with pytest.raises(ValueError):
        pixels[0, 0] = 0
