"""What the machines used, from the samplers in the tasks: for runs too short for Cloud Monitoring's minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shardmill.clusters.base import Cluster, UsageSample
from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.samples import read_samples
from shardmill.sampling import SAMPLES_VARIABLE

BRIEF_S: Final = 300.0
"""A stretch below this loses a good part of itself, up to two minutes, to Monitoring's whole minutes."""


def jobs_folder(config: CloudConfig, cluster: Cluster) -> str:
    """The folder in the bucket with a folder for each job of the cluster."""
    return f"{config.root}/jobs/{cluster.facts['uuid']}"


def sampling_settings(job_folder: str) -> dict[str, str]:
    """Spark settings that have the workers of a job publish their samples in its folder."""
    return {f"spark.executorEnv.{SAMPLES_VARIABLE}": f"{job_folder}/samples"}


def usage_by_hosts(
    cluster: Cluster, config: CloudConfig, start: float, end: float, monitored: Callable[[], list[UsageSample]]
) -> list[UsageSample]:
    """The samples of `monitored`, or the machines' own where the stretch is brief or Monitoring has none.

    The two are not mixed: Monitoring sees a machine's bytes from outside of it, and all of them; of a machine on which
    no task runs, the master with most jobs, there are no samples of its own.
    """
    brief = end - start < BRIEF_S
    own = _own(cluster, config, start, end) if brief else []
    return own or monitored() or ([] if brief else _own(cluster, config, start, end))


def _own(cluster: Cluster, config: CloudConfig, start: float, end: float) -> list[UsageSample]:
    return read_samples(jobs_folder(config, cluster), start, end, cluster.nodes)
