"""Every call to Dataproc: repeated while the network is away, its errors turned into ours."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import google.auth.exceptions
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import dataproc_v1

from shardmill.clusters.dataproc.access import credentials_for, is_transient
from shardmill.clusters.dataproc.config import DATAPROC_ENDPOINT, CloudConfig
from shardmill.clusters.dataproc.sentences import SIGN_IN, explain, one_line, status_of
from shardmill.errors import ClusterError, UsageError

PATIENCE_S: Final = 600.0
"""How long a network that is away is waited for."""

MARK: Final = ("made-by", "shardmill")
"""The label of every cluster of ours."""

_CALL_TIMEOUT_S: Final = 60.0
_BY_STATUS: Final[Mapping[str, type[exceptions.GoogleAPICallError]]] = {
    "ABORTED": exceptions.Aborted,
    "ALREADY_EXISTS": exceptions.AlreadyExists,
    "FAILED_PRECONDITION": exceptions.FailedPrecondition,
}
"""Errors that over REST come as any other 400 or 409, by what the answer calls them."""


class DataprocService:
    """Dataproc in one project and region."""

    def __init__(self, config: CloudConfig, patience_s: float = PATIENCE_S) -> None:
        self.config, self.patience_s = config, patience_s
        endpoint = os.environ.get(DATAPROC_ENDPOINT)
        options = {"api_endpoint": endpoint or f"https://{config.region}-dataproc.googleapis.com"}
        credentials = credentials_for(endpoint)
        self._clusters = dataproc_v1.ClusterControllerClient(
            transport="rest", client_options=options, credentials=credentials
        )
        self._jobs = dataproc_v1.JobControllerClient(transport="rest", client_options=options, credentials=credentials)
        self._place = {"project_id": config.project, "region": config.region}
        self._creations: dict[str, Any] = {}

    def create_cluster(self, message: dict[str, Any]) -> bool:
        """Whether it was accepted; False where a cluster of that name is there."""
        name = message["cluster_name"]
        request = {**self._place, "cluster": message, "request_id": uuid.uuid4().hex}  # of all repeats of this call
        try:
            self._creations[name] = self._call(
                self._clusters.create_cluster, request, f"create cluster {name}", name, (exceptions.AlreadyExists,)
            )
        except exceptions.AlreadyExists:
            return False
        return True

    def find_cluster(self, name: str) -> Any | None:  # noqa: ANN401  # a message
        """None where there is none."""
        request = {**self._place, "cluster_name": name}
        try:
            return self._call(
                self._clusters.get_cluster, request, f"look at cluster {name}", name, (exceptions.NotFound,)
            )
        except exceptions.NotFound:
            return None

    def list_clusters(self) -> list[Any]:
        """Those with our label."""
        request = {**self._place, "filter": f"labels.{MARK[0]} = {MARK[1]}"}
        return list(self._call(self._clusters.list_clusters, request, "list clusters"))

    def delete_cluster(self, name: str, cluster_uuid: str) -> None:
        """Accepted, or gone meanwhile; by its number, so that a later one of the same name is left alone.

        Raises:
            FailedPrecondition: another operation has it; ask again.
        """
        request = {**self._place, "cluster_name": name, "cluster_uuid": cluster_uuid, "request_id": uuid.uuid4().hex}
        try:
            passing = (exceptions.NotFound, exceptions.FailedPrecondition)
            self._call(self._clusters.delete_cluster, request, f"delete cluster {name}", name, passing)
        except exceptions.NotFound:
            return

    def reason_of_failure(self, name: str, message: Any) -> str:  # noqa: ANN401
        """Why a cluster is in ERROR: what its creation ended with, or its own account."""
        creation = self._creations.get(name)
        failed = creation.exception(timeout=_CALL_TIMEOUT_S) if creation is not None else None
        return str(getattr(failed, "message", "") or message.status.detail or "no reason was given")

    def submit_job(self, message: dict[str, Any], name: str) -> None:
        """Accepted, now or by an earlier call.

        Raises:
            NotFound, FailedPrecondition: the cluster takes no jobs.
        """
        request = {**self._place, "job": message, "request_id": uuid.uuid4().hex}
        try:
            passing = (exceptions.AlreadyExists, exceptions.NotFound, exceptions.FailedPrecondition)
            self._call(self._jobs.submit_job, request, f"submit to cluster {name}", name, passing)
        except exceptions.AlreadyExists:
            return  # the same job: what it does is followed, and not done twice

    def get_job(self, job_id: str, name: str) -> Any:  # noqa: ANN401
        request = {**self._place, "job_id": job_id}
        return self._call(self._jobs.get_job, request, f"look at job {job_id}", name)

    def cancel_job(self, job_id: str, name: str) -> None:
        """Asked for, or ended before."""
        request = {**self._place, "job_id": job_id}
        try:
            passing = (exceptions.NotFound, exceptions.FailedPrecondition)
            self._call(self._jobs.cancel_job, request, f"cancel job {job_id}", name, passing)
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return

    def _call(
        self,
        method: Callable[..., Any],
        request: dict[str, Any],
        doing: str,
        name: str = "",
        passing: tuple[type[exceptions.GoogleAPICallError], ...] = (),
    ) -> Any:  # noqa: ANN401
        """`doing` is for messages, `name` of the cluster concerned, and `passing` are errors that the caller handles."""
        retry = Retry(predicate=is_transient, initial=0.3, maximum=10.0, multiplier=1.6, timeout=self.patience_s)
        try:
            return method(request=request, retry=retry, timeout=_CALL_TIMEOUT_S)
        except exceptions.RetryError as error:
            raise ClusterError(self._away(doing, name, error)) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise UsageError(f"cannot {doing}: the Google credentials cannot be used; {SIGN_IN}") from error
        except exceptions.GoogleAPICallError as error:
            kind = _BY_STATUS.get(status_of(error))
            told = error if kind is None else kind(one_line(str(error.message)))
            raise (told if isinstance(told, passing) else explain(told, doing, self.config)) from error

    def _away(self, doing: str, name: str, error: exceptions.RetryError) -> str:
        cause = type(error.cause).__name__
        text = f"cannot {doing}: Dataproc could not be reached for {self.patience_s / 60:g} minutes ({cause})."
        if name:
            text += (
                f" The cluster may still be running, and ends by its own limits at the latest. "
                f"Delete it with: {self.config.delete_command(name)}"
            )
        return text


def waits(first_s: float = 0.2, most_s: float = 5.0) -> Iterator[float]:
    """How long to sleep between looks at something that takes minutes."""
    wait_s = first_s
    while True:
        yield wait_s
        wait_s = min(wait_s * 1.4, most_s)
