"""A stand-in for Cloud Monitoring: what the machines behind the clusters really used, by the minute and four minutes late.

In minutes in which nothing was measured, as those that a test skips, a machine that is there is idle.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import grpc
from google.cloud import monitoring_v3

from shardmill.clusters.base import UsageSample
from tests.dataproc_server.clusters import SimulatedCluster
from tests.dataproc_server.machines import MOST_WORKERS
from tests.dataproc_server.service import Service

GRAIN_S: Final = 60.0
DELAY_S: Final = 240.0
"""Both as the list of metrics says: cloud.google.com/monitoring/api/metrics_gcp."""

IDLE_CORES: Final = 0.02
_FILTER: Final = re.compile(
    r'metric\.type = "compute\.googleapis\.com/instance/(?P<metric>[a-z_/]+)" AND resource\.type = "gce_instance"'
    r" AND metric\.labels\.instance_name = one_of\((?P<names>[^)]*)\)"
)
_AMOUNTS: Final = {
    "cpu/usage_time": "cpu_s",
    "network/received_bytes_count": "network_in_bytes",
    "network/sent_bytes_count": "network_out_bytes",
    "disk/read_bytes_count": "disk_read_bytes",
    "disk/write_bytes_count": "disk_write_bytes",
}


class Monitoring:
    """Answers ListTimeSeries for clusters that are and that were."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def list_time_series(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.name != f"projects/{self._service.project}":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on {request.name}")
        match = _FILTER.fullmatch(request.filter)
        if match is None or match["metric"] not in _AMOUNTS:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"Could not parse the filter or no such metric: {request.filter}"
            )
        assert match is not None
        if request.aggregation.alignment_period.total_seconds() != GRAIN_S:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this server answers with alignment_period = 60s only")
        names = re.findall(r'"([^"]+)"', match["names"])
        start = request.interval.start_time.timestamp()
        end = request.interval.end_time.timestamp()
        with self._service.lock:
            clusters = [*self._service.past, *self._service.clusters.values()]
        series = [
            self._series(cluster, name, match["metric"], start, end)
            for cluster in clusters
            for name in names
            if name in _nodes(cluster)
        ]
        return monitoring_v3.ListTimeSeriesResponse(time_series=[line for line in series if line.points])

    def _series(self, cluster: SimulatedCluster, name: str, metric: str, start: float, end: float) -> Any:
        visible = min(end, self._service.clock.now() - DELAY_S)
        points = []
        ended = math.floor(end / GRAIN_S) * GRAIN_S  # windows count back from the end
        while ended - GRAIN_S >= start:
            amount = self._amount(cluster, name, metric, ended - GRAIN_S, ended)
            if ended <= visible and amount is not None:
                interval = {"start_time": {"seconds": int(ended - GRAIN_S)}, "end_time": {"seconds": int(ended)}}
                value = {"double_value": amount} if metric.startswith("cpu") else {"int64_value": int(amount)}
                points.append({"interval": interval, "value": value})
            ended -= GRAIN_S
        return monitoring_v3.TimeSeries(
            metric={"type": f"compute.googleapis.com/instance/{metric}", "labels": {"instance_name": name}},
            resource={"type": "gce_instance", "labels": {"project_id": self._service.project}},
            metric_kind="DELTA",
            value_type="DOUBLE" if metric.startswith("cpu") else "INT64",
            points=points,
        )

    def _amount(self, cluster: SimulatedCluster, name: str, metric: str, start: float, end: float) -> float | None:
        gone_at = self._service.clock.now() if cluster.delete_at is None else cluster.delete_at
        there = min(end, gone_at) - max(start, cluster.created_at)
        if there <= 0:
            return None
        idle = IDLE_CORES * there if metric.startswith("cpu") else 0.0
        measured = sum(
            getattr(sample, _AMOUNTS[metric]) or 0.0
            for sample in self.samples(cluster)
            if sample.node == backing(cluster.name, name)
            and start <= self._service.clock.told(sample.start + sample.seconds / 2) < end
        )
        return max(idle, measured)

    def samples(self, cluster: SimulatedCluster) -> list[UsageSample]:
        machines = self._service.usage_of(cluster)
        return [] if machines is None else machines.usage()


def backing(cluster: str, node: str) -> str:
    """The real node that stands for a machine of the cluster."""
    number = node.removeprefix(f"{cluster}-w-")
    return f"{cluster}-w-{int(number) % MOST_WORKERS}" if number.isdigit() else node


def _nodes(cluster: SimulatedCluster) -> list[str]:
    config = cluster.message.config
    return [*config.master_config.instance_names, *config.worker_config.instance_names]


@contextmanager
def monitoring_server(service: Service) -> Iterator[str]:
    """Serve until the block ends; the address, HOST:PORT."""
    method = grpc.unary_unary_rpc_method_handler(
        Monitoring(service).list_time_series,
        request_deserializer=monitoring_v3.ListTimeSeriesRequest.deserialize,
        response_serializer=monitoring_v3.ListTimeSeriesResponse.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    handler = grpc.method_handlers_generic_handler("google.monitoring.v3.MetricService", {"ListTimeSeries": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
