"""One core, one process: the whole way of an image against the least that any decoder could do.

The floor decodes at an eighth of the size, which still reads every coefficient of the stream, and encodes the result.
The whole way is `make_shard`, as a worker runs it and in a worker's environment: read, hash, check, decode, resize,
encode, add up, frame, write, publish.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import simplejpeg
from jobs import QUALITY, SIDE
from numpy.typing import NDArray

from shardmill import isolation
from shardmill.image.base import ImageSpec
from shardmill.image.native import NativeTransform
from shardmill.layout import samples_name
from shardmill.operations.prepare.job import Job, ShardCall
from shardmill.operations.prepare.run import prepare
from shardmill.operations.prepare.shard import make_shard
from shardmill.plan.cut import ShardTask
from shardmill.plan.store import load, read_rows
from shardmill.spec import PrepareSpec
from shardmill.storage import open_store

_SHARDS: Final = 4
_LIMITS: Final = isolation.Limits(item_timeout_s=600)


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is to measure."""

    job: Job
    tasks: tuple[ShardTask, ...]
    rounds: int
    core: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One shard, both ways one after the other; milliseconds an image."""

    shard: int
    round: int
    floor_ms: float
    floor_cpu_ms: float
    whole_ms: float
    whole_cpu_ms: float


@dataclass(frozen=True, slots=True)
class PerImage:
    """Medians over all passes, and their ratio."""

    images: int
    floor_ms: float
    whole_ms: float
    ratio: float
    ratio_spread: tuple[float, float]
    cpu_ratio: float
    """Of processor time: leaves waiting for the disk out."""
    passes: tuple[Pass, ...]


def per_image(source: Path, dest: Path, rounds: int) -> PerImage:
    """Prepare `source` once, then make its shards again and again in a child like those of the product."""
    prepare(str(source), str(dest), size=str(SIDE), quality=QUALITY, num_shards=str(_SHARDS), max_errors="0")
    plan = load(open_store(str(dest)))
    assert plan is not None, "it was just followed"
    spec = PrepareSpec(image=ImageSpec(width=SIDE, height=SIDE, quality=QUALITY))
    job = Job(spec, plan.source_root, str(dest), plan.digest, plan.fingerprint)
    request = Request(job, plan.tasks, rounds, max(os.sched_getaffinity(0)))
    child = isolation.Child()
    try:
        passes = child.call(measure, request, _LIMITS)
    finally:
        child.close()
    floor, whole = (statistics.median(times) for times in zip(*((p.floor_ms, p.whole_ms) for p in passes), strict=True))
    ratios = [one.whole_ms / one.floor_ms for one in passes]
    return PerImage(
        images=sum(task.rows for task in plan.tasks),
        floor_ms=floor,
        whole_ms=whole,
        ratio=whole / floor,
        ratio_spread=(min(ratios), max(ratios)),
        cpu_ratio=statistics.median(p.whole_cpu_ms for p in passes) / statistics.median(p.floor_cpu_ms for p in passes),
        passes=tuple(passes),
    )


def measure(request: Request) -> list[Pass]:
    """Runs in the child. Round 0 warms up and is left out."""
    os.sched_setaffinity(0, {request.core})
    dest = open_store(request.job.dest)
    passes = []
    for number in range(request.rounds + 1):
        for task in request.tasks:
            images = _images(request.job, task)
            floor_ms, floor_cpu_ms = _timed(lambda images=images: _floor(images), task.rows)  # type: ignore[misc]
            dest.remove(samples_name(task.number))  # else the shard counts as made
            call = ShardCall(request.job, task)
            whole_ms, whole_cpu_ms = _timed(lambda call=call: make_shard(call), task.rows)  # type: ignore[misc]
            if number > 0:
                passes.append(Pass(task.number, number, floor_ms, floor_cpu_ms, whole_ms, whole_cpu_ms))
    return passes


def _images(job: Job, task: ShardTask) -> list[tuple[bytes, NDArray[np.uint8]]]:
    """Each image of the shard with its result before it is encoded."""
    transform = NativeTransform(job.spec.image)
    images = []
    for uri in read_rows(task, open_store(job.dest)).column("uri").to_pylist():
        image = Path(job.source_root, uri).read_bytes()
        pixels = transform.pixels(image)
        assert isinstance(pixels, np.ndarray), f"{uri} is refused: {pixels}"
        images.append((image, pixels))
    return images


_buffer: Final = np.empty(1 << 24, np.uint8)


def _floor(images: Sequence[tuple[bytes, NDArray[np.uint8]]]) -> None:
    for image, pixels in images:
        simplejpeg.decode_jpeg(image, min_height=1, min_width=1, buffer=_buffer)
        simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="444")


def _timed(work: Callable[[], object], images: int) -> tuple[float, float]:
    """Milliseconds an image: elapsed, and of processor time."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    return 1e3 * elapsed / images, 1e3 * cpu / images
