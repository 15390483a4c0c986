import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.privacy.pixels.areas import parts_with_ink
from transforms.privacy.pixels.likeness import TILE


def test_a_screen_is_cut_along_its_empty_stripes():
    inked = np.zeros((50, 80), bool)
    inked[2:10, 2:20] = True
    inked[30:33, 60:70] = True
    parts = parts_with_ink(inked, 80 * TILE, 50 * TILE)
    assert parts == [(0, 0, 22 * TILE, 12 * TILE), (58 * TILE, 28 * TILE, 72 * TILE, 35 * TILE)]


def test_a_full_screen_stays_whole_and_an_empty_one_has_no_parts():
    assert parts_with_ink(np.ones((50, 80), bool), 1275, 795) == [(0, 0, 1275, 795)]
    assert parts_with_ink(np.zeros((50, 80), bool), 1275, 795) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 49), st.integers(0, 79)), max_size=12))
def test_every_flagged_tile_lies_in_a_part_with_all_its_neighbours(tiles):
    inked = np.zeros((50, 80), bool)
    for row, column in tiles:
        inked[row, column] = True
    parts = parts_with_ink(inked, 80 * TILE, 50 * TILE)
    for row, column in tiles:
        x0, y0 = max(0, column - 1) * TILE, max(0, row - 1) * TILE
        x1, y1 = min(80, column + 2) * TILE, min(50, row + 2) * TILE
        assert any(p[0] <= x0 and p[1] <= y0 and p[2] >= x1 and p[3] >= y1 for p in parts)
