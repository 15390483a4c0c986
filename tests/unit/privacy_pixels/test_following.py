from schemas.findings import Region
from transforms.privacy.pixels.engine import Line
from transforms.privacy.pixels.following import follow_pixels
from transforms.privacy.pixels.incremental import Link

UNREAD = Region(20, 20, 180, 44, "TEXT")
READ = Line(24, 22, 178, 42, "Reply to everyone", (30.0,) * 17, 0.98)


def followed(lines: list[Line], region: Region = UNREAD) -> list[Region]:
    """Returns what a frame that shows the same as an earlier one gets of the earlier one's."""
    regions: list[list[Region]] = [[region], []]
    follow_pixels([None, Link(0)], regions, [[], lines])
    return regions[1]


def test_what_could_not_be_read_is_covered_in_frames_that_show_the_same():
    assert followed([]) == [UNREAD]


def test_what_was_read_stays_in_sight():
    assert followed([READ]) == []


def test_what_is_sensitive_is_followed_whatever_was_read():
    name = Region(20, 20, 180, 44, "PERSON", "Bram Olsavik")
    assert followed([READ], name) == [name]


def test_what_was_read_in_part_counts_as_unread():
    part = Line(24, 22, 178, 42, "Reply to", (30.0,) * 8, 0.98, unread=((110.0, 170.0),))
    assert followed([part]) == [UNREAD]
