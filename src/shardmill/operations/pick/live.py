"""Trials on real clusters, made and kept as a sweep's runs are: a cluster is made, the job runs on it, the cluster is deleted."""

from __future__ import annotations

from collections.abc import Sequence

from shardmill.clusters.base import ClusterSpec
from shardmill.errors import ResumableError, UsageError
from shardmill.operations.sweep.make import Maker, OutOfBudgetError
from shardmill.search.base import Trial
from shardmill.search.loop import Paid, UnaffordableError
from shardmill.search.shapes import Shape, told_apart
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.plan import PlannedRun
from shardmill.sweep.request import SweepRequest
from shardmill.sweep.row import Price
from shardmill.sweep.table import disk_columns


class ClusterRunner:
    """A `TrialRunner` over the shapes and numbers of partitions of a sweep file.

    What a trial is paid for runs from asking for its cluster to the deletion; what it is judged by is the job alone. A job
    that fails is a failed trial. A cluster that is lost says nothing of its shape: the search stops and can go on.
    """

    def __init__(self, request: SweepRequest, maker: Maker, price: Price) -> None:
        by_name = {spec.name: spec for spec in request.shapes}
        self._cells = request.cells()
        self._specs = [by_name[cell.shape] for cell in self._cells]
        self._maker = maker
        self.shapes: tuple[Shape, ...] = told_apart(
            [shape_of(spec, cell.partitions, price) for spec, cell in zip(self._specs, self._cells, strict=True)]
        )
        self._paid: dict[Trial, float] = {}
        self._made = 0

    def done(self, runs: Sequence[RunSeen]) -> list[Paid]:
        """The trials of an earlier process, from its evidence."""
        self._made = len(runs)
        return [self._take(run) for run in runs]

    def run(self, shape: int, fraction: float = 1.0, limit_s: float | None = None) -> Trial:
        """Run the job on a cluster of `shape`. Raises as `Maker.trial` does, but as every runner does of its budget."""
        planned = PlannedRun(self._cells[shape], repetition=0, position=self._made)
        try:
            run = self._maker.trial(self._specs[shape], planned, limit_s)
        except OutOfBudgetError as error:
            raise UnaffordableError from error
        self._made += 1
        return self._take(run).trial

    def paid_usd(self, trial: Trial) -> float:
        """From asking for the cluster to its deletion."""
        return self._paid[trial]

    def _take(self, run: RunSeen) -> Paid:
        if run.cell not in self._cells:
            raise UsageError(
                f"the run folder has a run of {run.cell.shape}, which the file no longer names; name another folder."
            )
        trial = judged(self._cells.index(run.cell), run)
        self._paid[trial] = self._maker.paid_usd(run) or 0.0
        return Paid(trial, self._paid[trial])


def shape_of(spec: ClusterSpec, partitions: int | None, price: Price) -> Shape:
    """As the search sees it: the machines that run tasks, with the price of the whole cluster shared among them.

    Raises:
        UsageError: it has no price, so that there is no cheapest.
    """
    per_hour, node, nodes = price(spec, 3600.0), spec.task_node, spec.task_nodes
    if not per_hour:
        raise UsageError(
            f"shape {spec.name} has no price; give it one, such as `usd_per_hour: 0.10`, for pick weighs costs."
        )
    extra = list(disk_columns(node).items())
    if partitions is not None:
        extra.append(("partitions", str(partitions)))
    return Shape(node.machine_type, nodes, node.cores, node.memory_mb / 1000, per_hour / nodes, tuple(sorted(extra)))


def judged(shape: int, run: RunSeen) -> Trial:
    """What a run says of its shape."""
    outcome = run.outcome
    if outcome.state == "done":
        return Trial(shape, "ok", outcome.elapsed_s)
    if outcome.state == "failed":
        return Trial(shape, "failed", outcome.elapsed_s)
    if outcome.state == "cancelled":  # at its limit: a sweep keeps no others
        return Trial(shape, "cut", outcome.elapsed_s)
    raise ResumableError(f"the job {outcome.job} was {outcome.state}; run the same command to go on with the search.")
