"""Arms beside each other that differ in one thing alone: in the format, or in the size of shards."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.observations import Observations, observe
from shardmill.model.ratio import Ratio, ratio
from shardmill.report.finding import Finding, Topic, Use
from shardmill.report.throughput.findings.words import bounded
from shardmill.report.throughput.study import Study

SMALL_BATCH: Final = 8
"""Images in a batch up to which somebody may be waiting for it."""
WORTH: Final = 0.03
"""A gain below is none that anybody would act on."""
_SAME_IMAGES: Final = 0.05
"""Share by which the mean bytes of an image may differ between two sets of the same images, since windows read some of them."""
_OF_EQUAL_COUNT: Final = 0.2
"""The same, where both sets are known to hold equally many."""
OTHER_SIZE: Final = 1.25
"""How many times as large shards are that count as of another size."""

Speed = Callable[[ArmAnalysis], Observations | None]
"""The rows of an arm with what is compared in the place of their rate; None where it has none."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The fastest of several arms, and each of the others with how many times as fast the fastest is."""

    best: ArmAnalysis
    rivals: tuple[tuple[ArmAnalysis, Ratio], ...]


def verdict(
    told: str, same: str, use: Use, gain: Ratio, sentences: tuple[str, str], source: str, topics: tuple[Topic, ...]
) -> Finding:
    """A finding of the kind `told`, with the first sentence, where the gain is no chance and large enough to matter; else of
    the kind `same`, with the second."""
    clear = gain.sure and gain.value >= 1 + WORTH
    kind, sentence = (told, sentences[0]) if clear else (same, sentences[1])
    return Finding(kind, use, sentence, gain.value, "x", bounded(gain.interval), source, topics)


def throughput(one: ArmAnalysis) -> Observations | None:
    """Images a second."""
    return one.seen


def promptness(study: Study) -> Speed:
    """One over the seconds until the first batch is there, of the smallest batches, where these are small."""

    def of(one: ArmAnalysis) -> Observations | None:
        rows = study.by_arm[one.arm]
        smallest = min(row.batch_size for row in rows)
        if smallest > SMALL_BATCH:
            return None
        chosen = [row for row in rows if row.batch_size == smallest]
        return replace(observe(chosen), rate=np.array([1 / max(row.first_batch_s, 1e-9) for row in chosen]))

    return of


def between_formats(study: Study, arms: Sequence[ArmAnalysis], speed: Speed) -> Contest | None:
    """Formats of the same images, read alike."""
    return _contest(study, arms, speed, lambda one: one.arm.format, lambda one, other: True)


def between_shard_sizes(study: Study, arms: Sequence[ArmAnalysis], speed: Speed) -> Contest | None:
    """Data sets of one format and of the same images, whose shards are of different sizes."""

    def other_size(one: ArmAnalysis, other: ArmAnalysis) -> bool:
        sizes = sorted((shard_bytes(study, one) or 0.0, shard_bytes(study, other) or 0.0))
        return sizes[0] > 0 and sizes[1] / sizes[0] > OTHER_SIZE

    return _contest(study, arms, speed, lambda one: one.arm.dataset, other_size, fixed=lambda one: one.arm.format)


def shard_bytes(study: Study, one: ArmAnalysis) -> float | None:
    """Mean bytes of a shard; None where the run does not say."""
    known = study.sets.get(one.arm.dataset)
    return None if known is None else known.shard_bytes


def same_images(study: Study, one: ArmAnalysis, other: ArmAnalysis) -> bool:
    """As far as the bytes of an image and the number of images can tell."""
    sets = [study.sets.get(name) for name in (one.arm.dataset, other.arm.dataset)]
    counts = [known.images for known in sets if known is not None and known.images is not None]
    if len(counts) == 2 and counts[0] != counts[1]:
        return False
    sizes = [_image_bytes(study, each) for each in (one, other)]
    alike = _OF_EQUAL_COUNT if len(counts) == 2 else _SAME_IMAGES
    return min(sizes) > 0 and abs(math.log(sizes[0] / sizes[1])) < alike


def _image_bytes(study: Study, one: ArmAnalysis) -> float:
    """Mean over all that was read; windows of different sizes read different images."""
    rows = study.by_arm[one.arm]
    return sum(row.bytes_read for row in rows) / sum(row.images for row in rows)


def _contest(
    study: Study,
    arms: Sequence[ArmAnalysis],
    speed: Speed,
    level: Callable[[ArmAnalysis], Hashable],
    differ: Callable[[ArmAnalysis, ArmAnalysis], bool],
    fixed: Callable[[ArmAnalysis], Hashable] = lambda one: None,
) -> Contest | None:
    groups: dict[Hashable, dict[Hashable, ArmAnalysis]] = {}
    for one in sorted(arms, key=lambda one: -one.roofline.rate.value):  # of two alike, the faster stands for both
        if one.arm.source == "shards" and speed(one) is not None:
            alike = (one.arm.reader, one.arm.decode, one.arm.cache, one.arm.engine, fixed(one))
            groups.setdefault(alike, {}).setdefault(level(one), one)
    for group in groups.values():  # that of the fastest arm first
        found = _won(study, list(group.values()), speed, differ)
        if found is not None:
            return found
    return None


def _won(
    study: Study,
    members: Sequence[ArmAnalysis],
    speed: Speed,
    differ: Callable[[ArmAnalysis, ArmAnalysis], bool],
) -> Contest | None:
    def over(one: ArmAnalysis, other: ArmAnalysis) -> Ratio | None:
        ours, theirs = speed(one), speed(other)
        if ours is None or theirs is None or not same_images(study, one, other) or not differ(one, other):
            return None
        return ratio(ours, theirs)

    best = members[0]
    for one in members[1:]:
        found = over(one, best)
        if found is not None and found.value > 1:
            best = one
    rivals = tuple((one, found) for one in members if one is not best and (found := over(best, one)) is not None)
    return Contest(best, rivals) if rivals else None
