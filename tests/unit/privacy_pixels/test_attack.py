"""The published picture must not tell which number stood there."""

import random

import numpy as np
from PIL import Image, ImageFilter

from schemas.findings import Region
from tests.support.drawn import ink_rect, png
from tests.support.render_attack import (
    FONT,
    FONT_PX,
    attack,
    digits_right,
    random_number,
    screen,
)
from transforms.images import decode_image
from transforms.privacy.pixels.redact import redact_frame
from transforms.privacy.pixels.settings import PixelSettings


def redactor(mode: str, key: bytes):
    def redact(image: np.ndarray, number: str) -> np.ndarray:
        box = ink_rect(12, 10, number, FONT_PX, FONT)
        region = Region(box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3, "SSN", number)
        data, _ = redact_frame(png(image, compress_level=0), [region], PixelSettings(mode), key)
        return np.asarray(decode_image(data, 10**6))

    return redact


def recovered(redact, attackers, numbers: int) -> tuple[int, int]:
    """Returns (numbers, digits) won back; the attacker redacts candidates his own way."""
    rng = random.Random(20)
    whole = digits = 0
    for _ in range(numbers):
        number = random_number(rng)
        guess = attack(redact(screen(number), number), attackers, rng, widest=1)
        whole += guess == number
        digits += digits_right(guess, number)
    return whole, digits


def test_rendering_and_comparing_wins_nothing_against_blur():
    # The key is secret: the attacker tries another one.
    published, guessed = redactor("blur", b"k" * 32), redactor("blur", b"guessed!" * 4)
    whole, digits = recovered(published, guessed, 4)
    assert whole == 0
    # 36 digits guessed at random give 3.6 right, and more than 8 in one of 100 tries.
    assert digits <= 8


def test_the_same_attack_reads_a_weak_gaussian():
    def blurred(image: np.ndarray, number: str) -> np.ndarray:
        return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.3 * FONT_PX)))

    whole, digits = recovered(blurred, blurred, 3)
    assert whole >= 1
    assert digits >= 20
