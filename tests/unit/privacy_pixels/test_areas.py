import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.privacy.pixels.areas import (
    areas_around,
    parts_with_ink,
    whole_line_areas,
    with_ink,
)
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


def test_an_area_reaches_little_above_and_below_what_changed():
    changed = np.zeros((50 * TILE, 80), bool)
    changed[100:113, 20:23] = True
    assert areas_around(changed, 1280, 800) == [(18 * TILE, 98, 25 * TILE, 115)]


def test_areas_are_joined_where_their_margins_cost_more_than_what_lies_between():
    near, far = [(100, 100, 300, 120), (100, 150, 300, 170)], [(0, 0, 90, 20), (900, 600, 990, 620)]
    assert whole_line_areas(near, [], 1280, 800) == [(100, 100, 300, 170)]
    assert whole_line_areas(far, [], 1280, 800) == far


def test_of_areas_only_what_holds_ink_is_read():
    inked = np.zeros((50, 80), bool)
    inked[10:12, 4:9] = True
    inked[30, 40:44] = True
    areas = [(60, 165, 800, 500), (800, 600, 1280, 800)]
    assert with_ink(areas, inked) == [
        (64, 165, 9 * TILE, 12 * TILE),
        (40 * TILE, 30 * TILE, 44 * TILE, 31 * TILE),
    ]
