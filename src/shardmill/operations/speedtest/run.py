"""`shardmill speedtest`: how fast data sets, and the images they were made from, are read into batches."""

from __future__ import annotations

import os
import pickle as pickling
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.operations.speedtest.grid import Levels, make_cells, open_materials, parse_levels
from shardmill.operations.speedtest.result import SpeedtestResult
from shardmill.registry import ENGINES, load
from shardmill.runs import begin_run
from shardmill.speedtest.local import MOST_ATTEMPTS, LocalProcesses
from shardmill.speedtest.material import Material, ShardSet
from shardmill.speedtest.neighbours import MOST_TAKEN
from shardmill.speedtest.passes import PassSettings, PassTask
from shardmill.speedtest.record import RESULTS, Measurement, ResultFile
from shardmill.speedtest.schedule import Pass, missing, schedule
from shardmill.speedtest.summary import Group, Sum, averages, summarise, sums_of
from shardmill.storage.local import LocalStore
from shardmill.units import in_range

OnProgress = Callable[[int, int, int], None]

_LONGEST_S: Final = 3600.0


@checked
def speedtest(
    *datasets: str,
    files: Sequence[str] = (),
    reader: str = "auto",
    batch_size: str = "4,16,64",
    num_batches: str = "8,32",
    repetitions: int = 5,
    parallel_reads: str | None = None,
    decode: Literal["on", "off", "both"] = "on",
    cache: Literal["warm", "cold", "both"] = "warm",
    concurrency: str = "1",
    size: str | None = None,
    min_seconds: float = 1.0,
    seed: int = 0,
    engine: Literal["local", "spark"] = "local",
    master: str | None = None,
    out: str | None = None,
    pickle: bool = False,
    on_progress: OnProgress | None = None,
) -> SpeedtestResult:
    """Measure how fast data sets are read into batches, over a grid of factors.

    Every combination is measured as often as --repetitions says, all of them once in a random order before any comes
    again. A pass that is too short to time is repeated until it lasts --min-seconds. The same command goes on where it
    was stopped.

    Args:
        datasets: Data sets that prepare wrote, or TFRecords of anyone: a folder, a file or a pattern like 'train-*'.
        files: Image files to compare with: the folder or list that prepare took; repeatable. They are decoded and resized.
        reader: native (records front to back), loader (shardmill.open) or tf.data, with commas between; auto means native,
            and tf.data where TensorFlow is installed.
        batch_size: Images in a batch, with commas between.
        num_batches: Batches in a window, with commas between.
        repetitions: How often each combination is measured.
        parallel_reads: Shards or files read and decoded at the same time, with commas between; by default the cores.
        decode: Hand over pixels, or the encoded bytes alone, or measure both.
        cache: warm has the files in memory, cold drops them from the cache before each window, both does either.
        concurrency: Processes that read at the same time, with commas between; on Spark the cluster decides.
        size: Size to which decoded images are brought, N or WxH; by default that of the shards.
        min_seconds: Least duration of a pass; shorter windows are read again until their times add up to it.
        seed: Another seed gives another order.
        engine: local measures one combination at a time, undisturbed; spark as many at once as the cluster has slots.
        master: Spark master, for instance local[4] or spark://host:7077.
        out: Folder of the run; by default runs/speedtest-<name of the first data set>.
        pickle: Also write average_performance_<time>.pkl, a dictionary of averages.
        on_progress: Called with the passes made, the passes in all and the images read, from one thread.

    Returns:
        Medians and spreads of every combination, and where the rows are.

    Raises:
        UsageError: what is asked for cannot be read or measured, or the folder holds another run.
        MissingExtraError: the reader or engine asked for is not installed.
        DamageError: a data set is unfinished or damaged.
        ResumableError: a reading process died; what was measured is kept.
    """
    started = time.perf_counter()
    levels = parse_levels(
        reader=reader,
        batch_size=batch_size,
        num_batches=num_batches,
        parallel_reads=parallel_reads,
        decode=decode,
        cache=cache,
        concurrency=concurrency,
    )
    _check(levels, repetitions, min_seconds, engine, master)
    materials = open_materials(datasets, files, size)
    passes = schedule(make_cells(materials, levels), repetitions, seed)
    settings = PassSettings(engine, min_seconds, others_are_cold="cold" in levels.caches and "warm" in levels.caches)
    request = {
        **asdict(levels),
        "read": {name: _identity(material) for name, material in materials.items()},
        "repetitions": repetitions,
        "min_seconds": min_seconds,
        "seed": seed,
        "engine": engine,
    }
    run = begin_run(out or f"runs/speedtest-{_file_name(next(iter(materials)))}", "speedtest", request)
    with LocalStore(str(run.path)).lock():
        results = ResultFile(run.path / RESULTS)
        left = missing(passes, results.rows, engine)
        before = len(results.rows)
        sums = list(sums_of(results.rows))
        tell = _Teller(on_progress, len(passes), len(passes) - len(left))
        if left:
            measured = _on_spark if engine == "spark" else _locally
            for rows, made, own_sums in measured(left, materials, settings, master, tell):
                results.append(rows)
                sums += own_sums
                tell.add(rows, made)
        written = _write_pickle(run.path, sums) if pickle else None
    rows = results.rows
    return SpeedtestResult(
        out=str(run.path),
        results=str(run.path / RESULTS),
        engine=engine,
        passes=len(passes),
        made=len(left),
        warm_ups=sum(row.warm_up for row in rows[before:]),
        seconds=time.perf_counter() - started,
        cells=tuple(summarise(rows)),
        warnings=tuple(_warnings(rows, materials, levels, engine)),
        pickle=written,
    )


_Measured = Iterator[tuple[list[Measurement], int, list[tuple[Group, Sum]]]]
"""Rows that belong together, the number of passes they come from, and their sums by factor."""


def _locally(
    left: Sequence[Pass], materials: dict[str, Material], settings: PassSettings, master: str | None, tell: _Teller
) -> _Measured:
    """One pass at a time."""
    with LocalProcesses() as processes:
        for what in left:
            rows = processes.run(PassTask(what, materials[what.cell.dataset], settings))
            yield rows, 1, list(sums_of(rows))


def _on_spark(
    left: Sequence[Pass], materials: dict[str, Material], settings: PassSettings, master: str | None, tell: _Teller
) -> _Measured:
    """One repetition at a time, the passes of each spread over the cluster."""
    from shardmill.speedtest.on_spark import spark_rounds

    with spark_rounds(master, tell.expect) as rounds:
        for _, group in groupby(left, lambda what: what.repetition):
            passes = list(group)
            rows, sums = rounds.run(passes, materials, settings)
            yield rows, len(passes), sums


class _Teller:
    """Tells how far the run is."""

    def __init__(self, on_progress: OnProgress | None, of: int, done: int) -> None:
        self._on_progress = on_progress or (lambda done, of, images: None)
        self._of, self._done, self._images = of, done, 0
        self._on_progress(done, of, 0)

    def add(self, rows: Sequence[Measurement], passes: int) -> None:
        """Rows of so many passes were kept."""
        self._done += passes
        self._images += sum(row.images for row in rows)
        self._on_progress(self._done, self._of, self._images)

    def expect(self, passes: int) -> None:
        """So many passes were made whose rows are not here yet."""
        self._on_progress(self._done + passes, self._of, self._images)


def _check(levels: Levels, repetitions: int, min_seconds: float, engine: str, master: str | None) -> None:
    in_range("--repetitions", repetitions, 1)
    in_range("--min-seconds", min_seconds, 0, int(_LONGEST_S))
    load(ENGINES, "engine", engine)
    if engine == "local" and master is not None:
        raise UsageError("--master is for --engine spark; add that, or leave it out")
    if engine == "spark" and levels.concurrency != (1,):
        raise UsageError(
            "--concurrency is for --engine local; on Spark it is the cluster's slots, such as 4 with --master local[4]"
        )


def _identity(material: Material) -> dict[str, Any]:
    """What must be the same for two runs to be one."""
    identity: dict[str, Any] = {"root": material.store.root, "format": material.format, "size": material.size}
    if not isinstance(material, ShardSet):
        return {**identity, "images": material.images}
    manifest = material.dataset.manifest
    plan = None if manifest is None else manifest["data"].get("plan")
    facts = {"shards": len(material.shards), "bytes": material.bytes, "images": material.images}
    return {**identity, **facts, "plan": plan}


def _warnings(
    rows: Sequence[Measurement], materials: dict[str, Material], levels: Levels, engine: str
) -> Iterator[str]:
    counted = [row for row in rows if not row.warm_up]
    others = [row for row in counted if not row.as_asked]
    if others:
        seen = ", ".join(
            f"{sum((row.cache, row.cache_seen) == pair for row in others):,} asked {pair[0]} were {pair[1]}"
            for pair in sorted({(row.cache, row.cache_seen) for row in others})
        )
        yield f"cells with ! hold rows whose cache was not as asked, by the bytes that the device delivered: {seen}"
    unproven = sum(row.cache_seen == "unproven" for row in counted)
    if unproven:
        yield f"of {unproven:,} rows nobody can tell whether the cache was warm or cold: bytes are not counted there"
    disturbed = sum(row.others_cpu > MOST_TAKEN for row in counted)
    if disturbed:
        yield (
            f"during {disturbed:,} of {len(counted):,} passes other processes took more than {MOST_TAKEN:.0%} of the CPU, "
            f"though each was tried up to {MOST_ATTEMPTS} times; a quieter machine gives steadier numbers"
        )
    largest = max(levels.batch_sizes) * max(levels.num_batches)
    for name, material in materials.items():
        if "cold" in levels.caches and material.images is not None and largest > material.images:
            yield (
                f"windows of up to {largest:,} images read some of the {material.images:,} of {name} again, "
                "from the cache: cold is cold for smaller ones only"
            )
    if engine == "spark":
        yield "passes ran beside each other: rates are of one process each; host and concurrency are in the rows"


def _write_pickle(folder: Path, sums: Sequence[tuple[Group, Sum]]) -> str:
    """For notebooks that expect it; we never load it."""
    path = folder / f"average_performance_{time.strftime('%Y%m%d-%H%M%S')}.pkl"
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(pickling.dumps(averages(sums), protocol=4))
    scratch.replace(path)
    return str(path)


def _file_name(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    return kept.strip("-.") or "data"
