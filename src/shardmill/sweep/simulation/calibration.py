"""From runs that were made to the parameters of the simulation, with intervals from drawing runs with replacement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from shardmill.clusters.base import ClusterSpec
from shardmill.errors import UsageError
from shardmill.machine import available_cores
from shardmill.sweep.evidence import ClusterSeen, RunSeen
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.fitting import fit
from shardmill.sweep.simulation.parameters import Parameters, percentile
from shardmill.sweep.simulation.sighting import Sighting, images_of, sight

DRAWS: Final = 24
_IMAGE_BYTES: Final = 110_000.0
"""Of an image, where nothing tells: about what ImageNet's have."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What runs tell of jobs like them."""

    parameters: Parameters
    low: Parameters
    """5 % of `draws`, each parameter by itself."""
    high: Parameters
    """95 %."""
    draws: tuple[Parameters, ...]
    """From runs drawn with replacement."""
    image_bytes: float
    """Read for an image."""
    written_bytes: float
    """Of an image in the shards."""
    shards: Mapping[int, int | None]
    """Of the jobs that were seen, by their images; None for jobs that make none."""
    machine_cores: int
    """Of the machine that local clusters share."""
    shapes: tuple[ClusterSpec, ...]
    """On which the runs were made."""
    create_s: Mapping[str, float]
    """Median time to make a cluster, by provider."""
    delete_s: Mapping[str, float]
    runs: int
    notes: tuple[str, ...]
    """What the runs could not tell, a sentence each."""

    def shards_for(self, images: int) -> int | None:
        """Shards that a job of so many images makes: as many as the job nearest in size."""
        return self.shards[min(self.shards, key=lambda seen: (abs(math.log(seen / images)), seen))]


def calibrate(
    runs: Sequence[RunSeen],
    clusters: Sequence[ClusterSeen],
    *,
    caps: Mapping[str, Caps] | None = None,
    image_bytes: float | None = None,
    machine_cores: int | None = None,
    draws: int = DRAWS,
) -> Calibration:
    """The parameters of the jobs that `runs` ran, which must do the same to each image.

    Args:
        runs: Those that failed or have no event log are left out.
        clusters: On which they ran.
        caps: What held each run up that is known, by its name; runs that are not named read and write files without any.
        image_bytes: Read for an image; None: as the machines' counters of network or disk tell.
        machine_cores: Of the machine that local clusters share; None: of this machine.
        draws: How often runs are drawn with replacement, for the intervals.

    Raises:
        UsageError: no run can be used.
    """
    specs = {cluster.name: cluster.spec for cluster in clusters}
    here = machine_cores or available_cores()
    known = caps or {}
    used = [(run, sight(run, specs[run.cluster], known.get(run.name, Caps()), here)) for run in runs]
    seen = [one for _, one in used if one is not None]
    if not seen:
        raise UsageError(
            "no run can be calibrated on: none ended well with images counted and an event log whose tasks fit them. "
            "Run the sweep on a local shape first."
        )
    size, size_note = (
        _image_bytes([run for run, one in used if one is not None]) if image_bytes is None else (image_bytes, "")
    )
    best = fit(seen, size)
    random = np.random.default_rng(len(seen))
    drawn = [fit([seen[at] for at in random.integers(0, len(seen), len(seen))], size, best) for _ in range(draws)]
    shards: dict[int, int | None] = {one.images: one.shards for one in seen}
    made = [cluster for cluster in clusters if cluster.ready_at is not None]
    notes = [note for note in (size_note, *_unknown(seen)) if note]
    return Calibration(
        parameters=best,
        low=percentile(drawn or [best], 0.05),
        high=percentile(drawn or [best], 0.95),
        draws=tuple(drawn),
        image_bytes=size,
        written_bytes=median(one.written_bytes / one.images for one in seen),
        shards=shards,
        machine_cores=here,
        shapes=tuple({one.spec.name: one.spec for one in seen}.values()),
        create_s=_by_provider([(one.spec.provider, (one.ready_at or 0.0) - one.asked_at) for one in made]),
        delete_s=_by_provider(_deletions(made, runs)),
        runs=len(seen),
        notes=tuple(notes),
    )


def _image_bytes(runs: Sequence[RunSeen]) -> tuple[float, str]:
    """Of an image, by what the machines received or read from disks; and a note where nothing tells."""
    told = []
    for run in runs:
        images = images_of(run) or 0
        for name in ("network_in_bytes", "disk_read_bytes"):
            values = [getattr(sample, name) for sample in run.usage if sample.role == "worker"]
            if values and None not in values:
                told.append(sum(values) / images)
    most = max(told, default=0.0)
    if most >= 1000:
        return most, ""
    return _IMAGE_BYTES, f"No counter tells how large an image is, which is taken to be {_IMAGE_BYTES / 1000:.0f} kB."


def _unknown(seen: Sequence[Sighting]) -> list[str]:
    notes = []
    if max(task.busy for one in seen for task in one.tasks) < 1.2:
        notes.append(
            "No two tasks ran on one machine at the same time: how much they slow each other is taken for nothing."
        )
    if len({one.images for one in seen}) == 1:
        notes.append("All runs had as many images: what grows with their number cannot be told from what does not.")
    if not any(one.caps.from_store for one in seen):
        notes.append(
            "No run read from an object store: what its client costs is taken for nothing, and requests that follow one "
            "another for as many as the command is written to make."
        )
    if len(seen) < 4:
        notes.append(f"Only {len(seen)} runs were calibrated on: the intervals are too narrow.")
    return notes


def _by_provider(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for provider, seconds in values:
        found.setdefault(provider, []).append(seconds)
    return {provider: median(each) for provider, each in found.items()}


def _deletions(clusters: Sequence[ClusterSeen], runs: Sequence[RunSeen]) -> list[tuple[str, float]]:
    ended: dict[str, float] = {}
    for run in runs:
        ended[run.cluster] = max(ended.get(run.cluster, 0.0), run.outcome.finished_at)
    return [
        (one.spec.provider, max(one.deleted_at - ended[one.name], 0.0))
        for one in clusters
        if one.deleted_at is not None and one.name in ended
    ]
