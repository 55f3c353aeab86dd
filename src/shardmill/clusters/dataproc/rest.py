"""The few calls to Google's other services, over plain HTTPS: quotas, services, roles."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

import google.auth.exceptions
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.transport.requests import AuthorizedSession

from shardmill.clusters.dataproc.access import credentials_for, is_transient
from shardmill.clusters.dataproc.config import GOOGLE_ENDPOINT, CloudConfig
from shardmill.clusters.dataproc.sentences import SIGN_IN, explain, one_line
from shardmill.errors import ClusterError, UsageError

_ENABLE_TIMEOUT_S: Final = 300.0
_POLL_S: Final = 1.0
_PATIENCE_S: Final = 60.0
_CALL_TIMEOUT_S: Final = 30.0


class NotThereError(UsageError):
    """What was asked about does not exist."""


class GoogleRest:
    """Calls in the name of one project; nothing is asked before the first."""

    def __init__(self, config: CloudConfig, patience_s: float = _PATIENCE_S) -> None:
        """Raises UsageError without credentials."""
        self._config, self._patience_s = config, patience_s
        self._endpoint = os.environ.get(GOOGLE_ENDPOINT)
        self._storage = os.environ.get("STORAGE_EMULATOR_HOST")
        self._session: Any = AuthorizedSession(credentials_for(self._endpoint))

    def region(self) -> dict[str, Any]:
        """Compute Engine's account of the region: `quotas` with `metric`, `limit` and `usage`."""
        return self._ask("GET", "compute", f"/compute/v1/{self._place}", "read the quotas of the region")

    def subnetwork(self, name: str) -> dict[str, Any]:
        """Compute Engine's account of a subnetwork: `privateIpGoogleAccess`."""
        return self._ask(
            "GET", "compute", f"/compute/v1/{self._place}/subnetworks/{name}", f"look at subnetwork {name}"
        )

    def enabled_services(self, names: list[str]) -> set[str]:
        """Those of the APIs `names` that are enabled."""
        project = f"projects/{self._config.project}"
        asked = {"names": [f"{project}/services/{name}" for name in names]}
        path = f"/v1/{project}/services:batchGet"
        answer = self._ask("GET", "serviceusage", path, "ask which APIs are enabled", query=asked)
        enabled = (entry["name"] for entry in answer.get("services", ()) if entry.get("state") == "ENABLED")
        return {name.rpartition("/")[2] for name in enabled}

    def enable_services(self, names: list[str]) -> None:
        """And wait until they are."""
        path = f"/v1/projects/{self._config.project}/services:batchEnable"
        operation = self._ask("POST", "serviceusage", path, "enable the APIs", body={"serviceIds": names})
        deadline = time.monotonic() + _ENABLE_TIMEOUT_S
        while not operation.get("done"):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"the APIs were not enabled within {_ENABLE_TIMEOUT_S:.0f} s; run the same command again."
                )
            time.sleep(_POLL_S)
            operation = self._ask("GET", "serviceusage", f"/v1/{operation['name']}", "see whether the APIs are enabled")
        if "error" in operation:
            raise UsageError(f"cannot enable the APIs: {one_line(str(operation['error'].get('message', '')))}.")

    def permissions(self, names: list[str]) -> set[str]:
        """Those of `names` that the credentials have in the project."""
        path = f"/v1/projects/{self._config.project}:testIamPermissions"
        doing = "ask for the permissions in the project"
        answer = self._ask("POST", "cloudresourcemanager", path, doing, body={"permissions": names})
        return set(answer.get("permissions", ()))

    def bucket_location(self) -> str | None:
        """As in `EUROPE-WEST4` or `EU`; None where the bucket is not there."""
        path = f"/storage/v1/b/{self._config.bucket}"
        try:
            return str(self._ask("GET", "storage", path, f"look at bucket {self._config.bucket}")["location"])
        except NotThereError:
            return None

    def make_bucket(self) -> None:
        """In the region, with access by roles alone."""
        body = {
            "name": self._config.bucket,
            "location": self._config.region,
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
        }
        doing = f"make bucket {self._config.bucket}"
        self._ask("POST", "storage", "/storage/v1/b", doing, query={"project": self._config.project}, body=body)

    @property
    def _place(self) -> str:
        return f"projects/{self._config.project}/regions/{self._config.region}"

    def _ask(
        self,
        method: str,
        service: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        given = self._storage if service == "storage" else self._endpoint
        url = (given or f"https://{service}.googleapis.com") + path

        def once() -> dict[str, Any]:
            answer = self._session.request(method, url, params=query, json=body, timeout=_CALL_TIMEOUT_S)
            if answer.status_code != 200:
                raise exceptions.from_http_response(answer)
            content: dict[str, Any] = answer.json()
            return content

        try:
            result: dict[str, Any] = Retry(predicate=is_transient, initial=0.3, timeout=self._patience_s)(once)()
        except exceptions.RetryError as error:
            raise ClusterError(
                f"cannot {doing}: Google could not be reached for {self._patience_s:g} s. Check the network."
            ) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise UsageError(f"cannot {doing}: the Google credentials cannot be used; {SIGN_IN}") from error
        except exceptions.NotFound as error:
            raise NotThereError(f"cannot {doing}: {one_line(str(error.message))}.") from error
        except exceptions.GoogleAPICallError as error:
            raise explain(error, doing, self._config) from error
        return result
