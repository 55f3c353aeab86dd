"""The seam behind which clusters are made and deleted, and jobs run on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, runtime_checkable

from shardmill.errors import ClusterError, ShardmillError, UsageError

READY_TIMEOUT_S: Final = 900.0
"""How long a cluster may take until it is ready."""

Role = Literal["master", "worker", "driver"]
ClusterState = Literal["starting", "ready", "ending", "broken"]
JobState = Literal["done", "failed", "cancelled", "lost"]


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One kind of machine."""

    machine_type: str
    """As the provider calls it; `local` for a share of this machine."""
    cores: int
    """vCPUs, or the cores a local worker hands out."""
    memory_mb: int
    """In MB of 10^6 bytes."""
    boot_disk_type: str | None = None
    """`pd-standard`, `pd-balanced`, `pd-ssd` or `hyperdisk-balanced`; None where the provider has no disks to choose."""
    boot_disk_gb: int = 0
    local_ssds: int = 0
    """Local SSDs of 375 GB each."""
    local_ssd_interface: Literal["nvme", "scsi"] = "nvme"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One cluster shape; see `clusters.specfile` for how it is written in YAML."""

    name: str
    """What the shape is called in tables: letters, digits, `.`, `_`, `-`."""
    provider: str
    """A row of `registry.PROVIDERS`."""
    worker: NodeSpec
    workers: int
    """Machines that run tasks besides the master; 0 is a single-node cluster, whose one machine is `master`."""
    master: NodeSpec
    """The machine with the master and the driver. The local provider runs both beside the workers and hands out
    no cores of it."""
    region: str | None = None
    zone: str | None = None
    """None lets the provider choose."""
    image_version: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    """Of the cluster, in the provider's own notation (`spark:spark.executor.memory`)."""
    labels: Mapping[str, str] = field(default_factory=dict)
    idle_delete_s: int = 1800
    """Seconds without a job after which the cluster deletes itself."""
    max_age_s: int = 4 * 3600
    """Seconds from its creation after which the cluster deletes itself, whatever it does."""
    usd_per_hour: float | None = None
    """Declared price of the whole cluster, instead of the price table's; what a local cluster is reckoned at."""

    @property
    def task_nodes(self) -> int:
        """Machines that run tasks."""
        return self.workers or 1

    @property
    def task_node(self) -> NodeSpec:
        """The kind of machine that runs tasks."""
        return self.worker if self.workers else self.master

    @property
    def task_cores(self) -> int:
        """Cores that run tasks, in all."""
        return self.task_nodes * self.task_node.cores


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that exists, as its provider tells it. All times are seconds since the epoch."""

    name: str
    provider: str
    spec: ClusterSpec
    state: ClusterState
    created_at: float
    """When it was asked for: what is paid for begins here."""
    ready_at: float | None
    expires_at: float
    """When it deletes itself at the latest."""
    nodes: Mapping[str, Role] = field(default_factory=dict)
    """Names of its machines, as in `UsageSample.node`."""
    address: str = ""
    """Where a person can look at it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the provider chose: zone, exact image version, Spark, Java, Python. Never a secret."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run on a cluster."""

    id: str
    """Chosen by the caller, [a-z0-9-], at most 60 characters: submitting it twice runs it once."""
    words: tuple[str, ...]
    """The command line of `shardmill` without the program's name; with `app`, the arguments of that application."""
    app: str | None = None
    """A PySpark script, as a path or URL, instead of a command of shardmill."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Spark settings for this job alone."""
    py_files: tuple[str, ...] = ()
    """Modules and archives that the application imports."""
    timeout_s: float | None = None
    """When to cancel it; None: as long as the cluster lives."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended. Times are seconds since the epoch, on one clock: the cluster's."""

    job: str
    state: JobState
    """`lost`: the cluster went away, or can no longer be asked."""
    exit_code: int | None
    """Of the command, where it is known."""
    started_at: float
    """When the driver was started, after any waiting in a queue."""
    finished_at: float
    result: dict[str, Any] | None
    """What the command prints with `--json`; None for a plain application and for a command that failed."""
    error: str
    """The last lines of the driver, or the provider's sentence; empty when `done`."""
    event_log: str | None = None
    """Folder or file, as a path or URL, with Spark's event log of the job, once it is there."""

    @property
    def elapsed_s(self) -> float:
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class UsageSample:
    """What one node used in one stretch of time. None means that this source cannot tell."""

    node: str
    role: Role
    start: float
    """Seconds since the epoch."""
    seconds: float
    """Length of the stretch."""
    cores: float
    """Cores that the node has."""
    cpu_s: float
    """Core-seconds used, user and system."""
    network_in_bytes: float | None
    network_out_bytes: float | None
    disk_read_bytes: float | None
    disk_write_bytes: float | None
    memory_bytes: float | None
    """Resident at the end of the stretch."""
    source: Literal["process", "host", "monitoring"]
    """`process`: the node's own processes were added up; `host`: the whole machine's counters; `monitoring`: the
    provider's service, from outside the machine."""


class ClusterProvider(Protocol):
    """Makes, lists and deletes clusters, and runs jobs on them.

    A provider is made without arguments and reads its own configuration. Names are [a-z][a-z0-9-]*, at most 40
    characters, chosen by the caller and unique among the clusters that exist.

    - Every wait has an end, and every cluster is created with limits (`idle_delete_s`, `max_age_s`) that end it without us.
    - `create` returns when the request is accepted. Repeated with the same name and spec it makes no second cluster.
      A cluster made with `detached` outlives this process; without it, a provider that can ends it with this process,
      `kill -9` included, and the limits above are the net of one that cannot.
    - `delete` succeeds when there is nothing to delete, and returns when nothing is paid for any longer.
    - `submit` returns when the job has ended, however it did; leaving it by an exception (Ctrl-C too) cancels the job.
    - No secret appears in a message, a log, a result or another process's argument list.

    Raises (any method): UsageError for what a changed request mends (spec, quota, permission, unknown name);
    ClusterError for the rest.
    """

    def objections(self, spec: ClusterSpec) -> list[str]:
        """Why `spec` cannot be made here, each in one sentence with the remedy; asks quotas, creates nothing."""
        ...

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None: ...

    def wait_ready(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> Cluster: ...

    def get(self, name: str) -> Cluster: ...

    def find(self) -> list[Cluster]:
        """All that were made by shardmill and are still there, in whatever state, ours or another process's."""
        ...

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        """Run `job`; `on_output` gets the driver's output in pieces, as it comes."""
        ...

    def cancel(self, cluster: Cluster, job: str) -> None:
        """End a job that another process submitted; succeeds when it has ended already."""
        ...

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        """What the nodes used between two times. Works after `delete` too, where the provider remembers; waits for
        samples that come late."""
        ...

    def delete(self, name: str) -> None: ...

    def delete_command(self, name: str) -> str:
        """What a person types to delete it without us."""
        ...


@runtime_checkable
class UsageComesLate(Protocol):
    """A provider whose `usage` waits for samples: who wants no more than there is asks up to that long ago."""

    @property
    def usage_delay_s(self) -> float: ...


def unheard(text: str) -> None:
    """Takes what nobody listens to."""


def check(provider: ClusterProvider, spec: ClusterSpec) -> None:
    """Raise `UsageError` with every objection to `spec`, before anything is made."""
    objections = provider.objections(spec)
    if objections:
        raise UsageError(f"cluster {spec.name!r} cannot be made: " + " ".join(objections))


@contextmanager
def running(
    provider: ClusterProvider, spec: ClusterSpec, name: str, *, timeout_s: float = READY_TIMEOUT_S
) -> Iterator[Cluster]:
    """Create a cluster, yield it when it is ready, delete it whatever happens."""
    check(provider, spec)
    try:
        provider.create(spec, name)  # inside the try: a request that times out may still have made machines
        yield provider.wait_ready(name, timeout_s)
    finally:
        delete_or_tell(provider, name)


def delete_or_tell(provider: ClusterProvider, name: str) -> None:
    """Delete a cluster.

    Raises:
        ClusterError: it may still be there; the message says how to delete it.
    """
    try:
        provider.delete(name)
    except ShardmillError as error:
        raise ClusterError(
            f"cluster {name} may still be running, for it could not be deleted ({error}). "
            f"Delete it with: {provider.delete_command(name)}"
        ) from error
