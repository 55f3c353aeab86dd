"""From what is asked to the cells of the grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from shardmill.errors import UsageError
from shardmill.machine import available_cores
from shardmill.registry import READERS, load
from shardmill.spec import parse_size
from shardmill.speedtest.material import Material, ShardSet, open_files, open_shards, prepared_size
from shardmill.speedtest.record import Cache, Cell

_AUTO: Final = ("native", "tf.data")
_MOST_PASSES: Final = 1_000_000
_BOTH: Final[dict[str, tuple[bool, ...]]] = {"on": (True,), "off": (False,), "both": (True, False)}
_CACHES: Final[dict[str, tuple[Cache, ...]]] = {"warm": ("warm",), "cold": ("cold",), "both": ("warm", "cold")}


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of every factor but what is read."""

    readers: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    num_batches: tuple[int, ...]
    parallel_reads: tuple[int, ...]
    decode: tuple[bool, ...]
    caches: tuple[Cache, ...]
    concurrency: tuple[int, ...]


def parse_levels(
    *,
    reader: str,
    batch_size: str,
    num_batches: str,
    parallel_reads: str | None,
    decode: str,
    cache: str,
    concurrency: str,
) -> Levels:
    """The levels that the flags of these names ask for.

    Raises:
        UsageError: one of them is not a list of such levels.
        MissingExtraError: a reader is asked for that is not installed.
    """
    if reader == "auto":
        readers = tuple(name for name in _AUTO if name != "tf.data" or find_spec("tensorflow") is not None)
    else:
        readers = tuple(dict.fromkeys(word.strip() for word in reader.split(",")))
        for name in readers:
            load(READERS, "reader", name)
    return Levels(
        readers=readers,
        batch_sizes=_numbers("--batch-size", batch_size),
        num_batches=_numbers("--num-batches", num_batches),
        parallel_reads=_numbers(
            "--parallel-reads", str(available_cores()) if parallel_reads is None else parallel_reads
        ),
        decode=_BOTH[decode],
        caches=_CACHES[cache],
        concurrency=_numbers("--concurrency", concurrency),
    )


def _numbers(flag: str, text: str) -> tuple[int, ...]:
    """`2,4,8` as numbers, ascending, each once."""
    try:
        numbers = sorted({int(word) for word in text.split(",")})
    except ValueError as error:
        raise UsageError(f"{flag} is {text!r}; it takes whole numbers with commas between, like 2,4,8") from error
    if numbers[0] < 1:
        raise UsageError(f"{flag} is {text!r}; each number is at least 1")
    return tuple(numbers)


def open_materials(datasets: Sequence[str], files: Sequence[str], size: str | None) -> dict[str, Material]:
    """What is read, by the name under which it is shown: the last part of its path, or where two share it the whole.

    Raises:
        UsageError, DamageError: one of them cannot be opened, or there is none.
    """
    if not datasets and not files:
        raise UsageError("there is nothing to read; name a data set, or the images themselves with --files.")
    wanted = None if size is None else parse_size(size)
    shard_sets = [open_shards(location, wanted) for location in datasets]
    if wanted is None:
        wanted = next((known for known in map(prepared_size, shard_sets) if known is not None), (256, 256))
    opened: list[tuple[str, Material]] = list(zip(datasets, shard_sets, strict=True))
    opened += [(location, open_files(location, wanted)) for location in files]
    names = [material.name for _, material in opened]
    return {location if names.count(material.name) > 1 else material.name: material for location, material in opened}


def make_cells(materials: dict[str, Material], levels: Levels) -> list[Cell]:
    """Every combination that there is.

    Raises:
        UsageError: there is none, or too many for anyone to wait for.
    """
    cells = [
        Cell(name, material.source, material.format, *combination)
        for name, material in materials.items()
        for combination in itertools.product(
            (reader for reader in levels.readers if _reads(reader, material)),
            levels.batch_sizes,
            levels.num_batches,
            levels.parallel_reads,
            levels.decode,
            levels.caches,
            levels.concurrency,
        )
    ]
    if not cells:
        raise UsageError(f"{', '.join(levels.readers)} reads none of these; choose another --reader.")
    if len(cells) > _MOST_PASSES:
        raise UsageError(f"the grid has {len(cells):,} combinations; ask for fewer levels.")
    return cells


def _reads(reader: str, material: Material) -> bool:
    if reader == "loader":  # it hands over images as they are
        return isinstance(material, ShardSet) and material.size is None
    return reader != "tf.data" or material.format in ("tfrecord", "files")
