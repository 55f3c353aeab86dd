"""Predictions as rows of a sweep, marked as what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shardmill.clusters.base import ClusterSpec
from shardmill.sweep.row import Price, SweepRow
from shardmill.sweep.simulation.calibration import Calibration
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.prediction import Prediction, predict


def simulate(
    calibration: Calibration,
    shapes: Sequence[ClusterSpec],
    partitions: Sequence[int | None],
    images: int,
    price: Price,
    *,
    caps: Callable[[ClusterSpec], Caps] | None = None,
    core_speed: Callable[[ClusterSpec], float] | None = None,
    shards: int | None = None,
) -> list[SweepRow]:
    """A predicted row for each shape and number of partitions; see `predict` for what is not explained here.

    Args:
        price: As in `rows_of`.
        caps: Of each shape; None: no limits.
        core_speed: Of each shape's cores, relative to those of the calibration; None: as fast.
    """
    return [
        predicted_row(
            predict(
                calibration,
                spec,
                number,
                images,
                None if caps is None else caps(spec),
                core_speed=1.0 if core_speed is None else core_speed(spec),
                shards=shards,
            ),
            calibration,
            price,
        )
        for spec in shapes
        for number in partitions
    ]


def predicted_row(prediction: Prediction, calibration: Calibration, price: Price) -> SweepRow:
    """The row of a run that was not made. The time to create and delete its cluster is the median of the clusters that
    the calibration saw of that provider; None, and left out of the full cost, where it saw none."""
    spec, seconds = prediction.spec, prediction.elapsed_s
    create_s, delete_s = calibration.create_s.get(spec.provider), calibration.delete_s.get(spec.provider)
    hour = price(spec, 3600.0)
    notes = list(prediction.notes)
    if create_s is None and hour is not None:
        notes.append(
            f"No {spec.provider} cluster was seen: the time to make and delete one is left out of the full cost."
        )
    tasks = "" if prediction.partitions is None else f"-p{prediction.partitions}"
    return SweepRow(
        run=f"predicted-{spec.name}{tasks}",
        shape=spec.name,
        provider=spec.provider,
        machine_type=spec.task_node.machine_type,
        nodes=spec.task_nodes,
        cores_per_node=spec.task_node.cores,
        memory_mb_per_node=spec.task_node.memory_mb,
        partitions=prediction.partitions,
        repetition=0,
        position=0,
        first=False,
        cluster="",
        state="done",
        error="",
        elapsed_s=seconds,
        images=prediction.images,
        command_s=None,
        usage=None,
        tasks=None,
        create_s=create_s,
        delete_s=delete_s,
        usd_per_hour=hour,
        job_usd=None if hour is None else hour * seconds / 3600,
        full_usd=price(spec, seconds + (create_s or 0.0) + (delete_s or 0.0)),
        predicted=True,
        predicted_low_s=prediction.low_s,
        predicted_high_s=prediction.high_s,
        limited_by=prediction.limited_by,
        notes="\n".join(notes),
    )
