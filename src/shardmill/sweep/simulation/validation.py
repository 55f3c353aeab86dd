"""Predicted against measured: each run from runs unlike it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from shardmill.clusters.event_log import first_to_end_well, main_stage
from shardmill.errors import UsageError
from shardmill.sweep.evidence import ClusterSeen, RunSeen
from shardmill.sweep.simulation.calibration import calibrate
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.prediction import predict
from shardmill.sweep.simulation.sighting import images_of, shards_of

LEFT_OUT: Final = ("shape", "partitions", "images", "caps")
"""What runs are left out by: all that share one value of it at a time."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One run that was predicted without any run of the same `left_out`. Seconds."""

    run: str
    left_out: str
    """One of `LEFT_OUT`."""
    shape: str
    partitions: int | None
    images: int
    measured_s: float
    predicted_s: float
    low_s: float
    high_s: float
    limited_by: str
    naive_s: float
    """images / (cores x rate), the rate being the median over the other runs of images / (cores x their whole time)."""
    naive_stage_s: float
    """The same with the rate of their main stage alone."""

    @property
    def error(self) -> float:
        """Relative to what was measured, signed."""
        return self.predicted_s / self.measured_s - 1


@dataclass(frozen=True, slots=True)
class Validation:
    """All that were checked."""

    checked: tuple[Checked, ...]

    def by(self, left_out: str) -> Validation:
        """Those with one thing left out."""
        return Validation(tuple(one for one in self.checked if one.left_out == left_out))

    @property
    def median_error(self) -> float:
        """Median of the absolute relative errors."""
        return median(abs(one.error) for one in self.checked)

    @property
    def naive_median_error(self) -> float:
        """The same of the better one of the two rules of three."""
        whole = median(abs(one.naive_s / one.measured_s - 1) for one in self.checked)
        return min(whole, median(abs(one.naive_stage_s / one.measured_s - 1) for one in self.checked))

    @property
    def covered(self) -> float:
        """Share of the runs whose time lies within its interval, which is meant to hold 90 %."""
        return sum(one.low_s <= one.measured_s <= one.high_s for one in self.checked) / len(self.checked)


def validate(
    runs: Sequence[RunSeen],
    clusters: Sequence[ClusterSeen],
    *,
    caps: Mapping[str, Caps] | None = None,
    image_bytes: float | None = None,
    machine_cores: int | None = None,
    left_out: Sequence[str] = LEFT_OUT,
) -> Validation:
    """Leave out all runs of each shape, number of partitions, number of images and caps in turn, and predict them.

    Args:
        runs: Of one job.
        clusters: On which they ran.
        caps: As in `calibrate`.
        image_bytes: As in `calibrate`.
        machine_cores: As in `calibrate`.
        left_out: Which of `LEFT_OUT`; what does not vary is passed over.

    Raises:
        UsageError: nothing varies, so that no run is unlike another.
    """
    known = caps or {}
    specs = {cluster.name: cluster.spec for cluster in clusters}
    usable = [run for run in runs if run.outcome.state == "done" and images_of(run) and run.log is not None]
    checked: list[Checked] = []
    for what in left_out:
        groups: dict[Hashable, list[RunSeen]] = {}
        for run in usable:
            groups.setdefault(_value(run, what, known), []).append(run)
        if len(groups) < 2:
            continue
        for group in groups.values():
            names = {run.name for run in group}
            others = [run for run in usable if run.name not in names]
            calibration = calibrate(others, clusters, caps=known, image_bytes=image_bytes, machine_cores=machine_cores)
            rates = [_rates(run, specs[run.cluster].task_cores) for run in others]
            whole, stage = (median(rate[place] for rate in rates) for place in (0, 1))
            for run in group:
                spec, images = specs[run.cluster], images_of(run) or 0
                made = predict(
                    calibration,
                    spec,
                    run.cell.partitions,
                    images,
                    known.get(run.name),
                    shards=shards_of(run),
                    first=run.first,
                )
                checked.append(
                    Checked(
                        run=run.name,
                        left_out=what,
                        shape=run.cell.shape,
                        partitions=run.cell.partitions,
                        images=images,
                        measured_s=run.outcome.elapsed_s,
                        predicted_s=made.elapsed_s,
                        low_s=made.low_s,
                        high_s=made.high_s,
                        limited_by=made.limited_by,
                        naive_s=images / (spec.task_cores * whole),
                        naive_stage_s=images / (spec.task_cores * stage),
                    )
                )
    if not checked:
        raise UsageError("no run is unlike the others in shape, partitions, images or caps; nothing can be left out.")
    return Validation(tuple(checked))


def _value(run: RunSeen, what: str, caps: Mapping[str, Caps]) -> Hashable:
    if what == "shape":
        return run.cell.shape
    if what == "partitions":
        return run.cell.partitions
    return images_of(run) if what == "images" else caps.get(run.name, Caps())


def _rates(run: RunSeen, cores: int) -> tuple[float, float]:
    """Images per core and second: over the whole run, and over its main stage."""
    images = images_of(run) or 0
    tasks = [] if run.log is None else first_to_end_well(main_stage(run.log))
    stage = max(task.finished_at for task in tasks) - min(task.launched_at for task in tasks) if tasks else 0.0
    return images / (cores * run.outcome.elapsed_s), images / (cores * (stage or run.outcome.elapsed_s))
