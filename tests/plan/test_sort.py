from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardmill.plan.sort import ORDER, external_sort

Words = list[tuple[int, int]]


def table(words: Words, first_ordinal: int = 0) -> pa.RecordBatch:
    """A batch of rows with these leading sort columns and ascending ordinals."""
    ordinals = np.arange(first_ordinal, first_ordinal + len(words), dtype=np.uint64)
    columns = {
        "_first": pa.array([first for first, _ in words], pa.uint64()),
        "_second": pa.array([second for _, second in words], pa.uint64()),
        "_ordinal": pa.array(ordinals),
        "name": pa.array([f"row {ordinal}" for ordinal in ordinals], pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)


def batches_of(words: Words, rows: int) -> list[pa.RecordBatch]:
    return [table(words[start : start + rows], start) for start in range(0, len(words), rows)]


def sorted_in_memory(words: Words) -> list[tuple[int, int, int, str]]:
    return sorted((first, second, ordinal, f"row {ordinal}") for ordinal, (first, second) in enumerate(words))


def sorted_by_us(words: Words, scratch: Path, *, batch_rows: int, run_rows: int) -> list[tuple[int, int, int, str]]:
    result = pa.Table.from_batches(
        external_sort(batches_of(words, batch_rows), scratch, run_rows), table([]).schema
    ).to_pydict()
    assert list(scratch.iterdir()) == [], "a run outlives the sort"
    return list(zip(*(result[name] for name in (*ORDER, "name")), strict=True))


def random_words(count: int, seed: int, high: int = 2**64) -> Words:
    words = np.random.default_rng(seed).integers(0, high, (count, 2), dtype=np.uint64)
    return [(int(first), int(second)) for first, second in words]


@pytest.mark.oldest
@pytest.mark.parametrize(
    ("count", "run_rows"),
    [
        (0, 10),
        (1, 10),
        (10, 10),  # one run, exactly full
        (11, 10),
        (640, 10),  # as many runs as are merged at once
        (650, 10),
        (1300, 10),  # 130 runs: two rounds of merging, the first of which leaves more than one file
    ],
)
def test_agrees_with_a_sort_in_memory(count: int, run_rows: int, tmp_path: Path) -> None:
    words = random_words(count, seed=count)
    assert sorted_by_us(words, tmp_path, batch_rows=run_rows, run_rows=run_rows) == sorted_in_memory(words)


def test_many_rounds_of_merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shardmill.plan.sort._FAN_IN", 3)
    words = random_words(100, seed=2)
    assert sorted_by_us(words, tmp_path, batch_rows=1, run_rows=1) == sorted_in_memory(words)


def test_equal_keys_over_many_blocks_stay_in_listing_order(tmp_path: Path) -> None:
    words = random_words(30_000, seed=3, high=2)  # four different keys; a block has 4,096 rows
    assert sorted_by_us(words, tmp_path, batch_rows=1_000, run_rows=9_000) == sorted_in_memory(words)


def test_one_key_throughout(tmp_path: Path) -> None:
    words = [(2**64 - 1, 0)] * 20_000
    assert sorted_by_us(words, tmp_path, batch_rows=3_000, run_rows=5_000) == sorted_in_memory(words)


@pytest.mark.parametrize("run_rows", [7, 1_000])
def test_ties_are_broken_by_the_ordinal_and_not_by_arrival(run_rows: int, tmp_path: Path) -> None:
    rows = pa.Table.from_batches([table([(5, 5)] * 100)]).take(np.random.default_rng(1).permutation(100))
    merged = pa.Table.from_batches(external_sort(rows.to_batches(max_chunksize=9), tmp_path, run_rows))
    assert merged["_ordinal"].to_pylist() == list(range(100))


def test_runs_of_very_different_lengths(tmp_path: Path) -> None:
    words = random_words(20_000, seed=4)
    batches = [table(words[:1]), table(words[1:15_000], 1), table(words[15_000:15_002], 15_000)]
    batches += batches_of(words, 5_000)[-1:]
    listed = pa.Table.from_batches(batches)["_ordinal"].to_pylist()
    merged = pa.Table.from_batches(external_sort(batches, tmp_path, 1))
    expected = sorted((*words[ordinal], ordinal) for ordinal in listed)
    assert list(zip(*(merged[name].to_pylist() for name in ORDER), strict=True)) == expected


def test_empty_batches_among_others(tmp_path: Path) -> None:
    words = random_words(50, seed=5)
    batches = [table([]), *batches_of(words, 10), table([])]
    merged = pa.Table.from_batches(external_sort(batches, tmp_path, 20))
    assert merged["name"].to_pylist() == [name for *_, name in sorted_in_memory(words)]


def test_nothing_but_empty_batches(tmp_path: Path) -> None:
    assert list(external_sort([table([]), table([])], tmp_path, 1)) == []


@given(
    words=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**64 - 1) | st.just(7)), max_size=200),
    batch_rows=st.integers(1, 40),
    run_rows=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_in_any_batches(words: Words, batch_rows: int, run_rows: int, tmp_path: Path) -> None:
    assert sorted_by_us(words, tmp_path, batch_rows=batch_rows, run_rows=run_rows) == sorted_in_memory(words)


def test_one_sort_may_feed_another_in_the_same_folder(tmp_path: Path) -> None:
    """As planning does: numbering repeats sorts by key, and ordering sorts what comes out of that."""
    words = random_words(2_000, seed=6)

    def turned() -> Iterator[pa.RecordBatch]:
        for batch in external_sort(batches_of(words, 20), tmp_path, 20):
            second, first = batch.column("_first"), batch.column("_second")
            yield batch.set_column(0, "_first", first).set_column(1, "_second", second)

    merged = pa.Table.from_batches(external_sort(turned(), tmp_path, 7))
    expected = sorted((second, first, ordinal) for ordinal, (first, second) in enumerate(words))
    assert list(zip(*(merged[name].to_pylist() for name in ORDER), strict=True)) == expected
    assert list(tmp_path.iterdir()) == []


def test_closing_early_leaves_no_open_file(tmp_path: Path) -> None:
    merged = external_sort(batches_of(random_words(200, seed=7), 10), tmp_path, 10)
    next(merged)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        merged.close()  # type: ignore[attr-defined]  # it is a generator
        del merged
    assert [str(warning.message) for warning in caught] == []
    assert list(tmp_path.iterdir()) == []
