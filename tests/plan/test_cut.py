from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.plan.cut import ShardTask, cut, shard_rows, shards_per_split
from shardmill.plan.store import read_rows
from shardmill.spec import PrepareSpec, Sharding
from shardmill.storage import Store, open_store
from tests.plan.listings import keys_of, listed, ordered

COUNTS = st.dictionaries(st.sampled_from(["train", "val", "test", "fold_1"]), st.integers(1, 10**7), min_size=1)
RECORD_BYTES = st.floats(1, 10**8)
QUICK = settings(max_examples=50, deadline=None)


def check_bounds(shards: Mapping[str, int], counts: Mapping[str, int]) -> None:
    assert shards.keys() == counts.keys()
    assert all(1 <= shards[split] <= counts[split] for split in counts)


@QUICK
@given(counts=COUNTS, extra=st.integers(0, 10**5), record_bytes=RECORD_BYTES)
def test_num_shards_are_all_given_out(counts: dict[str, int], extra: int, record_bytes: float) -> None:
    num_shards = len(counts) + extra
    shards = shards_per_split(Sharding(num_shards=num_shards), counts, record_bytes)
    check_bounds(shards, counts)
    assert sum(shards.values()) == min(num_shards, sum(counts.values()))


@QUICK
@given(counts=COUNTS, extra=st.integers(0, 1000))
def test_num_shards_are_shared_out_by_size(counts: dict[str, int], extra: int) -> None:
    num_shards = len(counts) + extra
    shards = shards_per_split(Sharding(num_shards=num_shards), counts, 1)
    by_size = sorted(counts, key=counts.__getitem__)
    for small, large in pairwise(by_size):
        assert counts[small] == counts[large] or shards[small] <= shards[large]


@QUICK
@given(counts=COUNTS, samples_per_shard=st.integers(1, 10**6))
def test_samples_per_shard_is_never_passed(counts: dict[str, int], samples_per_shard: int) -> None:
    shards = shards_per_split(Sharding(samples_per_shard=samples_per_shard), counts, 1)
    check_bounds(shards, counts)
    for split, count in counts.items():
        assert math.ceil(count / shards[split]) <= samples_per_shard
        assert shards[split] == 1 or math.ceil(count / (shards[split] - 1)) > samples_per_shard, (
            "more shards than needed"
        )


@QUICK
@given(counts=COUNTS, max_shard_bytes=st.integers(1, 10**10), record_bytes=RECORD_BYTES)
def test_max_shard_bytes_is_passed_by_single_records_only(
    counts: dict[str, int], max_shard_bytes: int, record_bytes: float
) -> None:
    shards = shards_per_split(Sharding(max_shard_bytes=max_shard_bytes), counts, record_bytes)
    check_bounds(shards, counts)
    for split, count in counts.items():
        largest = math.ceil(count / shards[split])
        assert largest == 1 or largest * record_bytes <= max_shard_bytes


@QUICK
@given(counts=COUNTS, record_bytes=RECORD_BYTES)
def test_by_default_shards_are_of_up_to_128_mb(counts: dict[str, int], record_bytes: float) -> None:
    shards = shards_per_split(Sharding(), counts, record_bytes)
    check_bounds(shards, counts)
    for split, count in counts.items():
        largest = math.ceil(count / shards[split])
        assert (largest - 1) * record_bytes <= 128_000_000


@pytest.mark.parametrize(
    ("count", "record_bytes", "expected"),
    [
        (10, 10_000, 1),  # 0.1 MB
        (100, 100_000, 10),  # 10 MB: a shard for each of them
        (1_000, 100_000, 16),  # 100 MB: enough for sixteen workers
        (100_000, 100_000, 79),  # 10 GB: 127 MB each
        (1_281_167, 110_000, 1_102),
    ],
)
def test_default_number_of_shards(count: int, record_bytes: float, expected: int) -> None:
    assert shards_per_split(Sharding(), {"train": count}, record_bytes) == {"train": expected}


@QUICK
@given(counts=COUNTS, data=st.data())
def test_per_split_numbers_are_kept(counts: dict[str, int], data: st.DataObject) -> None:
    wanted = {split: data.draw(st.integers(1, 10**5)) for split in counts}
    shards = shards_per_split(Sharding(per_split=tuple(wanted.items())), counts, 1)
    assert shards == {split: min(wanted[split], counts[split]) for split in counts}


@pytest.mark.parametrize(
    ("sharding", "message"),
    [
        (Sharding(num_shards=1), "--num-shards 1 is fewer than the 2 splits; each needs at least one"),
        (Sharding(per_split=(("train", 1), ("vla", 1), ("val", 1))), "names a split that has no inputs: vla; there are: train, val"),
        (Sharding(per_split=(("train", 1),)), "leaves out a split: val; name them all"),
    ],
)  # fmt: skip
def test_shards_that_do_not_fit_the_splits(sharding: Sharding, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shards_per_split(sharding, {"train": 10, "val": 10}, 1)


@QUICK
@given(count=st.integers(1, 10**9), data=st.data())
def test_rows_of_shards_differ_by_at_most_one(count: int, data: st.DataObject) -> None:
    shards = data.draw(st.integers(1, min(count, 2_000)))
    rows = shard_rows(count, shards)
    assert (len(rows), sum(rows)) == (shards, count)
    assert max(rows) - min(rows) <= 1
    assert rows == sorted(rows, reverse=True)


def cut_listing(
    store: Store, keys: list[str], splits: list[str], shards: dict[str, int], *, batch_rows: int = 1_000
) -> tuple[list[ShardTask], dict[str, list[str]]]:
    """Cut a listing of `keys`; also the keys of each split in the order that the shards must have them in."""
    labels = [f"class{number % 3}" for number in range(len(keys))]
    spec = PrepareSpec(shuffle=False)
    batches = [
        listed(keys[at : at + batch_rows], split=splits[at : at + batch_rows], label=labels[at : at + batch_rows])
        for at in range(0, len(keys), batch_rows)
    ]
    rows = ordered(batches, spec, Path(store.root))
    expected = {split: [key for key, side in zip(keys, splits, strict=True) if side == split] for split in shards}
    tasks = cut(rows, store, Counter(splits), shards, ("class0", "class1", "class2"))
    return tasks, expected


def check_round_trip(store: Store, tasks: list[ShardTask], expected: dict[str, list[str]]) -> None:
    found: dict[str, list[str]] = {split: [] for split in expected}
    for task in tasks:
        rows = read_rows(task, store)
        assert rows.num_rows == task.rows
        assert set(rows["split"].to_pylist()) == {task.split}
        found[task.split] += keys_of(rows)
    assert found == expected
    assert [task.number for task in tasks] == list(range(len(tasks)))
    for split, keys in expected.items():
        of_split = [task for task in tasks if task.split == split]
        assert [task.index for task in of_split] == list(range(len(of_split)))
        assert {task.of for task in of_split} == {len(of_split)}
        assert [task.rows for task in of_split] == shard_rows(len(keys), len(of_split))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def names(count: int) -> list[str]:
    return [f"{number:06d}.jpg" for number in range(count)]


@pytest.mark.oldest
def test_several_splits_come_back_as_they_were(store: Store) -> None:
    splits = [("train", "train", "val", "train", "test")[number % 5] for number in range(997)]
    tasks, expected = cut_listing(store, names(997), splits, {"test": 2, "train": 7, "val": 3}, batch_rows=100)
    check_round_trip(store, tasks, expected)
    assert [task.split for task in tasks] == ["test"] * 2 + ["train"] * 7 + ["val"] * 3


def test_one_row_a_shard(store: Store) -> None:
    tasks, expected = cut_listing(store, names(40), ["train"] * 40, {"train": 40}, batch_rows=7)
    check_round_trip(store, tasks, expected)


def test_a_shard_of_several_row_groups(store: Store) -> None:
    tasks, expected = cut_listing(store, names(100_000), ["train"] * 100_000, {"train": 2}, batch_rows=30_000)
    check_round_trip(store, tasks, expected)
    assert [last - first for first, last in (task.groups for task in tasks)] == [2, 2]
    assert tasks[0].part == tasks[1].part


def test_many_shards_are_spread_over_several_parts(store: Store) -> None:
    splits = [("train", "val")[number % 3 == 0] for number in range(1_500)]
    tasks, expected = cut_listing(store, names(1_500), splits, {"train": 300, "val": 130})
    check_round_trip(store, tasks, expected)
    assert [len({task.part for task in tasks if task.split == split}) for split in ("train", "val")] == [3, 2]


def test_a_shard_of_more_groups_than_a_part_usually_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shardmill.plan.cut._ROWS_PER_GROUP", 2)
    tasks, expected = cut_listing(store, names(900), ["train"] * 900, {"train": 3})
    check_round_trip(store, tasks, expected)
    assert [task.groups for task in tasks] == [(0, 150)] * 3


def test_parts_are_let_go_of_as_they_fill(store: Store) -> None:
    """Their number grows with that of the shards, and open files are few."""
    most = 0

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for batch in ordered([listed(names(1_000), split=["train"] * 1_000)], PrepareSpec(), Path(store.root)):
            for at in range(0, batch.num_rows, 10):
                yield batch.slice(at, 10)
                most = max(most, len(list((Path(store.root) / "_tmp").iterdir())))

    cut(watched(), store, {"train": 1_000}, {"train": 1_000}, ())
    assert most == 1


def test_nothing_is_published_of_a_part_that_is_cut_short(store: Store) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield from ordered([listed(names(10), split=["train"] * 10)], PrepareSpec(), Path(store.root))
        raise UsageError("the listing ends here")

    with pytest.raises(UsageError, match="ends here"):
        cut(failing(), store, {"train": 20}, {"train": 2}, ())
    assert [path for path in Path(store.root).rglob("*") if path.is_file()] == []


def test_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    one, other = open_store(str(tmp_path / "one")), open_store(str(tmp_path / "other"))
    tasks, _ = cut_listing(one, names(400), ["train"] * 400, {"train": 9}, batch_rows=7)
    assert cut_listing(other, names(400), ["train"] * 400, {"train": 9}, batch_rows=400)[0] == tasks
    for part in {task.part for task in tasks}:
        assert one.read(part) == other.read(part)


def test_labels_are_numbers_beside_their_names(store: Store) -> None:
    batch = listed(["a", "b", "c"], split=["train"] * 3, label=["birch", None, "ash"])
    rows = ordered([batch], PrepareSpec(shuffle=False), Path(store.root))
    (task,) = cut(rows, store, {"train": 3}, {"train": 1}, ("ash", "birch"))
    table = read_rows(task, store)
    assert table.select(["key", "label", "class"]).to_pylist() == [
        {"key": "a", "label": 1, "class": "birch"},
        {"key": "b", "label": -1, "class": None},
        {"key": "c", "label": 0, "class": "ash"},
    ]
    assert not [name for name in table.schema.names if name.startswith("_") or name == "group"]


def test_columns_carried_through_stay(store: Store) -> None:
    batch = listed(["a", "b"], split=["train"] * 2).append_column("col:age", pa.array([3, None]))
    (task,) = cut(ordered([batch], PrepareSpec(shuffle=False), Path(store.root)), store, {"train": 2}, {"train": 1}, ())
    assert read_rows(task, store)["col:age"].to_pylist() == [3, None]
    with store.open(task.part) as file:
        assert pq.ParquetFile(file).metadata.num_row_groups == 1
