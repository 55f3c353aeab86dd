"""One pass in the process that reads: warm up, bring the cache into the state asked for, measure, tell."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

import psutil

from shardmill.machine import describe_machine
from shardmill.registry import READERS, load
from shardmill.speedtest.cache import bring_into_cache, drop_from_cache, usage_meter
from shardmill.speedtest.gate import MEASURED, READY, Gate
from shardmill.speedtest.material import Material, local_path
from shardmill.speedtest.measure import Timing, measure
from shardmill.speedtest.reader import Reader, ReaderOptions
from shardmill.speedtest.record import EngineName, Measurement, cache_seen, rate
from shardmill.speedtest.schedule import Pass

_WARM_UP_S: Final = 0.5
_SPREAD: Final = 7919  # a prime: repetitions and processes begin far from each other, whatever the number of shards
_CACHED_SHARE: Final = 0.5  # of the memory that is free: more cannot be counted on to stay in the cache


@dataclass(frozen=True, slots=True)
class PassSettings:
    """What all passes of a run have in common."""

    engine: EngineName
    min_seconds: float
    """Windows are repeated until their times add up to this."""
    others_are_cold: bool = False
    """Some passes drop files from the cache, so that a warm one has to see to it each time."""


@dataclass(frozen=True, slots=True)
class PassTask:
    """What a process must know to make one pass. Pickles."""

    what: Pass
    material: Material
    settings: PassSettings
    place: int = 0
    """Which of the processes that read at the same time this is."""
    gate: str | None = None
    """The file that keeps them in step; None where there is one, or where nobody can (on Spark)."""


_warmed: set[tuple[object, ...]] = set()
_filled: set[str] = set()
"""Of this process: for what it has warmed up, and which materials it has brought into the cache."""


def run_pass(task: PassTask) -> list[Measurement]:
    """Make the pass; the row of the warm-up, where this process had not warmed up for its like, and the pass's row."""
    cell, material = task.what.cell, task.material
    reader: Reader = load(READERS, "reader", cell.reader)(material, ReaderOptions(cell.parallel_reads, cell.decode))
    gate = None if task.gate is None else Gate(task.gate, task.place)
    rows = []
    try:
        like = (cell.dataset, cell.source, cell.reader, cell.decode, cell.parallel_reads)
        if like not in _warmed:
            rows.append(_row(task, reader, warm_up=True))
            _warmed.add(like)
        if gate is not None:
            gate.reach(READY)
            gate.wait_for(READY)
        rows.append(_row(task, reader, warm_up=False))
        if gate is not None:
            gate.reach(MEASURED)
            while not gate.all_are(MEASURED):
                measure(reader, cell.batch_size, cell.num_batches, min_seconds=0, first_window=_SPREAD + task.place)
    finally:
        reader.close()
        if gate is not None:
            gate.close()
    return rows


def _row(task: PassTask, reader: Reader, *, warm_up: bool) -> Measurement:
    cell = task.what.cell
    first_window = _SPREAD * (task.what.repetition + 31 * task.place)
    before_window = _cache_setter(task)
    started_at = datetime.now(UTC).isoformat(timespec="microseconds")
    timing = measure(
        reader,
        cell.batch_size,
        cell.num_batches,
        min_seconds=min(_WARM_UP_S, task.settings.min_seconds) if warm_up else task.settings.min_seconds,
        first_window=first_window,
        before_window=before_window,
        usage=usage_meter(_some_path(task.material)),
    )
    return _measurement(task, timing, started_at, warm_up=warm_up)


def _cache_setter(task: PassTask) -> Callable[[int], None] | None:
    """Bring the cache into the state asked for: once for the pass where warm, before each window where cold."""
    cell, material = task.what.cell, task.material
    if _some_path(material) is None:
        return None
    if cell.cache == "cold":
        return lambda window: drop_from_cache(
            _paths(material, material.files_of(window, cell.window, cell.parallel_reads))
        )
    if task.settings.others_are_cold or material.name not in _filled:
        bring_into_cache(_paths(material, material.all_files()), int(psutil.virtual_memory().available * _CACHED_SHARE))
        _filled.add(material.name)
    return None


def _some_path(material: Material) -> str | None:
    """Where one of its files lies; None where they come over the network."""
    return local_path(material.store, material.all_files()[0])


def _paths(material: Material, names: list[str]) -> list[str]:
    return [path for name in names if (path := local_path(material.store, name)) is not None]


def _measurement(task: PassTask, timing: Timing, started_at: str, *, warm_up: bool) -> Measurement:
    return Measurement(
        **asdict(task.what.cell),
        engine=task.settings.engine,
        repetition=task.what.repetition,
        position=task.what.position,
        warm_up=warm_up,
        images=timing.images,
        repeats=timing.repeats,
        elapsed_s=timing.elapsed_s,
        first_batch_s=timing.first_batch_s,
        cpu_s=timing.cpu_s,
        bytes_read=timing.bytes_read,
        device_bytes=timing.device_bytes or 0,
        cache_seen=cache_seen(timing.device_bytes, timing.bytes_read),
        images_per_s=rate(timing.images, timing.elapsed_s),
        mb_per_s=rate(timing.bytes_read / 1e6, timing.elapsed_s),
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=started_at,
        versions=_versions(),
    )


@cache
def _versions() -> str:
    machine = describe_machine()
    return json.dumps({"python": machine["python"], **machine["versions"]}, sort_keys=True)
