import numpy as np
import pytest

from tests.support.drawn import draw, ink_rect
from transforms.privacy.pixels.ink import unread_stretches

LATIN, OTHER = "Assigned to ", "Ольга Ж"


def crop_of(text: str) -> np.ndarray:
    x0, y0, x1, y1 = ink_rect(20, 20, text)
    return draw([(20, 20, text)])[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3]


def centres(text: str) -> list[float]:
    """Returns where the characters of a drawn text stand in its crop."""
    left = ink_rect(20, 20, text)[0] - 3
    ends = [ink_rect(20, 20, text[: i + 1])[2] - left for i in range(len(text))]
    return [end - 4.0 for end, c in zip(ends, text, strict=True) if not c.isspace()]


def test_ink_without_a_character_is_unread():
    crop = crop_of(LATIN + OTHER)
    ((start, end),) = unread_stretches(crop, centres(LATIN))
    left = ink_rect(20, 20, LATIN + OTHER)[0] - 3
    assert abs(start - (ink_rect(20, 20, LATIN)[2] - left)) <= 10
    assert abs(end - crop.shape[1]) <= 6


def test_two_characters_are_enough():
    crop = crop_of("ЖЖ")
    ((start, end),) = unread_stretches(crop, [])
    assert start <= 5 and end >= crop.shape[1] - 6


@pytest.mark.parametrize("text", ["Assigned to somebody", "WWWWW MMM", "Illicit III"])
def test_what_was_read_is_not(text):
    assert unread_stretches(crop_of(text), centres(text)) == []


@pytest.mark.parametrize("between", [" " * 10, "_" * 10, "." * 10, "•" * 7])
def test_a_wide_gap_a_rule_and_bullets_are_no_text(between):
    text = f"Name{between}Hall"
    read = centres(text)
    assert unread_stretches(crop_of(text), [*read[:4], *read[-4:]]) == []
