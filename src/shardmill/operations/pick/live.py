"""Trials on real clusters: a cluster is made, the job runs on it, the cluster is deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shardmill.clusters.base import ClusterProvider, ClusterSpec, Job, JobOutcome, running
from shardmill.errors import ResumableError
from shardmill.search.base import Trial
from shardmill.search.shapes import Shape


@dataclass(frozen=True, slots=True)
class Candidate:
    """One shape that a live search may try."""

    spec: ClusterSpec
    usd_per_hour: float
    """Of the whole cluster."""
    words: tuple[str, ...]
    """The command of shardmill to run on it; `{run}` stands for a name that no other run has."""
    partitions: int | None = None

    @property
    def shape(self) -> Shape:
        """As the search sees it: the machines that run tasks, with the price of the master shared among them."""
        node, nodes = self.spec.task_node, self.spec.task_nodes
        return Shape(
            node.machine_type,
            nodes,
            node.cores,
            node.memory_mb / 1000,
            self.usd_per_hour / nodes,
            () if self.partitions is None else (("partitions", str(self.partitions)),),
        )


class ClusterRunner:
    """A `TrialRunner` over a cluster provider.

    What a trial is paid for runs from asking for the cluster to its deletion; what it is judged by is the job alone. A job
    that fails is a failed trial. A cluster that is lost says nothing of its shape: the search stops and can go on.
    """

    def __init__(
        self,
        provider: ClusterProvider,
        candidates: Sequence[Candidate],
        prefix: str,
        on_output: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider, self._candidates, self._prefix = provider, tuple(candidates), prefix
        self._on_output, self._clock = on_output, clock
        self._paid: dict[Trial, float] = {}
        self._runs = 0

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(candidate.shape for candidate in self._candidates)

    def run(self, shape: int, fraction: float = 1.0, limit_s: float | None = None) -> Trial:
        """Run the job on a cluster of `shape` and delete the cluster.

        Raises:
            ResumableError: the cluster was lost, or the job cancelled by somebody else.
        """
        candidate = self._candidates[shape]
        self._runs += 1
        name = f"{self._prefix}-{shape}-{self._runs}"
        words = tuple(word.replace("{run}", name) for word in candidate.words)
        asked = self._clock()
        try:
            with running(self._provider, candidate.spec, name) as cluster:
                job = Job(id=name, words=words, timeout_s=limit_s)
                outcome = self._provider.submit(cluster, job, self._on_output)
        finally:
            seconds = self._clock() - asked
        trial = _judged(shape, fraction, outcome, limit_s)
        self._paid[trial] = seconds / 3600 * candidate.usd_per_hour
        return trial

    def paid_usd(self, trial: Trial) -> float:
        """From asking for the cluster to its deletion."""
        return self._paid[trial]


def _judged(shape: int, fraction: float, outcome: JobOutcome, limit_s: float | None) -> Trial:
    if outcome.state == "done":
        return Trial(shape, "ok", outcome.elapsed_s, fraction)
    if outcome.state == "failed":
        return Trial(shape, "failed", outcome.elapsed_s, fraction)
    if outcome.state == "cancelled" and limit_s is not None and outcome.elapsed_s >= 0.9 * limit_s:
        return Trial(shape, "cut", limit_s, fraction)
    raise ResumableError(
        f"the job {outcome.job} was {outcome.state} after {outcome.elapsed_s:.0f} s ({outcome.error or 'no reason told'}); "
        "run the same command to go on with the search."
    )
