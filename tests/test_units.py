from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.units import format_bytes, format_count, format_seconds, parse_bytes, parse_duration, parse_limit


@pytest.mark.oldest
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4096", 4096),
        (4096, 4096),
        ("128MB", 128_000_000),
        ("128mb", 128_000_000),
        ("64k", 64_000),
        ("64K", 64_000),
        ("1.5GiB", 3 << 29),
        ("1.5 gib", 3 << 29),
        (" 2 TB ", 2 * 10**12),
        ("3Ki", 3 << 10),
        ("2MiB", 2 << 20),
        ("1Ti", 1 << 40),
        ("12B", 12),
        ("1.9", 1),
    ],
)
def test_sizes(text: str | int, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize(
    "text", ["", "MB", "-1MB", "1,5GB", "1e6", "12 apples", "1 PB", "0x10", "1.MB", "inf", "1MB 2"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a size; write it like 128MB, 1\.5GiB or 4096") as caught:
        parse_bytes(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("30 min", 1800),
        ("4h", 14_400),
        ("1h30m", 5400),
        (" 1h 30m 5s ", 5405),
        ("1.5H", 5400),
        ("2d", 172_800),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "30", "h", "-1h", "30m1h", "1h30", "1:30", "4 weeks", "infs", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration; write it like 90s, 30m, 4h or 1h30m") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, None)),
        ("10", (10, None)),
        (10, (10, None)),
        ("1%", (None, 0.01)),
        ("0%", (None, 0.0)),
        ("100 %", (None, 1.0)),
        (" 12.5% ", (None, 0.125)),
    ],
)
def test_limits(text: str | int, expected: tuple[int | None, float | None]) -> None:
    assert parse_limit(text) == expected


@pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "101%", "nan%", "1.5", "ten", "1%%", "inf%"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="is not a limit; write a count like 10 or a percentage like 1%"):
        parse_limit(text)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.0 kB"),
        (1_000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (128_000_000, "128 MB"),
        (5 * 10**12, "5.0 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_bytes_for_people(count: float, expected: str) -> None:
    assert format_bytes(count) == expected


@given(count=st.integers(0, 10**15))
def test_bytes_for_people_are_near_enough(count: int) -> None:
    number, unit = format_bytes(count).split()
    factor = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
    assert abs(float(number) * factor - count) <= max(0.051 * factor, 0.005 * count)
    assert len(number) <= 4


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (12_000, "image", "12,000 images"),
        (2, "class", "2 classes"),
        (1, "class", "1 class"),
        (2, "entry", "2 entries"),
        (2, "key", "2 keys"),
        (3, "exact duplicate", "3 exact duplicates"),
    ],
)
def test_counts(count: int, noun: str, expected: str) -> None:
    assert format_count(count, noun) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (360_000, "100 h 00 min"),
    ],
)
def test_times(seconds: float, expected: str) -> None:
    assert format_seconds(seconds) == expected
