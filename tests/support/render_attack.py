"""What somebody who knows the tool, the font and the place can win back from a redacted number.

Render and compare: candidates are rendered as the screen would have been, redacted in the same way,
and the one whose result is nearest to the published picture is kept, digit by digit.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np

from tests.support.drawn import draw

Redact = Callable[[np.ndarray, str], np.ndarray]
"""(picture, what it says) → redacted picture. The saying is what OCR would have read."""

FONT, FONT_PX, SIZE = "DejaVuSansMono.ttf", 13, (140, 40)


def screen(number: str) -> np.ndarray:
    """Returns the picture that shows a number."""
    return draw([(12, 10, number)], size=SIZE, font_px=FONT_PX, font=FONT)


def random_number(rng: random.Random) -> str:
    """Returns a number in the form of a US social security number."""
    return _formatted([rng.choice("0123456789") for _ in range(9)])


def _formatted(digits: list[str]) -> str:
    text = "".join(digits)
    return f"{text[:3]}-{text[3:5]}-{text[5:]}"


def attack(published: np.ndarray, redact: Redact, rng: random.Random, widest: int = 2) -> str:
    """Returns the number whose redacted rendering is nearest to the published picture.

    ``widest`` digits are tried together: those that lie side by side blur into one another.
    """
    target = published.astype(np.float32)

    def error(digits: list[str]) -> float:
        number = _formatted(digits)
        return float(((redact(screen(number), number).astype(np.float32) - target) ** 2).sum())

    digits = [rng.choice("0123456789") for _ in range(9)]
    current = error(digits)
    for _ in range(3):
        before = current
        for width in range(1, widest + 1):
            for place in range(10 - width):
                tried = [
                    (error([*digits[:place], *new, *digits[place + width :]]), new)
                    for new in itertools.product("0123456789", repeat=width)
                ]
                least = min(tried)
                if least[0] < current:
                    current = least[0]
                    digits[place : place + width] = least[1]
        if current == before:
            break
    return _formatted(digits)


def digits_right(guess: str, number: str) -> int:
    """Returns how many of the nine digits agree."""
    return sum(a == b for a, b in zip(guess, number, strict=True) if a != "-")
