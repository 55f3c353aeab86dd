"""The filters of clusters.list and jobs.list, as documented in ListClustersRequest.filter."""

from __future__ import annotations

import re
from typing import Any, Final

from google.cloud import dataproc_v1

from tests.dataproc_server.wire import ApiError

_TERM: Final = re.compile(r"(?P<field>status\.state|clusterName|labels\.[a-z0-9_-]+)\s*=\s*(?P<value>\*|[\w-]+)")
_GROUPS: Final = {
    "ACTIVE": ("CREATING", "UPDATING", "RUNNING"),
    "INACTIVE": ("DELETING", "ERROR", "STOPPING", "STOPPED"),
}


def matches(cluster: Any, text: str) -> bool:
    terms = [term for term in re.split(r"\s+AND\s+", text.strip()) if term]
    return all(_holds(cluster, term.strip()) for term in terms)


def _holds(cluster: Any, term: str) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        raise ApiError("INVALID_ARGUMENT", f"Invalid list filter: {term}")
    field, value = match["field"], match["value"]
    if field == "clusterName":
        return value in ("*", cluster.cluster_name)
    if field == "status.state":
        state = dataproc_v1.ClusterStatus.State(cluster.status.state).name
        return value == "*" or state in _GROUPS.get(value, (value,))
    key = field.removeprefix("labels.")
    return key in cluster.labels and value in ("*", cluster.labels[key])
