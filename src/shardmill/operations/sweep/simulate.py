"""A sweep that nobody runs: every shape predicted from the runs of an earlier one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.machine_types import machine_type
from shardmill.errors import UsageError
from shardmill.plan.cut import shards_per_split
from shardmill.runs import open_run
from shardmill.spec import parse_sharding
from shardmill.sweep.evidence import ClusterSeen, Evidence, RunSeen
from shardmill.sweep.request import SweepRequest
from shardmill.sweep.row import Price
from shardmill.sweep.simulation.calibration import calibrate
from shardmill.sweep.simulation.caps import Caps, caps_of, places
from shardmill.sweep.simulation.record import Simulated, parameters_of
from shardmill.sweep.simulation.rows import simulate
from shardmill.sweep.simulation.sighting import images_of
from shardmill.sweep.simulation.validation import Checked, validate
from shardmill.units import parse_bytes

_SPEED: Final = re.compile(r"([a-z0-9-]+)=([0-9.]+)")
_FREE: Final = (
    "--engine",
    "--partitions",
    "--num-shards",
    "--samples-per-shard",
    "--max-shard-size",
    "--storage-options",
    "--limit",
)
"""Options that may differ between the job that was measured and the one that is predicted: they change no image's cost."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be predicted, beyond the sweep file."""

    measured: Path
    """Run folder of an earlier sweep."""
    images: int | None
    """None: as many as most runs of that sweep read."""
    image_size: str | None
    core_speed: str | None


def simulated(request: SweepRequest, wish: Wish, price: Price) -> Simulated:
    """Predict every shape and number of partitions of `request`.

    Raises:
        UsageError: the folder holds no sweep, its job is another one, or none of its runs tells enough.
    """
    run = open_run(wish.measured)
    if run.kind != "sweep":
        raise UsageError(f"{wish.measured} holds a run of {run.kind}; name the folder of a sweep.")
    evidence = Evidence(run.path)
    runs, clusters = evidence.runs(), evidence.clusters()
    if not runs:
        raise UsageError(
            f"{wish.measured} holds no run that was made; run that sweep first, on local shapes for instance."
        )
    _check_same_job(request, runs)
    machine_cores = run.machine.get("cores")
    caps = {seen.name: Caps(*places(seen.words)) for seen in runs}
    size = None if wish.image_size is None else float(parse_bytes(wish.image_size))
    known = calibrate(runs, clusters, caps=caps, image_bytes=size, machine_cores=machine_cores)
    from_store, to_store = places(request.job)
    images = wish.images or Counter(images for seen in runs if (images := images_of(seen))).most_common(1)[0][0]
    rows = simulate(
        known,
        request.shapes,
        request.partitions,
        images,
        price,
        caps=lambda spec: caps_of(spec, from_store=from_store, to_store=to_store),
        core_speed=parse_core_speed(wish.core_speed),
        shards=shards_made(request.job, images, known.written_bytes),
    )
    return Simulated(
        rows=tuple(rows),
        calibrated_on=run.path.name,
        runs=known.runs,
        parameters=parameters_of(known),
        checked=_checked(runs, clusters, caps, known.image_bytes, machine_cores),
    )


def parse_core_speed(text: str | None) -> Callable[[ClusterSpec], float]:
    """How fast a core of a shape is, from `c3=1.4,n2=1.1`: by the name of its machine type, else of its family; 1 for others.

    Raises:
        UsageError: `text` is something else, or a speed is 0.
    """
    speeds: dict[str, float] = {}
    for part in (text or "").split(","):
        match = _SPEED.fullmatch(part.strip())
        try:
            if match is not None and float(match[2]) > 0:
                speeds[match[1]] = float(match[2])
                continue
        except ValueError:
            pass  # 1.2.3
        if text is not None:
            raise UsageError(f"--core-speed has {part.strip()!r}; write machine families or types, like c3=1.4,n2=1.1")

    def speed(spec: ClusterSpec) -> float:
        name = spec.task_node.machine_type
        kind = machine_type(name)
        return speeds.get(name, speeds.get("" if kind is None else kind.family, 1.0))

    return speed


def shards_made(job: Sequence[str], images: int, record_bytes: float) -> int | None:
    """How many shards `prepare` makes of one split of so many images; None for other commands.

    Raises:
        UsageError: the job's options for it exclude each other, or are wrong.
    """
    if job[0] != "prepare" or not record_bytes:
        return None
    samples, size = _value(job, "--samples-per-shard"), _value(job, "--max-shard-size")
    if samples is not None and not samples.isdecimal():
        raise UsageError(f"--samples-per-shard is {samples}; it takes a whole number")
    sharding = parse_sharding(
        _value(job, "--num-shards"),
        None if samples is None else int(samples),
        None if size is None else parse_bytes(size),
    )
    if sharding.per_split:
        return min(sum(count for _, count in sharding.per_split), images)
    return shards_per_split(sharding, {"train": images}, record_bytes)["train"]


def _value(words: Sequence[str], option: str) -> str | None:
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else next(iter(words[place + 1 : place + 2]), None)
    return None


def _check_same_job(request: SweepRequest, runs: Sequence[RunSeen]) -> None:
    """What an image costs depends on the command and its options, which must be those that were measured."""
    asked = _options(request.words(request.cells()[0], "run"))
    for seen in runs:
        measured = _options(seen.words)
        if measured != asked:
            raise UsageError(
                f"the job is `{' '.join(asked)}`, and the runs to predict it from are of `{' '.join(measured)}`; "
                "name a sweep of the same command with the same options."
            )


def _options(words: Sequence[str]) -> tuple[str, ...]:
    """The command and the options that may change what an image costs, in a fixed order."""
    kept: list[tuple[str, ...]] = []
    position = 1
    while position < len(words):
        word, after = words[position], words[position + 1 : position + 2]
        position += 1
        if not word.startswith("--"):
            continue  # SOURCE and DEST
        option: tuple[str, ...] = (word,)
        if "=" not in word and after and not after[0].startswith("--"):
            option = (word, after[0])
            position += 1
        if word.partition("=")[0] not in _FREE:
            kept.append(option)
    return (*words[:1], *(part for option in sorted(kept) for part in option))


def _checked(
    runs: Sequence[RunSeen],
    clusters: Sequence[ClusterSeen],
    caps: dict[str, Caps],
    image_bytes: float,
    machine_cores: int | None,
) -> tuple[Checked, ...]:
    try:
        return validate(runs, clusters, caps=caps, image_bytes=image_bytes, machine_cores=machine_cores).checked
    except UsageError:  # no run is unlike another: there is nothing to check a prediction by
        return ()
