import math
from datetime import UTC, datetime

import pytest

from transforms.ingest.times import BadTime, Clock, iso_utc

NOON = int(datetime(2026, 2, 5, 12, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "value",
    [
        NOON // 1_000_000,
        NOON / 1e6,
        NOON // 1000,
        NOON,
        NOON * 1000,
        str(NOON // 1000),
        f" {NOON // 1000}.0 ",
        "2026-02-05T12:00:00Z",
        "2026-02-05T12:00:00.000000+00:00",
        "2026-02-05T17:30:00+05:30",
        "20260205T120000Z",
        "2026-02-05 12:00:00.000Z",
    ],
)
def test_one_moment_in_every_unit(value):
    assert Clock().read(value) == (NOON, ())


def test_fractions_of_milliseconds_survive():
    assert Clock().read(1_770_000_000_123.4567)[0] == 1_770_000_000_123_457
    assert Clock().read("2026-02-05T12:00:00.123456789Z")[0] == NOON + 123_456


def test_a_naive_time_is_utc_and_flagged():
    assert Clock().read("2026-02-05T12:00:00") == (NOON, ("naive_time",))


def test_what_gives_no_date_counts_from_created_at():
    clock = Clock(created_us=NOON)
    assert clock.read(1_678_888) == (NOON + 1_678_888_000_000, ("relative_time",))
    assert clock.read(0.25) == (NOON + 250_000, ("relative_time",))
    assert clock.read("1970-01-01T00:00:02Z") == (NOON + 2_000_000, ("relative_time",))
    assert clock.used_base


def test_without_created_at_relative_times_begin_in_2000():
    assert iso_utc(Clock().read(90)[0]) == "2000-01-01T00:01:30.000Z"


def test_a_monotonic_clock_starts_at_created_at():
    clock = Clock(created_us=NOON, monotonic=True)
    assert clock.read(1_795_499_688.5) == (NOON, ())
    assert clock.read(1_795_499_690) == (NOON + 1_500_000, ())
    assert clock.read(1_795_499_688) == (NOON - 500_000, ())
    assert clock.read("2026-02-05T12:00:00Z") == (NOON, ())


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        10**30,
        10**400,
        1e300,
        5e12,
        -(10**11),
        True,
        None,
        [],
        {},
        "",
        "soon",
        "2026-13-05T12:00:00Z",
        "2026-02-05T25:00:00Z",
        "9" * 5000,
        "1e999",
        "nan",
    ],
)
def test_no_time_at_all(value):
    with pytest.raises(BadTime):
        Clock().read(value)


@pytest.mark.parametrize(
    ("stem", "us"),
    [
        ("20260205T120000Z", NOON),
        ("2026-02-05T12-00-00", NOON),
        ("frame_20260205T120000.250Z", NOON + 250_000),
        ("20260205120000", NOON),
        ("20260205T120000123Z", NOON + 123_000),
        (str(NOON // 1_000_000), NOON),
        (str(NOON // 1000), NOON),
        (f"{NOON / 1e6:.3f}", NOON),
        (f"screenshot_{NOON // 1000}", NOON),
        (f"0007_{NOON // 1000}_click", NOON),
        (f"frame-{NOON / 1e6:.3f}", NOON),
        ("20260205-120000_browser", NOON),
        ("2026_02_05_12_00_00", NOON),
        ("0001", None),
        ("page_0000000123", None),
        ("id9a1770292800000f", None),
        ("step_12", None),
        ("20261305T120000Z", None),
        ("99999999999999999999", None),
        ("", None),
    ],
)
def test_times_in_file_names(stem, us):
    assert Clock().read_name(stem) == us


def test_blanks_around_a_time_do_not_matter():
    assert Clock().read(" 2026-02-05T12:00:00Z\n") == (NOON, ())
    assert Clock().read("2026-02-05T12:00:00Z ") == (NOON, ())
