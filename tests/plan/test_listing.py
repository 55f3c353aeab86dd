from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardmill import isolation
from shardmill.engines.local import LocalEngine
from shardmill.errors import UsageError
from shardmill.operations.prepare.planning import take_plan
from shardmill.plan.listing import Census, annotate, class_names, label_numbers, split_counts
from shardmill.plan.store import Plan, read_rows
from shardmill.spec import PrepareSpec, Sharding
from shardmill.storage import StorageSettings, open_store
from tests.plan.listings import keys_of, listed, numbered, ordered

HALVES = (("train", 0.5), ("val", 0.5))


def census_of(labels: list[str | None]) -> Census:
    census = Census()
    list(annotate([listed([str(n) for n in range(len(labels))], label=labels)], PrepareSpec(), census, lambda _: None))
    return census


class TestLabels:
    def test_names_are_sorted_as_text(self) -> None:
        census = census_of(["Zander", "barsch", "10", "9", "Äsche", None, "barsch"])
        assert class_names(census, PrepareSpec(), numeric=False) == ("10", "9", "Zander", "barsch", "Äsche")
        assert census.unlabelled == 1

    def test_numbers_stand_for_themselves_and_gaps_stay(self) -> None:
        census = census_of(["3", "0", None, "5"])
        names = class_names(census, PrepareSpec(), numeric=True)
        assert names == ("0", "1", "2", "3", "4", "5")
        assert label_numbers(pa.array(["3", "0", None, "5"]), names).to_pylist() == [3, 0, -1, 5]

    @pytest.mark.parametrize("odd", ["07", "1.0", "٣", "one"])
    def test_one_that_is_no_plain_number_makes_all_of_them_names(self, odd: str) -> None:
        assert class_names(census_of(["3", odd, "0"]), PrepareSpec(), numeric=True) == tuple(sorted(("3", odd, "0")))

    def test_numbers_of_folders_are_names(self) -> None:
        assert class_names(census_of(["10", "9"]), PrepareSpec(), numeric=False) == ("10", "9")

    def test_minus_one_is_no_class_among_numbers(self) -> None:
        assert class_names(census_of(["1", "-1"]), PrepareSpec(), numeric=True) == ("0", "1")
        assert class_names(census_of(["-1", "-1"]), PrepareSpec(), numeric=True) == ()
        assert class_names(census_of(["1", "-1"]), PrepareSpec(labels=("a", "b")), numeric=True) == ("a", "b")
        assert class_names(census_of(["1", "-1"]), PrepareSpec(), numeric=False) == ("-1", "1")
        assert label_numbers(pa.array(["1", "-1"]), ("a", "b")).to_pylist() == [1, -1]

    @pytest.mark.parametrize("labels", [["1", "-2"], ["one", "-2"]])
    def test_other_numbers_below_zero(self, labels: list[str | None]) -> None:
        with pytest.raises(
            UsageError, match="label -2 is below zero; classes count from 0, and -1 stands for no class"
        ):
            class_names(census_of(labels), PrepareSpec(), numeric=True)

    def test_names_that_the_labels_file_cannot_hold(self) -> None:
        with pytest.raises(UsageError, match=r"'a\\nb' holds a line break, which labels\.txt cannot; rename the class"):
            class_names(census_of(["a\nb"]), PrepareSpec(), numeric=False)

    def test_a_number_too_large_for_a_class(self) -> None:
        with pytest.raises(UsageError, match="label 1000000 is too large for a class number; give names, or numbers"):
            class_names(census_of(["1", "1000000"]), PrepareSpec(), numeric=True)

    def test_nothing_labelled(self) -> None:
        assert class_names(census_of([None, None]), PrepareSpec(), numeric=True) == ()
        assert label_numbers(pa.array([None, None], pa.string()), ()).to_pylist() == [-1, -1]

    def test_labels_file_decides_the_order(self) -> None:
        spec = PrepareSpec(labels=("pike", "carp", "eel"))
        assert class_names(census_of(["carp", "pike"]), spec, numeric=False) == ("pike", "carp", "eel")
        assert label_numbers(pa.array(["carp", "pike"]), spec.labels or ()).to_pylist() == [1, 0]

    def test_names_that_the_labels_file_lacks_are_told(self) -> None:
        census = census_of(["carp", "trout", "bream"])
        with pytest.raises(UsageError) as caught:
            class_names(census, PrepareSpec(labels=("carp",)), numeric=False)
        assert str(caught.value) == (
            "labels not in the labels file: bream, trout. Add them to it, or leave --labels-file out."
        )

    def test_only_the_first_of_many_unknown_names_are_told(self) -> None:
        census = census_of([f"fish {number}" for number in range(9)])
        with pytest.raises(UsageError, match=r"fish 3, fish 4 and 4 more\. Add them"):
            class_names(census, PrepareSpec(labels=("carp",)), numeric=False)

    def test_numbers_are_lines_of_the_labels_file(self) -> None:
        spec = PrepareSpec(labels=("pike", "carp", "eel"))
        assert class_names(census_of(["2", "0"]), spec, numeric=True) == ("pike", "carp", "eel")
        assert label_numbers(pa.array(["2", None, "0"]), spec.labels or ()).to_pylist() == [2, -1, 0]

    def test_a_number_behind_the_last_line_of_the_labels_file(self) -> None:
        with pytest.raises(UsageError, match=r"labels not in the labels file: .*3"):
            class_names(census_of(["3", "0"]), PrepareSpec(labels=("pike", "carp", "eel")), numeric=True)


def numbers_of(keys: list[str], scratch: Path) -> list[str]:
    rows, census = numbered([listed(keys)], PrepareSpec(), scratch)
    assert census.repeats == len(keys) - len(set(keys))
    names: list[str] = keys_of(rows)
    return names


class TestRepeats:
    @pytest.mark.oldest
    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            (["a", "b", "a", "a", "b"], ["a", "b", "a~2", "a~3", "b~2"]),
            (["a", "a~2", "a"], ["a", "a~2", "a~3"]),
            (["a", "a", "a~2"], ["a", "a~3", "a~2"]),
            (["a~2", "a~2", "a"], ["a~2", "a~2~2", "a"]),
            (["a~2", "a~2", "a~2~2", "a", "a", "a~4", "a"], ["a~2", "a~2~3", "a~2~2", "a", "a~3", "a~4", "a~5"]),
            (["", "", "~2"], ["", "~3", "~2"]),
        ],
    )
    def test_are_numbered_in_listing_order(self, keys: list[str], expected: list[str], tmp_path: Path) -> None:
        assert numbers_of(keys, tmp_path) == expected

    @given(keys=st.lists(st.sampled_from(["a", "b", "a~2", "a~3", "a~2~2", "b~2", "b~10"]), min_size=1, max_size=40))
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_two_names_are_the_same(self, keys: list[str], tmp_path: Path) -> None:
        names = numbers_of(keys, tmp_path)
        assert len(set(names)) == len(names)
        first_seen = {key: keys.index(key) for key in keys}
        assert all(names[place] == key for key, place in first_seen.items()), "the first of its name loses it"

    def test_are_numbered_on_over_batches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shardmill.plan.sort._BLOCK_ROWS", 3)
        monkeypatch.setattr("shardmill.plan.sort.external_sort.__defaults__", (4,))
        batches = [listed(["a", "b"]), *(listed(["a"]) for _ in range(20)), listed(["b", "a"])]
        rows, _ = numbered(batches, PrepareSpec(), tmp_path)
        assert keys_of(rows) == ["a", "b", *(f"a~{number}" for number in range(2, 22)), "b~2", "a~22"]

    def test_stay_on_the_side_of_the_first(self, tmp_path: Path) -> None:
        keys = [f"{number % 50}.jpg" for number in range(500)]
        rows, _ = numbered([listed(keys)], PrepareSpec(splits=HALVES), tmp_path)
        sides = {
            (key.partition("~")[0], side) for key, side in zip(keys_of(rows), rows["split"].to_pylist(), strict=True)
        }
        assert len(sides) == 50
        assert {side for _, side in sides} == {"train", "val"}

    def test_are_shuffled_apart(self, tmp_path: Path) -> None:
        keys = keys_of(ordered([listed([f"{number % 2}.jpg" for number in range(100)])], PrepareSpec(), tmp_path))
        assert sum(one[0] == other[0] for one, other in pairwise(keys)) < 75


class TestSplits:
    def test_given_ones_are_kept_and_the_others_decided(self, tmp_path: Path) -> None:
        given = ["test" if number % 4 == 0 else None for number in range(200)]
        batch = listed([f"{number}.jpg" for number in range(200)], split=given)
        rows, _ = numbered([batch], PrepareSpec(splits=HALVES), tmp_path)
        found = rows["split"].to_pylist()
        assert [side == "test" for side in found] == [side == "test" for side in given]
        assert set(found) == {"train", "val", "test"}

    def test_all_of_it_is_train_by_default(self, tmp_path: Path) -> None:
        rows, census = numbered([listed(["a", "b"])], PrepareSpec(), tmp_path)
        assert rows["split"].to_pylist() == ["train", "train"]
        assert census.splits == {"train": 2}

    def test_seed_decides_the_order_and_not_the_side(self, tmp_path: Path) -> None:
        batch = listed([f"{number}.jpg" for number in range(300)])
        sides, orders = [], []
        for seed in range(3):
            table = pa.Table.from_batches(ordered([batch], PrepareSpec(splits=HALVES, seed=seed), tmp_path))
            sides.append(dict(zip(keys_of(table), table["split"].to_pylist(), strict=True)))
            orders.append(keys_of(table))
        assert sides[0] == sides[1] == sides[2]
        assert len({tuple(order) for order in orders}) == 3

    @pytest.mark.oldest
    def test_a_group_stays_together(self, tmp_path: Path) -> None:
        keys = [f"{number}.jpg" for number in range(600)]
        groups = [f"patient {number % 40}" if number % 3 else None for number in range(600)]
        rows, _ = numbered([listed(keys, group=groups)], PrepareSpec(splits=HALVES), tmp_path)
        found = rows["split"].to_pylist()
        sides = {(group, side) for group, side in zip(groups, found, strict=True) if group}
        assert len(sides) == 40
        ungrouped = Counter(side for group, side in zip(groups, found, strict=True) if group is None)
        assert min(ungrouped.values()) > 60, "rows without a group are decided one by one"

    def test_a_group_is_the_same_in_every_batch(self, tmp_path: Path) -> None:
        batches = [listed([f"{number}.jpg"], group=[f"{number % 10}"]) for number in range(100)]
        rows, _ = numbered(batches, PrepareSpec(splits=HALVES), tmp_path)
        assert len(set(zip(rows["group"].to_pylist(), rows["split"].to_pylist(), strict=True))) == 10

    @pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "train-2"])
    def test_names_that_no_file_can_have(self, name: str) -> None:
        with pytest.raises(UsageError, match="cannot name a split; use letters, digits and underscores"):
            split_counts(listed(["a"], split=[name]))


class TestOrder:
    def test_as_listed(self, tmp_path: Path) -> None:
        keys = [f"{number * 7919 % 1000}.jpg" for number in range(1000)]
        batches = [listed(keys[at : at + 64]) for at in range(0, 1000, 64)]
        assert keys_of(ordered(batches, PrepareSpec(shuffle=False), tmp_path)) == keys

    @pytest.mark.oldest
    def test_shuffled_whatever_order_they_are_listed_in(self, tmp_path: Path) -> None:
        keys = [f"{number}.jpg" for number in range(500)]
        shuffled = keys_of(ordered([listed(keys)], PrepareSpec(), tmp_path))
        backwards = keys_of(ordered([listed(keys[::-1][:100]), listed(keys[::-1][100:])], PrepareSpec(), tmp_path))
        assert shuffled == backwards != keys
        assert sorted(shuffled) == sorted(keys)


class TestCensus:
    def test_counts_what_is_there(self, tmp_path: Path) -> None:
        batches = [
            listed(["a", "b"], size=[10, None], label=["x", None]),
            listed(["b", "c~7"], size=[5, 7], label=["y", "x"]),
        ]
        _, census = numbered(batches, PrepareSpec(), tmp_path)
        assert (census.rows, census.known_bytes, census.rows_with_size) == (4, 22, 3)
        assert (census.labels, census.unlabelled) == ({"x", "y"}, 1)
        assert (census.numbered_keys, census.repeats) == ({"c~7"}, 1)

    def test_tells_how_far_it_is(self) -> None:
        seen: list[int] = []
        list(annotate([listed(["a", "b"]), listed(["c"])], PrepareSpec(), Census(), tick=seen.append))
        assert seen == [2, 3]

    def test_sample_is_fixed_and_bounded(self) -> None:
        keys = [f"{number}.jpg" for number in range(5_000)]
        samples = []
        for rows in (5_000, 77):
            census = Census()
            batches = (listed(keys[at : at + rows]) for at in range(0, 5_000, rows))
            list(annotate(batches, PrepareSpec(), census, lambda _: None))
            samples.append(sorted(keys_of(census.sample)))
        assert samples[0] == samples[1]
        assert len(samples[0]) == 64
        places = [int(key.removesuffix(".jpg")) for key in samples[0]]
        assert abs(np.mean(places) - 2_500) < 5 * 5_000 / 12**0.5 / 8, "the sample leans to one end"


class ListedSource:
    """A source whose listing is given."""

    unique_keys = False
    numeric_labels = False
    class_names: tuple[str, ...] | None = None

    def __init__(self, root: Path, batches: list[pa.RecordBatch]) -> None:
        self.root = str(root)
        self.ignored: Counter[str] = Counter()
        self._batches = batches

    def batches(self) -> Iterator[pa.RecordBatch]:
        return iter(self._batches)


def plan_keys(limit: int | None, folder: Path) -> tuple[Plan, list[str]]:
    keys = [f"{number % 150}.jpg" for number in range(200)]
    for key in keys:
        (folder / key).touch()
    source = ListedSource(folder, [listed(keys[at : at + 30]) for at in range(0, 200, 30)])
    dest = open_store(str(folder / f"out-{limit}"))
    scratch = folder / f"scratch-{limit}"
    scratch.mkdir()
    asked = PrepareSpec(splits=HALVES, limit=limit, sharding=Sharding(samples_per_shard=1_000))
    with closing(isolation.Child()) as child:
        engine, limits = LocalEngine(1), isolation.Limits()
        plan = take_plan(
            source, "listed", asked, "print", scratch, dest, engine, child, limits, lambda _: None, StorageSettings()
        )
    assert list(scratch.iterdir()) == [], "planning leaves files behind"
    return plan, [key for task in plan.tasks for key in keys_of(read_rows(task, dest))]


def test_limit_takes_the_first_of_the_shuffled_order(tmp_path: Path) -> None:
    whole, all_keys = plan_keys(None, tmp_path)
    limited, keys = plan_keys(40, tmp_path)
    assert sum(whole.listed.values()) == len(all_keys) == len(set(all_keys)) == 200
    assert sum(limited.listed.values()) == len(keys) == 40
    for split in ("train", "val"):
        count = limited.listed[split]
        start, limited_start = (0, 0) if split == "train" else (whole.listed["train"], limited.listed["train"])
        assert keys[limited_start : limited_start + count] == all_keys[start : start + count]


def test_limit_beyond_the_listing_takes_all(tmp_path: Path) -> None:
    assert sorted(plan_keys(None, tmp_path)[1]) == sorted(plan_keys(1_000, tmp_path)[1])
