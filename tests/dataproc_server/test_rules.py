"""The server says no where the documentation does, and takes nothing that the real service would not know."""

from __future__ import annotations

import copy
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.extras import needed

needed("google.cloud.dataproc_v1")

from tests.dataproc_server import DataprocServer

GROUP = {"numInstances": 1, "machineTypeUri": "n1-standard-2", "diskConfig": {"bootDiskSizeGb": 100}}
RIGHT: dict[str, Any] = {
    "clusterName": "right",
    "labels": {"team": "vision"},
    "config": {
        "masterConfig": GROUP,
        "workerConfig": GROUP | {"numInstances": 2},
        "softwareConfig": {"imageVersion": "2.2-debian12", "properties": {"spark:spark.executor.cores": "2"}},
        "lifecycleConfig": {"idleDeleteTtl": "600s", "autoDeleteTtl": "3600s"},
    },
}


def config(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    changed = copy.deepcopy(RIGHT)
    change(changed["config"])
    return changed


def worker(**changes: Any) -> dict[str, Any]:
    return config(lambda inner: inner["workerConfig"].update(changes))


def disk(**changes: Any) -> dict[str, Any]:
    return config(lambda inner: inner["workerConfig"].update(diskConfig=changes))


def lifecycle(**changes: Any) -> dict[str, Any]:
    return config(lambda inner: inner["lifecycleConfig"].update(changes))


WRONG = {
    "name": (RIGHT | {"clusterName": "Wrong"}, "Invalid cluster name"),
    "name too long": (RIGHT | {"clusterName": "x" * 52}, "Invalid cluster name"),
    "name ends with a hyphen": (RIGHT | {"clusterName": "x-"}, "Invalid cluster name"),
    "label": (RIGHT | {"labels": {"Team": "x"}}, "Invalid label key"),
    "label's value": (RIGHT | {"labels": {"team": "1"}}, "Invalid label value"),
    "labels": (RIGHT | {"labels": {f"l{i}": "" for i in range(33)}}, "No more than 32 labels"),
    "unknown field": (RIGHT | {"colour": "red"}, "colour"),
    "unknown inner field": (config(lambda inner: inner.update(workers=2)), "workers"),
    "neither kind": ({"clusterName": "right"}, "Exactly one of"),
    "idle limit too short": (lifecycle(idleDeleteTtl="299s"), "between 5 minutes and 14 days"),
    "age limit too short": (lifecycle(autoDeleteTtl="599s"), "between 10 minutes and 14 days"),
    "age limit too long": (lifecycle(autoDeleteTtl="1209601s"), "between 10 minutes and 14 days"),
    "two age limits": (lifecycle(autoDeleteTime="2030-01-01T00:00:00Z"), "oneof"),
    "one worker": (worker(numInstances=1), "at least 2 primary workers"),
    "no worker": (config(lambda inner: inner.pop("workerConfig")), "at least 2 primary workers"),
    "two masters": (config(lambda inner: inner["masterConfig"].update(numInstances=2)), "must be 1, or 3"),
    "n1-standard-1": (worker(machineTypeUri="n1-standard-1"), "not supported on images 2.0"),
    "shared core": (worker(machineTypeUri="e2-medium"), "shared core"),
    "machine type": (worker(machineTypeUri="huge"), "Invalid value for machine type"),
    "disk type": (disk(bootDiskType="floppy"), "Unknown disk type"),
    "disk size": (disk(bootDiskSizeGb=5), "minimum size"),
    "local SSDs": (disk(numLocalSsds=9), "from 0 to 8"),
    "interface": (disk(numLocalSsds=1, localSsdInterface="sata"), "Unknown interface"),
    "local SSD of e2": (
        worker(machineTypeUri="e2-standard-2", diskConfig={"numLocalSsds": 1}),
        "cannot be attached to 'e2-standard-2'",
    ),
    "image": (config(lambda inner: inner["softwareConfig"].update(imageVersion="1.5-debian10")), "is not supported"),
    "property": (
        config(lambda inner: inner["softwareConfig"].update(properties={"spark.executor.cores": "2"})),
        "PREFIX:PROPERTY",
    ),
    "zone": (config(lambda inner: inner.update(gceClusterConfig={"zoneUri": "moon"})), "Invalid zone"),
    "quota": (worker(machineTypeUri="n1-standard-32"), "Insufficient 'CPUS' quota"),
}


def ask(server: DataprocServer, path: str, body: Any) -> tuple[int, str]:
    url = f"{server.url}/v1/projects/{server.service.project}/regions/{server.service.region}/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("case", WRONG)
def test_what_the_documentation_forbids_is_refused(dataproc: DataprocServer, case: str) -> None:
    body, said = WRONG[case]
    status, answer = ask(dataproc, "clusters", body)
    assert status == 400
    assert said in json.loads(answer)["error"]["message"]
    assert dataproc.names() == []


def test_all_that_is_wrong_is_said_at_once(dataproc: DataprocServer) -> None:
    body = worker(numInstances=1, machineTypeUri="huge") | {"clusterName": "Wrong"}
    message = json.loads(ask(dataproc, "clusters", body)[1])["error"]["message"]
    assert message.startswith("Multiple validation errors:")
    assert message.count("\n - ") == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clusters?requestId=" + "x" * 41, RIGHT),
        ("clusters?colour=red", RIGHT),
        (
            "jobs:submit",
            {"job": {"placement": {"clusterName": "right"}, "pysparkJob": {"mainPythonFileUri": "gs://b/a.jar"}}},
        ),
        ("jobs:submit", {"job": {"placement": {"clusterName": "right"}, "pysparkJob": {}, "script": "x"}}),
        ("jobs:submit", {"job": {"placement": {"clusterName": "right"}, "sparkJob": {"mainClass": "X"}}}),
    ],
)
def test_wrong_requests_of_other_kinds(dataproc: DataprocServer, path: str, body: Any) -> None:
    assert ask(dataproc, path, body)[0] == 400


def test_unknown_cluster_operation_and_method(dataproc: DataprocServer) -> None:
    assert ask(dataproc, "clusters/nothing", {})[0] == 404
    job = {
        "reference": {"jobId": "x"},
        "placement": {"clusterName": "no"},
        "pysparkJob": {"mainPythonFileUri": "gs://b/a.py"},
    }
    assert ask(dataproc, "jobs:submit", {"job": job})[0] == 404
