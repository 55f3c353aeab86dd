"""Google's errors in one sentence each, sorted by what to do next."""

from __future__ import annotations

import re
from typing import Final

from google.api_core import exceptions

from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.errors import ClusterError, ShardmillError, UsageError

SIGN_IN: Final = (
    "sign in with: gcloud auth application-default login (or point GOOGLE_APPLICATION_CREDENTIALS to a key file)"
)
QUOTAS_PAGE: Final = "https://console.cloud.google.com/iam-admin/quotas"

_CALL: Final = re.compile(r"^[A-Z]+ https?://\S+: ")
"""What the client library puts before the service's own words."""
_QUOTA: Final = re.compile(r"quota", re.IGNORECASE)
_STOCK_OUT: Final = re.compile(r"does not have enough resources|RESOURCE_POOL_EXHAUSTED|stock.?out", re.IGNORECASE)
_DISABLED: Final = re.compile(r"is disabled|has not been used|SERVICE_DISABLED")
_API: Final = re.compile(r"\b[a-z]+\.googleapis\.com\b")
_DENIED: Final = re.compile(r"permission", re.IGNORECASE)


def explain(error: exceptions.GoogleAPICallError, doing: str, config: CloudConfig) -> ShardmillError:
    """What a call that failed for good comes to; `doing` is as in "create cluster x"."""
    said = one_line(str(error.message))
    if isinstance(error, exceptions.Unauthenticated | exceptions.Unauthorized):
        return UsageError(f"cannot {doing}: Google does not accept the credentials; {SIGN_IN}")
    if isinstance(error, exceptions.PermissionDenied | exceptions.Forbidden):
        return _forbidden(said, doing, config)
    if isinstance(error, exceptions.ClientError):  # 4xx, and quota as the real service words it is one of them
        return creation_failure(said, doing, config) if known_failure(said) else UsageError(f"cannot {doing}: {said}.")
    return creation_failure(said, doing, config)


def known_failure(said: str) -> bool:
    return bool(_QUOTA.search(said) or _STOCK_OUT.search(said))


def creation_failure(said: str, doing: str, config: CloudConfig) -> ShardmillError:
    """Why machines could not be had, from the text of a call or of a cluster in ERROR."""
    if _STOCK_OUT.search(said):
        return ClusterError(
            f"cannot {doing}: Google has no such machines free there now ({said}). "
            "Try again later, or another zone, region or machine type."
        )
    if _QUOTA.search(said):
        return UsageError(
            f"cannot {doing}: the quota of project {config.project} in {config.region} does not suffice ({said}). "
            f"Choose fewer or smaller machines, delete other clusters, or ask for more at {QUOTAS_PAGE}"
        )
    if _DENIED.search(said):
        return _forbidden(said, doing, config)
    return ClusterError(f"cannot {doing}: {said}.")


def _forbidden(said: str, doing: str, config: CloudConfig) -> UsageError:
    if _DISABLED.search(said):
        named = _API.search(said)
        api = "dataproc.googleapis.com" if named is None else named[0]
        return UsageError(
            f"cannot {doing}: {api} is not enabled in project {config.project}; "
            f"enable it with: gcloud services enable {api} --project={config.project}"
        )
    return UsageError(
        f"cannot {doing}: permission is missing in project {config.project} ({said}); "
        "`shardmill cluster init` names the roles to grant"
    )


def status_of(error: exceptions.GoogleAPICallError) -> str:
    """The name of google.rpc.Code in the answer, as in `FAILED_PRECONDITION`; empty where there was no such answer."""
    try:
        return str(error.response.json()["error"]["status"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def one_line(text: str) -> str:
    """The service's own words, without line breaks and a full stop at the end."""
    return " ".join(_CALL.sub("", text).split()).rstrip(".") or "no reason was given"
