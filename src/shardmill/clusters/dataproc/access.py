"""Credentials for Google's services, and which of their failures pass by themselves."""

from __future__ import annotations

from typing import Any, Final

import google.auth
import google.auth.exceptions
import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials

from shardmill.clusters.dataproc.sentences import SIGN_IN
from shardmill.errors import UsageError

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_TRANSIENT: Final = (
    exceptions.BadGateway,
    exceptions.GatewayTimeout,
    exceptions.InternalServerError,
    exceptions.ServiceUnavailable,
    google.auth.exceptions.TransportError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
)


def credentials_for(endpoint: str | None) -> Any:  # noqa: ANN401  # google-auth is untyped
    """The user's, or none for a server that is reached without TLS.

    Raises:
        UsageError: there are none.
    """
    if endpoint is not None and not endpoint.startswith("https://"):
        return AnonymousCredentials()
    try:
        return google.auth.default(scopes=[_SCOPE])[0]
    except google.auth.exceptions.GoogleAuthError as error:
        raise UsageError(f"no Google credentials were found; {SIGN_IN}") from error


def is_transient(error: Exception) -> bool:
    """Whether the same call may do better a little later. A quota of calls is whole again in a minute, one of machines
    is not."""
    too_often = isinstance(error, exceptions.TooManyRequests) and "per minute" in str(error.message)
    return too_often or isinstance(error, _TRANSIENT)
