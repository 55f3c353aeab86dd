from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from shardmill.clusters.base import Cluster, ClusterSpec, Job, JobOutcome, JobState, NodeSpec, UsageSample
from shardmill.errors import ClusterError, ResumableError
from shardmill.operations.pick.live import Candidate, ClusterRunner
from shardmill.search.base import Goal, Problem
from shardmill.search.experience import make_strategy
from shardmill.search.loop import Limits, search


class ImaginedCloud:
    """A provider in memory: clusters take a minute to make, jobs as long as a formula says, on a clock of their own."""

    def __init__(self, seconds: Callable[[ClusterSpec], float], state: JobState = "done") -> None:
        self.now, self.clusters, self.jobs = 0.0, dict[str, ClusterSpec](), list[Job]()
        self.most = 0
        self._seconds, self._state = seconds, state

    def objections(self, spec: ClusterSpec) -> list[str]:
        return []

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None:
        self.clusters[name] = spec
        self.most = max(self.most, len(self.clusters))

    def wait_ready(self, name: str, timeout_s: float = 900.0) -> Cluster:
        self.now += 60.0
        return self.get(name)

    def get(self, name: str) -> Cluster:
        return Cluster(name, "imagined", self.clusters[name], "ready", self.now, self.now, self.now + 3600)

    def find(self) -> list[Cluster]:
        return [self.get(name) for name in self.clusters]

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        self.jobs.append(job)
        started, state = self.now, self._state
        elapsed = self._seconds(cluster.spec)
        if job.timeout_s is not None and elapsed > job.timeout_s:
            elapsed, state = job.timeout_s, "cancelled"
        self.now += elapsed
        return JobOutcome(job.id, state, 0 if state == "done" else 1, started, self.now, None, "")

    def cancel(self, cluster: Cluster, job: str) -> None: ...

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        return []

    def delete(self, name: str) -> None:
        self.clusters.pop(name, None)

    def delete_command(self, name: str) -> str:
        return f"imagine {name} away"


def candidates() -> list[Candidate]:
    found = []
    for cores, memory in ((2, 4000), (4, 16000), (8, 32000)):
        for workers in (1, 2, 4, 8):
            node = NodeSpec(f"kind-{cores}", cores, memory)
            spec = ClusterSpec(f"{workers}x{cores}", "imagined", node, workers, node)
            found.append(Candidate(spec, 0.05 * cores * workers, ("prepare", "in", "out/{run}")))
    return found


def seconds(spec: ClusterSpec) -> float:
    return 4000 / spec.task_cores + 200 + 20 * spec.workers


def test_a_live_search_finds_the_cheapest_and_leaves_nothing_running() -> None:
    cloud = ImaginedCloud(seconds)
    runner = ClusterRunner(cloud, candidates(), "pick", clock=lambda: cloud.now)
    problem = Problem(runner.shapes)
    strategy = make_strategy("shardmill", problem, 0, Goal())
    last = list(search(problem, strategy, runner, Limits()))[-1]
    assert last.best is not None
    costs = [seconds(one.spec) * one.usd_per_hour for one in candidates()]
    assert costs[last.best.shape] <= 1.1 * min(costs)
    assert len(last.trials) < len(costs)
    assert (cloud.clusters, cloud.most) == ({}, 1)
    assert len({job.id for job in cloud.jobs}) == len(cloud.jobs)
    assert {job.words[2] for job in cloud.jobs} == {f"out/{job.id}" for job in cloud.jobs}


def test_set_up_is_paid_for_but_not_judged() -> None:
    cloud = ImaginedCloud(seconds)
    runner = ClusterRunner(cloud, candidates(), "pick", clock=lambda: cloud.now)
    trial = runner.run(0)
    assert trial.runtime_s == pytest.approx(seconds(candidates()[0].spec))
    assert runner.paid_usd(trial) == pytest.approx((trial.runtime_s or 0) / 3600 * 0.1 + 60 / 3600 * 0.1)
    assert runner.shapes[0].usd_per_s * 3600 == pytest.approx(0.1)


def test_limits_failures_and_losses() -> None:
    cut = ClusterRunner(ImaginedCloud(seconds), candidates(), "pick").run(0, limit_s=100.0)
    assert (cut.outcome, cut.runtime_s) == ("cut", 100.0)
    failed = ClusterRunner(ImaginedCloud(seconds, "failed"), candidates(), "pick").run(0)
    assert failed.outcome == "failed"
    lost = ImaginedCloud(seconds, "lost")
    with pytest.raises(ResumableError, match="run the same command"):
        ClusterRunner(lost, candidates(), "pick").run(0)
    assert lost.clusters == {}


def test_a_cluster_that_cannot_be_made_ends_the_search_and_leaves_nothing() -> None:
    class Sold(ImaginedCloud):
        def wait_ready(self, name: str, timeout_s: float = 900.0) -> Cluster:
            raise ClusterError("no machine of this kind is left in the zone; try another zone.")

    cloud = Sold(seconds)
    with pytest.raises(ClusterError, match="another zone"):
        ClusterRunner(cloud, candidates(), "pick").run(3)
    assert cloud.clusters == {}
    assert math.isfinite(cloud.now)
