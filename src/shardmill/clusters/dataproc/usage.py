"""What the machines of a cluster used, from Cloud Monitoring: in whole minutes, up to four minutes late."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import grpc
from google.api_core import exceptions
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport

from shardmill.clusters.base import Cluster, UsageSample
from shardmill.clusters.dataproc.access import credentials_for
from shardmill.clusters.dataproc.config import MONITORING_ENDPOINT, CloudConfig
from shardmill.clusters.dataproc.sentences import explain

GRAIN_S: Final = 60
"""Compute Engine's metrics are taken once a minute ..."""
DELAY_S: Final = 240.0
"""... and may take this long to appear."""

_MARGIN_S: Final = 20.0
USAGE_DELAY_S: Final = DELAY_S + _MARGIN_S
_CALL_TIMEOUT_S: Final = 60.0
_PREFIX: Final = "compute.googleapis.com/instance"
_METRICS: Final[Mapping[str, str]] = {
    "cpu_s": "cpu/usage_time",
    "network_in_bytes": "network/received_bytes_count",
    "network_out_bytes": "network/sent_bytes_count",
    "disk_read_bytes": "disk/read_bytes_count",
    "disk_write_bytes": "disk/write_bytes_count",
}
"""Our name of each amount, and the metric whose difference over a minute it is."""

Amounts = dict[tuple[str, float], float]
"""By node and start of the minute."""


def whole_minutes(start: float, end: float) -> tuple[float, float] | None:
    """The first and last whole minute's ends between two times; None where none fits."""
    first, last = math.ceil(start / GRAIN_S) * GRAIN_S, math.floor(end / GRAIN_S) * GRAIN_S
    return (float(first), float(last)) if last > first else None


def usage_of(
    cluster: Cluster,
    config: CloudConfig,
    start: float,
    end: float,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[UsageSample]:
    """Samples of the whole minutes between two times, once they are all there; a shorter stretch has none.

    Raises:
        UsageError: permission is missing.
    """
    span = whole_minutes(start, end)
    if span is None:
        return []
    sleep(max(0.0, span[1] + USAGE_DELAY_S - now()))
    client = _client()
    found = {name: _ask(client, config, cluster, metric, *span) for name, metric in _METRICS.items()}
    return [_sample(cluster, key, found) for key in sorted(found["cpu_s"], key=lambda key: (key[1], key[0]))]


def _sample(cluster: Cluster, key: tuple[str, float], found: Mapping[str, Amounts]) -> UsageSample:
    node, start = key
    role = cluster.nodes[node]
    machine = cluster.spec.master if role == "master" else cluster.spec.worker
    return UsageSample(
        node=node,
        role=role,
        start=start,
        seconds=float(GRAIN_S),
        cores=float(machine.cores),
        cpu_s=found["cpu_s"][key],
        network_in_bytes=found["network_in_bytes"].get(key),
        network_out_bytes=found["network_out_bytes"].get(key),
        disk_read_bytes=found["disk_read_bytes"].get(key),
        disk_write_bytes=found["disk_write_bytes"].get(key),
        memory_bytes=None,
        source="monitoring",
    )


def _client() -> Any:  # noqa: ANN401  # google's client
    address = os.environ.get(MONITORING_ENDPOINT)
    if address:
        transport = MetricServiceGrpcTransport(channel=grpc.insecure_channel(address))
        return monitoring_v3.MetricServiceClient(transport=transport)
    return monitoring_v3.MetricServiceClient(credentials=credentials_for(None))


def _ask(client: Any, config: CloudConfig, cluster: Cluster, metric: str, start: float, end: float) -> Amounts:  # noqa: ANN401
    names = ",".join(f'"{node}"' for node in sorted(cluster.nodes))
    request = {
        "name": f"projects/{config.project}",
        "filter": f'metric.type = "{_PREFIX}/{metric}" AND resource.type = "gce_instance"'
        f" AND metric.labels.instance_name = one_of({names})",
        "interval": {"start_time": {"seconds": int(start)}, "end_time": {"seconds": int(end)}},
        "aggregation": {
            "alignment_period": {"seconds": GRAIN_S},
            "per_series_aligner": monitoring_v3.Aggregation.Aligner.ALIGN_DELTA,
            "cross_series_reducer": monitoring_v3.Aggregation.Reducer.REDUCE_SUM,  # of a machine's disks
            "group_by_fields": ["metric.label.instance_name"],
        },
        "view": monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
    }
    try:
        series = client.list_time_series(request=request, timeout=_CALL_TIMEOUT_S)
        return dict(_points(series, start, end))
    except exceptions.GoogleAPICallError as error:
        raise explain(error, "read Cloud Monitoring", config) from error


def _points(series: Any, start: float, end: float) -> Iterator[tuple[tuple[str, float], float]]:  # noqa: ANN401
    for line in series:
        node = str(line.metric.labels["instance_name"])
        for point in line.points:
            ended = point.interval.end_time.timestamp()
            if start + GRAIN_S <= ended <= end:
                yield (node, ended - GRAIN_S), float(point.value.double_value or point.value.int64_value)
