"""Clusters of Dataproc, as `ClusterProvider` wants them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from google.api_core import exceptions

from shardmill.clusters import limits
from shardmill.clusters.base import READY_TIMEOUT_S, Cluster, ClusterSpec, Job, JobOutcome, UsageSample
from shardmill.clusters.dataproc.config import CloudConfig, read_config
from shardmill.clusters.dataproc.host_usage import usage_by_hosts
from shardmill.clusters.dataproc.jobs import job_id, run_job
from shardmill.clusters.dataproc.message import (
    INSTALLED,
    LEAST_MEMORY_MB,
    cluster_message,
    cluster_of,
    is_ours,
    python_of,
    read_spec,
    state_of,
)
from shardmill.clusters.dataproc.quotas import left_of, quotas_for
from shardmill.clusters.dataproc.rest import GoogleRest
from shardmill.clusters.dataproc.sentences import creation_failure, one_line
from shardmill.clusters.dataproc.service import PATIENCE_S, DataprocService, waits
from shardmill.clusters.dataproc.usage import USAGE_DELAY_S, usage_of
from shardmill.clusters.dataproc.wheelhouse import publish_wheelhouse
from shardmill.clusters.limits import Quotas
from shardmill.errors import ClusterError, ResumableError, UsageError

DELETE_TIMEOUT_S: Final = 900.0


class DataprocProvider:
    """See `ClusterProvider`. No cluster can be ended by the death of this process: their own limits do."""

    usage_delay_s = USAGE_DELAY_S
    """See `UsageComesLate`."""

    def __init__(
        self,
        config: CloudConfig | None = None,
        patience_s: float = PATIENCE_S,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make one.

        Args:
            config: None: what is configured.
            patience_s: How long a lost network is waited for.
            now: The clock that says when samples are there, in seconds since the epoch.
            sleep: Waits for them.

        Raises:
            UsageError: nothing is configured, or there are no credentials.
        """
        self._config = read_config() if config is None else config
        self._now, self._sleep = now, sleep
        self._service = DataprocService(self._config, patience_s)
        self._rest = GoogleRest(self._config)

    def objections(self, spec: ClusterSpec) -> list[str]:
        """Against what Dataproc is known to refuse, the configuration, and the quotas left where they may be asked."""
        return [*self._against_place(spec), *limits.objections(spec, self._quotas(spec))]

    def create(self, spec: ClusterSpec, name: str, *, detached: bool = False) -> None:
        try:
            install_url = publish_wheelhouse(self._config.root, python_of(spec), INSTALLED)
        except ResumableError as error:
            raise ClusterError(f"cluster {name} was not asked for: {error}") from error
        if self._service.create_cluster(cluster_message(spec, name, self._config, install_url)):
            return
        existing = self._service.find_cluster(name)
        if existing is None or read_spec(existing) != spec or state_of(existing) not in ("starting", "ready"):
            raise UsageError(f"a cluster {name} is there already; see `shardmill cluster list`.")

    def wait_ready(self, name: str, timeout_s: float = READY_TIMEOUT_S) -> Cluster:
        deadline = time.monotonic() + timeout_s
        for wait_s in waits():
            message = self._ours(name)
            state = state_of(message)
            if state == "ready":
                return cluster_of(message, self._config)
            if state != "starting":
                raise self._failed(name, message)
            if time.monotonic() > deadline:
                break
            time.sleep(wait_s)
        raise ClusterError(
            f"cluster {name} was not ready within {timeout_s:.0f} s. Delete it with: {self.delete_command(name)}"
        )

    def get(self, name: str) -> Cluster:
        return cluster_of(self._ours(name), self._config)

    def find(self) -> list[Cluster]:
        return [cluster_of(message, self._config) for message in self._service.list_clusters() if is_ours(message)]

    def submit(self, cluster: Cluster, job: Job, on_output: Callable[[str], None]) -> JobOutcome:
        try:
            return run_job(self._service, cluster, job, on_output)
        except (exceptions.NotFound, exceptions.FailedPrecondition) as error:
            raise ClusterError(f"cluster {cluster.name} runs no longer ({one_line(str(error.message))}).") from error
        except ResumableError as error:
            raise ClusterError(
                f"job {job.id} on cluster {cluster.name} cannot be followed: {str(error).rstrip('.')}. The cluster may still "
                f"be running; delete it with: {self.delete_command(cluster.name)}"
            ) from error

    def cancel(self, cluster: Cluster, job: str) -> None:
        self._service.cancel_job(job_id(cluster, job), cluster.name)

    def usage(self, cluster: Cluster, start: float, end: float) -> list[UsageSample]:
        monitored = partial(usage_of, cluster, self._config, start, end, self._now, self._sleep)
        return usage_by_hosts(cluster, self._config, start, end, monitored)

    def delete(self, name: str) -> None:
        message = self._service.find_cluster(name)
        if message is None:
            return
        if not is_ours(message):
            raise UsageError(
                f"cluster {name} was not made by shardmill and is left alone; delete it with: {self.delete_command(name)}"
            )
        self._end(name, str(message.cluster_uuid))

    def delete_command(self, name: str) -> str:
        return self._config.delete_command(name)

    def _against_place(self, spec: ClusterSpec) -> Iterator[str]:
        region = self._config.region
        if spec.region not in (None, region):
            yield (
                f"It asks for the region {spec.region}, and {region} is configured, where the bucket is; leave `region` "
                "out, or configure another with `shardmill cluster init`."
            )
        if spec.zone is not None and spec.zone.rpartition("-")[0] != region:
            yield f"The zone {spec.zone} is not in the region {region}; leave `zone` out to let Google choose one."
        if spec.task_node.memory_mb < LEAST_MEMORY_MB:
            yield (
                f"{spec.task_node.machine_type} has {spec.task_node.memory_mb} MB, and Spark's daemons and an executor "
                f"need {LEAST_MEMORY_MB}; choose a larger type."
            )

    def _quotas(self, spec: ClusterSpec) -> Quotas | None:
        """None where the account may not ask: then the service itself says no, before it makes anything."""
        try:
            return quotas_for(spec, left_of(self._rest.region()))
        except UsageError:
            return None

    def _end(self, name: str, cluster_uuid: str) -> None:
        """Delete, and wait until it is gone: it is paid for until then."""
        deadline = time.monotonic() + DELETE_TIMEOUT_S
        for wait_s in waits():
            message = self._service.find_cluster(name)
            if message is None or message.cluster_uuid != cluster_uuid:
                return
            if time.monotonic() > deadline:
                break
            if message.status.state.name != "DELETING":
                self._ask_to_end(name, cluster_uuid)
            time.sleep(wait_s)
        raise ClusterError(f"cluster {name} is still there {DELETE_TIMEOUT_S / 60:.0f} minutes after it was deleted")

    def _ask_to_end(self, name: str, cluster_uuid: str) -> None:
        try:
            self._service.delete_cluster(name, cluster_uuid)
        except exceptions.FailedPrecondition:
            return  # another operation has it: the next look tells, and asks again

    def _ours(self, name: str) -> Any:  # noqa: ANN401  # google's message
        message = self._service.find_cluster(name)
        if message is None:
            raise UsageError(
                f"there is no cluster {name} in {self._config.region} of project {self._config.project}; "
                "`shardmill cluster list` names those there are."
            )
        if not is_ours(message):
            raise UsageError(f"cluster {name} was not made by shardmill; choose another name.")
        return message

    def _failed(self, name: str, message: Any) -> Exception:  # noqa: ANN401
        """The sentence for a cluster that did not come up, which is deleted first: it is paid for even so."""
        reason = one_line(self._service.reason_of_failure(name, message))
        self._end(name, str(message.cluster_uuid))
        return creation_failure(reason, f"make cluster {name}, which was deleted again", self._config)
