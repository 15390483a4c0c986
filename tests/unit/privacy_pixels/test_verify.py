import pytest

from tests.support.drawn import draw, png
from transforms.privacy.pixels.engine import RecognitionTimeout
from transforms.privacy.pixels.settings import PixelSettings
from transforms.privacy.pixels.verify import read_pictures


class Failing:
    """An engine that detects and then fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def detect(self, image_rgb, scale=1.0):
        return [(20.0, 20.0, 90.0, 40.0)]

    def recognize(self, image_rgb, boxes, deadline=None):
        raise self.error


@pytest.mark.parametrize("error", [RecognitionTimeout(), RuntimeError("out of memory")])
def test_a_picture_that_cannot_be_read_is_a_hit_and_the_others_are_looked_at(error):
    pictures = {"a": png(draw([(20, 20, "Hello")])), "b": b"", "c": png(draw([(20, 20, "there")]))}
    hits = read_pictures(
        list(pictures), pictures.get, lambda text: (), Failing(error), PixelSettings()
    )
    assert hits == {"UNREADABLE": 3}
