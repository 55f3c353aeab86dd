from __future__ import annotations

import pytest

from shardmill.speedtest.summary import averages, speed_up, summarise, sums_of
from tests.speedtest.rows import row


def test_a_cell_is_its_median_and_quartiles() -> None:
    rows = [row(repetition=at, images_per_s=rate) for at, rate in enumerate((100.0, 500.0, 110.0, 120.0, 90.0))]
    (summary,) = summarise([*rows, row(warm_up=True, images_per_s=1.0)])
    assert (summary.passes, summary.low, summary.images_per_s, summary.high) == (5, 100.0, 110.0, 120.0)


def test_processes_that_read_together_are_one_pass() -> None:
    rows = [row(concurrency=2, repetition=at, pid=pid, images_per_s=100.0 + at) for at in range(3) for pid in (1, 2)]
    (summary,) = summarise(rows)
    assert (summary.passes, summary.images_per_s) == (3, 202.0)


def test_on_spark_each_row_stands_alone() -> None:
    rows = [row(concurrency=2, engine="spark", repetition=0, pid=pid, images_per_s=100.0 + pid) for pid in (1, 2, 3)]
    (summary,) = summarise(rows)
    assert (summary.passes, summary.images_per_s) == (3, 102.0)


def test_a_cold_pass_that_was_warm_is_counted() -> None:
    rows = [row(cache="cold", cache_seen=seen, repetition=at) for at, seen in enumerate(("cold", "warm", "mixed"))]
    (summary,) = summarise(rows)
    assert summary.not_as_asked == 2


def test_shards_against_files_are_compared_like_with_like() -> None:
    shards = summarise([row(batch_size=size, images_per_s=10.0 * size) for size in (2, 4, 8)])
    files = summarise(
        [row(dataset="raw", source="files", format="files", batch_size=s, images_per_s=5.0) for s in (4, 8)]
    )
    assert speed_up(shards, files) == [8.0, 16.0]


def test_averages_by_factor_leave_warm_ups_out_and_come_together_from_parts() -> None:
    rows = [row(batch_size=size, repetition=at, images_per_s=100.0 * size + at) for size in (2, 10) for at in range(3)]
    rows.append(row(warm_up=True, images_per_s=0.0))
    whole = averages(sums_of(rows))
    assert whole["flowers"]["native"]["batch_size"] == {2: 201.0, 10: 1001.0}
    assert list(whole["flowers"]["native"]["batch_size"]) == [2, 10]
    assert whole["flowers"]["native"]["decode"] == {True: pytest.approx(601.0)}
    assert averages([*sums_of(rows[:2]), *sums_of(rows[2:])]) == whole
