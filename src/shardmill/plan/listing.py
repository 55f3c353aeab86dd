"""From what a source lists to rows that carry their split, their label and their place in the shuffle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shardmill.errors import UsageError
from shardmill.plan.keys import Words, key_digests, shuffle_order, split_by_ratio
from shardmill.plan.sort import ORDER, external_sort
from shardmill.spec import PrepareSpec, check_split_name

_NUMBERED: Final = re.compile(r"~\d+$")
_SAMPLED_ROWS: Final = 64
UNLABELLED: Final = "-1"
"""Stands for no class where labels are numbers."""
DIGESTS: Final = ("_a", "_b", "_ordinal")
"""Of each row: the digest of its key in two halves, and its place in the listing."""


@dataclass(slots=True)
class Census:
    """What the first pass over a listing finds out; complete when that pass has ended."""

    rows: int = 0
    known_bytes: int = 0
    """Of the images whose size the source tells."""
    rows_with_size: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    split_by_source: int = 0
    """Rows whose split the source itself says."""
    labels: set[str] = field(default_factory=set)
    unlabelled: int = 0
    numbered_keys: set[str] = field(default_factory=set)
    """Keys that end like the names given to repeats, which these must then avoid."""
    repeats: int = 0
    sample: list[pa.RecordBatch] = field(default_factory=list)
    """One batch of the rows with the smallest digests: a fixed, unbiased sample for estimates."""


def annotate(
    batches: Iterable[pa.RecordBatch], spec: PrepareSpec, census: Census, tick: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    """Each batch with its split decided and the columns `_a`, `_b` (key digests) and `_ordinal`; fills `census`.

    `tick` is called with the number of rows seen so far.
    """
    for batch in batches:
        keys, groups = batch.column("key"), batch.column("group")
        a, b = key_digests(_strings(keys))
        grouped = a if groups.null_count == len(groups) else _group_digests(groups, a)
        ordinal = np.arange(census.rows, census.rows + len(keys), dtype=np.uint64)
        split = _decide_split(batch.column("split"), grouped, spec.splits)
        annotated = batch.set_column(batch.schema.get_field_index("split"), "split", split)
        for name, words in zip(DIGESTS, (a, b, ordinal), strict=True):
            annotated = annotated.append_column(name, pa.array(words))
        _count(annotated, len(keys) - batch.column("split").null_count, census)
        tick(census.rows)
        yield annotated


def number_repeats(batches: Iterable[pa.RecordBatch], scratch: Path, census: Census) -> Iterator[pa.RecordBatch]:
    """The rows sorted by key digest, repeats of a key renamed `~2`, `~3` in listing order; adds the column `_repeat`."""
    last: tuple[int, int] | None = None
    repeat = number = 0
    by_digest = (with_order(batch, batch.column("_a").to_numpy(), batch.column("_b").to_numpy()) for batch in batches)
    for batch in external_sort(by_digest, scratch):
        a, b = batch.column("_a").to_numpy(), batch.column("_b").to_numpy()
        repeats = np.zeros(len(a), dtype=np.uint64)
        same = np.empty(len(a), dtype=bool)
        same[1:] = (a[1:] == a[:-1]) & (b[1:] == b[:-1])
        same[0] = last == (int(a[0]), int(b[0]))
        last = int(a[-1]), int(b[-1])
        if same.any():
            keys = _strings(batch.column("key"))
            for row in range(len(keys)):
                if not same[row]:
                    repeat, number = 0, 1
                    continue
                repeat, number = repeat + 1, number + 1
                while f"{keys[row]}~{number}" in census.numbered_keys:
                    number += 1
                keys[row] = f"{keys[row]}~{number}"
                repeats[row] = repeat
            census.repeats += int(same.sum())
            place = batch.schema.get_field_index("key")
            batch = batch.set_column(place, batch.schema.field(place), pa.array(keys, pa.string()))
        elif not same[-1]:
            repeat, number = 0, 1
        yield batch.append_column("_repeat", pa.array(repeats))


def without_repeats(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch` of a source whose keys never repeat, with the column that `number_repeats` adds."""
    return batch.append_column("_repeat", pa.array(np.zeros(batch.num_rows, dtype=np.uint64)))


def in_final_order(batches: Iterable[pa.RecordBatch], spec: PrepareSpec, scratch: Path) -> Iterator[pa.RecordBatch]:
    """The rows in the order of the data set: shuffled by seed and key, or as listed."""

    def ordered() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            a, ordinal = batch.column("_a").to_numpy(), batch.column("_ordinal").to_numpy()
            if spec.shuffle:
                repeat = batch.column("_repeat").to_numpy()
                order = shuffle_order(batch.column("_b").to_numpy(), spec.seed, repeat)
            else:
                order = ordinal
            yield with_order(batch, order, a)

    return external_sort(ordered(), scratch)


def with_order(batch: pa.RecordBatch, first: Words, second: Words) -> pa.RecordBatch:
    """`batch` with the leading columns of a sort, in place of those of another."""
    kept = batch.select([name for name in batch.schema.names if name not in ORDER[:2]])
    return kept.append_column(ORDER[0], pa.array(first)).append_column(ORDER[1], pa.array(second))


def class_names(census: Census, spec: PrepareSpec, *, numeric: bool) -> tuple[str, ...]:
    """Class names in label order.

    Args:
        numeric: whole numbers are labels as they stand, and name line number = label.

    Raises:
        UsageError: a label is found that the given names do not have.
    """
    labels = census.labels - {UNLABELLED} if numeric else census.labels
    if spec.labels is not None:
        unknown = sorted(labels - set(spec.labels))
        numbers_given = numeric and all(_is_number(label) and int(label) < len(spec.labels) for label in labels)
        if unknown and not numbers_given:
            shown = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
            raise UsageError(f"labels not in the labels file: {shown}. Add them to it, or leave --labels-file out.")
        return spec.labels
    broken = sorted(label for label in census.labels if "\n" in label or "\r" in label)
    if broken:
        raise UsageError(f"the class name {broken[0]!r} holds a line break, which labels.txt cannot; rename the class.")
    if numeric and not labels:
        return ()
    if numeric and all(map(_is_number, labels)):
        highest = max(map(int, labels))
        if highest >= 1_000_000:
            raise UsageError(
                f"label {highest} is too large for a class number; give names, or numbers below 1,000,000."
            )
        return tuple(str(number) for number in range(highest + 1))
    negative = sorted(label for label in labels if numeric and _is_number(label.removeprefix("-")) and label[0] == "-")
    if negative:
        raise UsageError(f"label {negative[0]} is below zero; classes count from 0, and -1 stands for no class.")
    return tuple(sorted(census.labels))


def label_numbers(labels: pa.Array, names: tuple[str, ...]) -> pa.Array:
    """The label of each row as int64, -1 where there is none; a number stands for itself where no class is named so."""
    found = pc.index_in(labels, value_set=pa.array(names, pa.string())).cast(pa.int64())
    if found.null_count > labels.null_count:
        missing = pc.and_(pc.is_null(found), pc.is_valid(labels))
        found = pc.if_else(missing, pc.if_else(missing, labels, None).cast(pa.int64()), found)
    return pc.fill_null(found, -1)


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label


def _strings(column: pa.Array) -> list[str]:
    strings: list[str] = column.to_pylist()
    return strings


def _group_digests(groups: pa.Array, a: Words) -> Words:
    encoded = groups.dictionary_encode()
    digests, _ = key_digests(_strings(encoded.dictionary))
    codes = encoded.indices.fill_null(0).to_numpy()
    return np.where(groups.is_valid().to_numpy(zero_copy_only=False), digests[codes], a)


def _decide_split(given: pa.Array, a: Words, ratios: tuple[tuple[str, float], ...]) -> pa.Array:
    if given.null_count == 0:
        return given
    names = pa.array([name for name, _ in ratios], pa.string())
    return pc.coalesce(given, names.take(pa.array(split_by_ratio(a, ratios))))


def _count(batch: pa.RecordBatch, given: int, census: Census) -> None:
    size, label = batch.column("size"), batch.column("label")
    census.rows += batch.num_rows
    census.splits += split_counts(batch)
    census.split_by_source += given
    census.known_bytes += pc.sum(size).as_py() or 0
    census.rows_with_size += len(size) - size.null_count
    census.unlabelled += label.null_count
    census.labels.update(_strings(pc.unique(label.drop_null())))
    endings = pc.match_substring_regex(batch.column("key"), _NUMBERED.pattern)
    if pc.any(endings).as_py():
        census.numbered_keys.update(_strings(batch.column("key").filter(endings)))
    candidates = pa.Table.from_batches([*census.sample, batch])
    smallest = np.argsort(candidates["_a"].to_numpy(), kind="stable")[:_SAMPLED_ROWS]
    census.sample = candidates.take(pa.array(smallest)).combine_chunks().to_batches()


def split_counts(batch: pa.RecordBatch) -> Counter[str]:
    """Rows of each split in `batch`, their names checked."""
    counted = pc.value_counts(batch.column("split"))
    return Counter({check_split_name(row["values"]): row["counts"] for row in counted.to_pylist()})
