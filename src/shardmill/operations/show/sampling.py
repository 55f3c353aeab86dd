"""Draws some records evenly over classes, splits and shards, without reading the shards through."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pyarrow.parquet as pq

from shardmill.dataset import Dataset, Shard
from shardmill.formats.base import Damage, Placement, Sample

_MOST_SHARDS: Final = 16
_MOST_SCANNED: Final = 4_000
"""Records read from the fronts of compressed shards, in which nothing can be skipped; of all of them together."""

T = TypeVar("T")
ClassKey = tuple[int, str]
"""Label and class name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that could be shown; `sample` is None until it is read."""

    shard: Shard
    placement: Placement
    of: ClassKey
    sample: Sample | None = None


@dataclass(slots=True)
class Draw:
    """What was drawn, and what was learnt on the way."""

    samples: list[Sample] = field(default_factory=list)
    damage: list[tuple[str, str]] = field(default_factory=list)
    """Shard and what is wrong in it, of the records that were to be shown."""
    source_sizes: list[tuple[int, int]] = field(default_factory=list)
    """Upright width and height of the inputs of the shards looked at, where a table tells them."""
    records: Counter[str] = field(default_factory=Counter)
    """By shard, where all records of a shard were counted; only for files that others wrote."""
    classes: Counter[ClassKey] = field(default_factory=Counter)
    """Of the records that were read; only for files that others wrote."""


def draw_samples(dataset: Dataset, count: int, seed: int) -> Draw:
    """Up to `count` samples, by label and name of class; the same ones for the same set and seed.

    Classes get equal shares as far as the shards looked at hold them: at most sixteen, spread over the splits.
    """
    rng = random.Random(seed)
    shards = _spread(dataset.shards, rng)[:_MOST_SHARDS]
    draw = Draw()
    candidates: list[Candidate] = []
    for shard in shards:
        if dataset.manifest is not None and dataset.store.size(shard.samples_name) is not None:
            candidates += _from_table(dataset, shard, count, rng, draw)
        else:
            candidates += _from_shard(dataset, shard, count, len(shards), rng, draw)
    ordered = _even_order(candidates, rng)
    chosen: list[Candidate] = []
    for candidate in ordered:
        if len(chosen) == count:
            break
        sample = candidate.sample or _read(dataset, candidate.shard, candidate.placement, draw)
        if sample is not None:
            chosen.append(Candidate(candidate.shard, candidate.placement, candidate.of, sample))
    chosen.sort(key=lambda candidate: (candidate.of[0] < 0, candidate.of))
    draw.samples = [candidate.sample for candidate in chosen if candidate.sample is not None]
    return draw


def _spread(shards: Iterable[Shard], rng: random.Random) -> list[Shard]:
    """All shards, in random order within a split, the splits taking turns."""
    by_split: defaultdict[str, list[Shard]] = defaultdict(list)
    for shard in shards:
        by_split[shard.split].append(shard)
    for _, members in sorted(by_split.items()):
        rng.shuffle(members)
    return list(_by_turns([by_split[split] for split in sorted(by_split)]))


def _by_turns(queues: list[list[T]]) -> Iterator[T]:
    """The first of each queue, then the second of each, and so on."""
    for place in range(max(map(len, queues), default=0)):
        for queue in queues:
            if place < len(queue):
                yield queue[place]


def _even_order(candidates: list[Candidate], rng: random.Random) -> list[Candidate]:
    """Classes take turns, and within a class the shards do."""
    queues: list[list[Candidate]] = []
    by_class: defaultdict[ClassKey, defaultdict[int, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for candidate in candidates:
        by_class[candidate.of][candidate.shard.number].append(candidate)
    for _, by_shard in sorted(by_class.items()):
        rows = list(by_shard.values())
        rng.shuffle(rows)
        for row in rows:
            rng.shuffle(row)
        queues.append(list(_by_turns(rows)))
    rng.shuffle(queues)
    return list(_by_turns(queues))


def _from_table(dataset: Dataset, shard: Shard, count: int, rng: random.Random, draw: Draw) -> list[Candidate]:
    """From the shard's table of inputs, which knows where each record lies."""
    columns = ["label", "class", "status", "offset", "length", "source_width", "source_height"]
    kept: defaultdict[ClassKey, list[Candidate]] = defaultdict(list)
    seen: Counter[ClassKey] = Counter()
    with dataset.store.open(shard.samples_name) as file:
        for batch in pq.ParquetFile(file).iter_batches(columns=columns):
            for row in batch.to_pylist():
                if row["source_width"] is not None and len(draw.source_sizes) < 200_000:
                    draw.source_sizes.append((row["source_width"], row["source_height"]))
                if row["status"] != "written":
                    continue
                label = -1 if row["label"] is None else row["label"]
                of = (label, row["class"] or _name(dataset, label))
                seen[of] += 1
                place = len(kept[of]) if len(kept[of]) < count else rng.randrange(seen[of])
                if place < count:
                    candidate = Candidate(shard, Placement(row["offset"], row["length"]), of)
                    kept[of][place : place + 1] = [candidate]
    return [candidate for members in kept.values() for candidate in members]


def _from_shard(
    dataset: Dataset, shard: Shard, count: int, shards: int, rng: random.Random, draw: Draw
) -> list[Candidate]:
    """From the shard itself, which is one of `shards`: some of its records, read to learn their classes."""
    placements = _placements(dataset, shard)
    found: list[Candidate] = []
    if placements is None:
        found = _from_the_front(dataset, shard, -(-2 * count // shards), _MOST_SCANNED // shards, rng, draw)
    else:
        draw.records[shard.name] = len(placements)
        tried = rng.sample(placements, min(-(-6 * count // shards), len(placements)))
        for placement in sorted(tried, key=lambda place: place.offset):
            sample = _read(dataset, shard, placement, draw)
            if sample is not None:  # it is read again if it is drawn: all of them together may not fit into memory
                found.append(Candidate(shard, placement, _class_of(dataset, sample)))
    draw.classes.update(candidate.of for candidate in found)
    return found


def _from_the_front(
    dataset: Dataset, shard: Shard, count: int, most: int, rng: random.Random, draw: Draw
) -> list[Candidate]:
    kept: list[Candidate] = []
    number = 0
    for number, record in enumerate(dataset.records(shard), 1):
        if isinstance(record, Damage):
            draw.damage.append((shard.name, f"{record.kind} at byte {record.offset}: {record.detail}"))
        else:
            place = len(kept) if len(kept) < count else rng.randrange(number)
            if place < count:
                kept[place : place + 1] = [Candidate(shard, record[0], _class_of(dataset, record[1]), record[1])]
        if number == most:
            return kept
    draw.records[shard.name] = number
    return kept


def _placements(dataset: Dataset, shard: Shard) -> list[Placement] | None:
    """Where the records lie: from the index, or from the shard; None where nothing in it can be skipped."""
    size = dataset.store.size(shard.name) or 0
    indexed = _indexed(dataset, shard, size)
    if indexed is not None:
        return indexed
    with dataset.store.open(shard.name) as file:
        return dataset.shard_format.locate(file)


def _indexed(dataset: Dataset, shard: Shard, size: int) -> list[Placement] | None:
    """What the index says, or None where there is none, or one of another kind."""
    if not dataset.shard_format.index_suffix or dataset.store.size(shard.index_name) is None:
        return None
    placements = dataset.shard_format.parse_index(dataset.store.read(shard.index_name))
    if isinstance(placements, int):
        return None
    return placements if all(place.offset + place.length <= size for place in placements) else None


def _read(dataset: Dataset, shard: Shard, placement: Placement, draw: Draw) -> Sample | None:
    with dataset.store.open(shard.name) as file:
        record = dataset.shard_format.read_at(file, placement)
    if isinstance(record, Damage):
        draw.damage.append((shard.name, f"{record.kind} at byte {placement.offset}: {record.detail}"))
        return None
    return record


def _class_of(dataset: Dataset, sample: Sample) -> ClassKey:
    return sample.label, sample.text or _name(dataset, sample.label)


def _name(dataset: Dataset, label: int) -> str:
    if 0 <= label < len(dataset.labels):
        return dataset.labels[label]
    return "" if label < 0 else str(label)
