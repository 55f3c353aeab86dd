"""The wire: HTTP requests to the methods of `service` and `project`."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from shardmill.clusters.dataproc.message import INSTALLED, PYTHON_OF_IMAGES
from shardmill.clusters.dataproc.wheelhouse import SCRIPT, wheelhouse_folder
from tests.dataproc_server.clock import Clock
from tests.dataproc_server.faults import Faults
from tests.dataproc_server.monitoring import monitoring_server
from tests.dataproc_server.project import Project
from tests.dataproc_server.service import Service, keep_time
from tests.dataproc_server.wire import ApiError
from tests.stores import StoreServer

PROJECT: Final = "test-project"
REGION: Final = "us-central1"

_PLACE: Final = r"/v1/projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)"
_COMPUTE: Final = r"/compute/v1/projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)"
_KNOWN_QUERY: Final = frozenset(
    {"$alt", "requestId", "clusterUuid", "filter", "pageSize", "pageToken", "clusterName", "names", "fields"}
)


@dataclass(frozen=True)
class Request:
    """One call as it came in."""

    parts: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: Any

    def one(self, name: str) -> str:
        return self.query.get(name, [""])[0]


@dataclass
class DataprocServer:
    """The running server, with the means to look behind it and to make things go wrong."""

    url: str
    monitoring: str
    """`127.0.0.1:PORT` of the stand-in for Cloud Monitoring."""
    service: Service
    project: Project

    @property
    def clock(self) -> Clock:
        return self.service.clock

    @property
    def faults(self) -> Faults:
        return self.service.faults

    @property
    def environment(self) -> dict[str, str]:
        """What variables lead shardmill to it."""
        return {
            **self.service.store.environment,
            "SHARDMILL_CLOUD_PROJECT": self.service.project,
            "SHARDMILL_CLOUD_REGION": self.service.region,
            "SHARDMILL_CLOUD_BUCKET": self.service.bucket,
            "SHARDMILL_DATAPROC_ENDPOINT": self.url,
            "SHARDMILL_GOOGLE_ENDPOINT": self.url,
            "SHARDMILL_MONITORING_ENDPOINT": self.monitoring,
        }

    def pretend_wheelhouse(self) -> None:
        """Put a script where the wheels' own would lie: the machines here have everything, and fetch no packages."""
        for python in PYTHON_OF_IMAGES.values():
            folder = wheelhouse_folder(f"gs://{self.service.bucket}/shardmill", python, INSTALLED)
            key = f"{folder.partition('://')[2].partition('/')[2]}/{SCRIPT}"
            self.service.store.put(self.service.bucket, key, b"# nothing to install\n")

    def names(self) -> list[str]:
        """Clusters that are there, as the service knows and not as a client tells."""
        with self.service.lock:
            self.service.advance()
            return sorted(self.service.clusters)


class Router:
    """From method and path to what answers it."""

    def __init__(self, service: Service, project: Project) -> None:
        self.service = service
        self.routes: list[tuple[str, str, re.Pattern[str], Callable[[Request], dict[str, Any]]]] = []

        def route(name: str, method: str, pattern: str, answer: Callable[[Request], dict[str, Any]]) -> None:
            self.routes.append((name, method, re.compile(pattern), answer))

        clusters, jobs = f"{_PLACE}/clusters", f"{_PLACE}/jobs"
        one, job = rf"{clusters}/(?P<cluster>[^/:]+)", rf"{jobs}/(?P<job>[^/:]+)"
        s = service
        route("CreateCluster", "POST", clusters, lambda r: s.create_cluster(r.body, r.one("requestId")))
        route("ListClusters", "GET", clusters, lambda r: s.list_clusters(r.one("filter")))
        route("GetCluster", "GET", one, lambda r: s.get_cluster(r.parts["cluster"]))
        route("DeleteCluster", "DELETE", one, lambda r: _deleted(s, r))
        route("SubmitJob", "POST", f"{jobs}:submit", lambda r: s.submit_job(r.body))
        route("ListJobs", "GET", jobs, lambda r: s.list_jobs(r.one("clusterName")))
        route("GetJob", "GET", job, lambda r: s.get_job(r.parts["job"]))
        route("CancelJob", "POST", f"{job}:cancel", lambda r: s.cancel_job(r.parts["job"]))
        operation = r"/v1/(?P<name>projects/[^/]+/regions/[^/]+/operations/[^/:]+)"
        route("GetOperation", "GET", operation, lambda r: s.get_operation(r.parts["name"]))
        route("GetRegion", "GET", _COMPUTE, lambda r: project.region(r.parts["region"]))
        subnet = rf"{_COMPUTE}/subnetworks/(?P<subnet>[^/]+)"
        route("GetSubnetwork", "GET", subnet, lambda r: project.subnetwork(r.parts["subnet"]))
        services = r"/v1/projects/(?P<project>[^/]+)/services:"
        route("BatchGetServices", "GET", f"{services}batchGet", lambda r: project.services(list(r.query["names"])))
        route("EnableServices", "POST", f"{services}batchEnable", lambda r: project.enable(r.body["serviceIds"]))
        route("GetEnabling", "GET", r"/v1/operations/acf\.enabling", lambda _: project.enabling())
        permissions = r"/v1/projects/(?P<project>[^/:]+):testIamPermissions"
        route("TestPermissions", "POST", permissions, lambda r: project.test_permissions(r.body["permissions"]))

    def answer(self, method: str, target: str, body: bytes) -> tuple[str, dict[str, Any]]:
        """The method's name and its answer."""
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        for name, verb, pattern, answer in self.routes:
            match = pattern.fullmatch(unquote(parts.path))
            if match is not None and verb == method:
                with self.service.lock:
                    self.service.calls[name] += 1
                    planted = self.service.faults.answers[name]
                    if planted:
                        raise planted.pop(0)
                    self._check(match.groupdict(), query)
                    self.service.advance()
                    return name, answer(Request(match.groupdict(), query, json.loads(body or b"{}")))
        raise ApiError("NOT_FOUND", f"no method {method} {parts.path}")

    def _check(self, parts: Mapping[str, str], query: Mapping[str, list[str]]) -> None:
        unknown = query.keys() - _KNOWN_QUERY
        if unknown:
            raise ApiError("INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        if parts.get("project", self.service.project) != self.service.project:
            raise ApiError("PERMISSION_DENIED", f"Permission denied on project '{parts['project']}'")
        if parts.get("region", self.service.region) != self.service.region:
            raise ApiError("INVALID_ARGUMENT", f"Region '{parts['region']}' is invalid or not supported")


def _deleted(service: Service, request: Request) -> dict[str, Any]:
    return service.delete_cluster(request.parts["cluster"], request.one("clusterUuid"), request.one("requestId"))


def _handler(router: Router) -> type[BaseHTTPRequestHandler]:
    faults = router.service.faults

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def do_DELETE(self) -> None:
            self._serve("DELETE")

        def _serve(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if faults.offline:
                self.close_connection = True
                return
            try:
                name, answer = router.answer(method, self.path, body)
                status = 200
            except ApiError as error:
                name, answer, status = "", error.body(), error.http_status
            if faults.lost_answers[name]:
                faults.lost_answers[name] -= 1
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def dataproc_server(store: StoreServer, bucket: str) -> Iterator[DataprocServer]:
    """Serve until the block ends; every process started for a cluster ends with it."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(
            PROJECT, REGION, store, bucket, Path(folder), Clock(), Faults(), environment=store.environment
        )
        project = Project(service)
        server = _Server(("127.0.0.1", 0), _handler(Router(service, project)))
        threading.Thread(target=server.serve_forever, name="dataproc", daemon=True).start()
        ended = threading.Event()
        stack = ExitStack()
        address = stack.enter_context(monitoring_server(service))
        keeper = threading.Thread(target=keep_time, args=(service, ended), name="dataproc-time", daemon=True)
        keeper.start()
        try:
            yield DataprocServer(f"http://127.0.0.1:{server.server_port}", address, service, project)
        finally:
            ended.set()
            keeper.join()
            server.shutdown()
            server.server_close()
            stack.close()
            service.stop()
