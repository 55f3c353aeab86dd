"""A cluster provider in memory, for what goes on around clusters."""

from __future__ import annotations

from collections.abc import Callable

from shardmill.clusters.base import Cluster, ClusterSpec, Job, JobOutcome, JobState, NodeSpec, UsageSample
from shardmill.errors import ClusterError

CREATION_S = 60.0
DELETION_S = 4.0


class ImaginedCloud:
    """Clusters take a minute to make, jobs as long as a formula says, on a clock of their own."""

    def __init__(self, seconds: Callable[[ClusterSpec], float], state: JobState = "done") -> None:
        self.now, self.clusters, self.jobs = 0.0, dict[str, ClusterSpec](), list[Job]()
        self.most = 0
        self.made: list[str] = []
        self.sold_out: set[str] = set()
        """Shapes of which no cluster can be made."""
        self.before_job: Callable[[Job], None] = lambda job: None
        self.exit_code = 1
        """Of jobs that do not end well."""
        self._seconds, self.state = seconds, state

    def objections(self, spec: ClusterSpec) -> list[str]:
        return []

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None:
        if spec.name in self.sold_out:
            raise ClusterError(f"{spec.task_node.machine_type} is sold out; try another zone.")
        self.clusters[name] = spec
        self.made.append(spec.name)
        self.most = max(self.most, len(self.clusters))

    def wait_ready(self, name: str, timeout_s: float = 900.0) -> Cluster:
        self.now += CREATION_S
        return self.get(name)

    def get(self, name: str) -> Cluster:
        return Cluster(name, "imagined", self.clusters[name], "ready", self.now, self.now, self.now + 3600)

    def find(self) -> list[Cluster]:
        return [self.get(name) for name in self.clusters]

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        self.before_job(job)
        self.jobs.append(job)
        started, state = self.now, self.state
        elapsed = self._seconds(cluster.spec)
        if job.timeout_s is not None and elapsed > job.timeout_s:
            elapsed, state = job.timeout_s, "cancelled"
        self.now += elapsed
        code, error = (0, "") if state == "done" else (self.exit_code, "it went wrong")
        return JobOutcome(job.id, state, code, started, self.now, None, error)

    def cancel(self, cluster: Cluster, job: str) -> None: ...

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        """Half of each core, all the time, in samples of 10 s."""
        cores = float(cluster.spec.task_node.cores)
        return [
            UsageSample(
                f"{cluster.name}-w-{number}", "worker", at, 10.0, cores, 5 * cores, 1e6, 2e6, 3e6, 4e6, 5e8, "process"
            )
            for number in range(cluster.spec.workers)
            for at in [start + 10.0 * step for step in range(int((end - start) / 10) + 1)]
        ]

    def delete(self, name: str) -> None:
        if self.clusters.pop(name, None) is not None:
            self.now += DELETION_S

    def delete_command(self, name: str) -> str:
        return f"imagine {name} away"


def shape(name: str, *, workers: int = 1, cores: int = 1, usd_per_hour: float | None = 0.36) -> ClusterSpec:
    """A shape of such a provider."""
    node = NodeSpec(f"kind-{cores}", cores, 1000 * cores)
    return ClusterSpec(name, "local", node, workers, NodeSpec("kind-0", 0, 256), usd_per_hour=usd_per_hour)
