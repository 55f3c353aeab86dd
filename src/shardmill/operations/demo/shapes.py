"""The part of the tour that is about machines: two local clusters compared, shapes of a cloud predicted, one of them picked."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shardmill.errors import MissingExtraError
from shardmill.operations.demo.tour import Tour, quoted
from shardmill.operations.pick.result import PickResult
from shardmill.operations.pick.run import pick
from shardmill.operations.sweep.result import SweepResult
from shardmill.operations.sweep.run import sweep
from shardmill.units import format_seconds

_LOCAL: Final = """\
workload: flowers
job: prepare {photos} {work}/{{run}} {options}
shapes:
  - {{name: one-core, provider: local, workers: 1, cores: 1, memory: 1GB, usd_per_hour: 0.05}}
  - {{name: two-cores, provider: local, workers: 1, cores: 2, memory: 1GB, usd_per_hour: 0.10}}
partitions: [1, 4]
"""
_CLOUD: Final = """\
workload: a million flowers
job: prepare gs://bucket/photos gs://bucket/work/{run} {options} --num-shards 256
shapes:
{shapes}
partitions: [64]
"""
_CLOUD_IMAGES: Final = 1_000_000


def compare_shapes(photos: Path, options: str, root: Path, out: Path, tour: Tour) -> SweepResult | None:
    """Prepare `photos` on two local clusters; None where Spark is not installed."""
    file = root / "shapes.yaml"
    file.write_text(
        _LOCAL.format(photos=quoted(photos.absolute()), work=quoted((root / "work").absolute()), options=options)
    )
    tour.step(
        "On which machines? The same job on two clusters of this machine, each made for it and deleted after it",
        f"sweep {quoted(file)} --out {quoted(out)}",
    )
    try:
        result = sweep(str(file), out=str(out))
    except MissingExtraError as error:
        tour.tell(f"left out: {error}")
        return None
    for line in result.lines:
        time = "failed" if line.elapsed_s is None else format_seconds(line.elapsed_s[1])
        cost = "" if line.full_usd is None else f", {line.full_usd:.4f} USD with making and deleting the cluster"
        tour.tell(f"{line.shape}, {line.partitions} partitions: {time}{cost}")
    tour.tell("The prices of these shapes are declared in the file; those of Google Dataproc come from a dated table.")
    return result


def predict_shapes(measured: SweepResult, options: str, root: Path, out: Path, tour: Tour) -> SweepResult:
    """What a million such images would take on shapes of Google Dataproc."""
    file = root / "cloud.yaml"
    file.write_text(_CLOUD.format(run="{run}", options=options, shapes="\n".join(_cloud_shapes())))
    tour.step(
        "And a million images on machines that nobody rented? Predicted from those runs, and marked as predicted",
        f"sweep {quoted(file)} --simulate {quoted(Path(measured.out))} --images {_CLOUD_IMAGES} --out {quoted(out)}",
    )
    result = sweep(str(file), simulate=measured.out, images=_CLOUD_IMAGES, out=str(out))
    costs = [line.full_usd for line in result.lines if line.full_usd is not None]
    tour.tell(
        f"{len(result.lines)} shapes of Google Dataproc; the dearest would cost {max(costs) / min(costs):.1f} times the cheapest"
    )
    return result


def search_shapes(predicted: SweepResult, out: Path, tour: Tour) -> PickResult:
    """Replay a search for the cheapest of the predicted shapes."""
    assert predicted.trace is not None  # all of them have prices
    tour.step(
        "Which of them is the cheapest, without trying all? A search, replayed on the predictions as on measured runs",
        f"pick --trace {quoted(Path(predicted.trace))} --out {quoted(out)}",
    )
    result = pick(trace=predicted.trace, out=str(out))
    tour.tell(f"{result.best}, found with {len(result.trials)} of {len(result.shapes)} runs")
    tour.tell("With trials on real clusters: shardmill pick FILE.yaml --budget USD")
    return result


def _cloud_shapes() -> list[str]:
    """Machines of three families, from few and small to many and large."""
    return [
        f"  - {{name: {workers}-{kind}-{cores}, provider: dataproc, master: n1-standard-2, worker: {kind}-{cores}, workers: {workers}}}"
        for kind in ("n1-standard", "n1-highcpu", "n2-standard")
        for cores in (2, 4, 8)
        for workers in (2, 4, 8)
    ]
