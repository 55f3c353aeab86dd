"""What a data set is made to be. Everything here decides bytes; how the run is carried out is not in it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

from shardmill.errors import UsageError
from shardmill.formats.base import Compression, FeatureKeys, FormatOptions
from shardmill.image.base import ImageSpec
from shardmill.sources.spec import SourceSpec

N = TypeVar("N", int, float)

_SPLIT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Sharding:
    """How many shards: at most one of these is set. None: of up to 128 MB, but enough of them to work in parallel."""

    num_shards: int | None = None
    """In all splits together, shared out by their sizes, at least one each."""
    per_split: tuple[tuple[str, int], ...] = ()
    samples_per_shard: int | None = None
    max_shard_bytes: int | None = None
    """A target: the number of shards follows from a fixed sample of encoded images."""


@dataclass(frozen=True, slots=True)
class PrepareSpec:
    """The request, as far as the bytes of the data set depend on it."""

    source: SourceSpec = field(default_factory=SourceSpec)
    image: ImageSpec = field(default_factory=ImageSpec)
    sharding: Sharding = field(default_factory=Sharding)
    transform: str = "native"
    shard_format: str = "tfrecord"
    feature_keys: FeatureKeys = "imagenet"
    compression: Compression = "none"
    tfds_name: str | None = None
    """Set: file names and metadata as `tfds.builder_from_directory` wants them, for a data set of this name."""
    splits: tuple[tuple[str, float], ...] = (("train", 1.0),)
    """Names and ratios, adding up to 1, for inputs whose source does not say."""
    labels: tuple[str, ...] | None = None
    """Class names in label order; None: the sorted names that are found."""
    seed: int = 0
    shuffle: bool = True
    limit: int | None = None
    """Keep this many inputs, the first of the shuffled order."""
    drop_duplicates: bool = False
    max_source_bytes: int = 256_000_000

    def format_options(self, classes: tuple[str, ...] = ()) -> FormatOptions:
        """What the shard format is to be told; `classes` are the names in label order."""
        return FormatOptions(self.feature_keys, self.compression, classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, in field order; `compression` only where there is any, so that older plans stay what they were."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples to lists
        if self.compression == "none":
            del values["compression"]
        return values


def parse_splits(text: str | None) -> tuple[tuple[str, float], ...]:
    """`"train=0.9,val=0.1"` as names and ratios; None means all of it is `train`.

    Raises:
        UsageError: not of that form, or the ratios do not add up to 1.
    """
    if text is None:
        return (("train", 1.0),)
    ratios = tuple((name, _number(name, value, float)) for name, value in _pairs("--splits", text))
    if any(not 0 < ratio <= 1 for _, ratio in ratios) or abs(sum(ratio for _, ratio in ratios) - 1) > 1e-6:
        raise UsageError(f"--splits {text} has no ratios above 0 that add up to 1; write it like train=0.9,val=0.1")
    return ratios


def parse_sharding(
    num_shards: str | int | None, samples_per_shard: int | None, max_shard_bytes: int | None
) -> Sharding:
    """The three flags, of which at most one is given; `num_shards` is a number or `"train=16,val=2"`.

    Raises:
        UsageError: more than one is given, or one is not positive.
    """
    given = [
        flag
        for flag, value in (
            ("--num-shards", num_shards),
            ("--samples-per-shard", samples_per_shard),
            ("--max-shard-size", max_shard_bytes),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; give one of them")
    if samples_per_shard is not None and samples_per_shard < 1:
        raise UsageError(f"--samples-per-shard is {samples_per_shard}; it takes a number of at least 1")
    if max_shard_bytes is not None and max_shard_bytes < 1:
        raise UsageError("--max-shard-size takes a size above zero, like 128MB")
    if samples_per_shard is not None:
        return Sharding(samples_per_shard=samples_per_shard)
    if num_shards is None:
        return Sharding(max_shard_bytes=max_shard_bytes)
    if "=" in str(num_shards):
        per_split = tuple((name, _number(name, value, int)) for name, value in _pairs("--num-shards", str(num_shards)))
        counts = [count for _, count in per_split]
    else:
        per_split, counts = (), [_number("--num-shards", str(num_shards), int)]
    if min(counts) < 1:
        raise UsageError(f"--num-shards {num_shards} takes numbers of at least 1")
    return Sharding(per_split=per_split) if per_split else Sharding(num_shards=counts[0])


def parse_size(text: str) -> tuple[int, int]:
    """`"224"` or `"640x480"` as (width, height) in pixels.

    Raises:
        UsageError: not of that form, or outside 1 to 65,500, the most that JPEG can hold.
    """
    parts = text.lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--size {text} is not a size; write it like 224 or 640x480 (width x height)")
    width, height = int(parts[0]), int(parts[-1])
    if not 1 <= min(width, height) <= max(width, height) <= 65_500:
        raise UsageError(f"--size {text} is out of range; JPEG holds sides of 1 to 65500 pixels")
    return width, height


def _pairs(flag: str, text: str) -> list[tuple[str, str]]:
    pairs = [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in text.split(","))]
    names = [name for name, _ in pairs]
    if not all(name and value for name, value in pairs) or len(set(names)) < len(names):
        raise UsageError(f"{flag} {text} is not a list of names and numbers; write it like train=0.9,val=0.1")
    for name in names:
        check_split_name(name)
    return pairs


def check_split_name(name: str) -> str:
    """`name`, if it can stand in a file name.

    Raises:
        UsageError: it cannot.
    """
    if _SPLIT_NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot name a split; use letters, digits and underscores")
    return name


def _number(name: str, text: str, kind: type[N]) -> N:
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{name}={text} is not a number; write it like train=0.9,val=0.1 or train=16,val=2") from error
