"""JSON on the wire and Google's messages behind it; errors as google.rpc.Status."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import json_format, timestamp_pb2

# HTTP status and gRPC code of each google.rpc.Code used here (googleapis: google/rpc/code.proto)
_CODES: Final = {
    "INVALID_ARGUMENT": (400, 3),
    "FAILED_PRECONDITION": (400, 9),
    "UNAUTHENTICATED": (401, 16),
    "PERMISSION_DENIED": (403, 7),
    "NOT_FOUND": (404, 5),
    "ALREADY_EXISTS": (409, 6),
    "ABORTED": (409, 10),
    "RESOURCE_EXHAUSTED": (429, 8),
    "INTERNAL": (500, 13),
    "UNAVAILABLE": (503, 14),
}


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    @property
    def http_status(self) -> int:
        return _CODES[self.status][0]

    @property
    def code(self) -> int:
        return _CODES[self.status][1]

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.http_status, "message": self.message, "status": self.status}}


def parse(message: Any, content: Any) -> Any:
    """Fill a message from JSON. An unknown field is refused, as the real service does."""
    try:
        json_format.ParseDict(content, type(message).pb(message), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
    return message


def plain(message: Any) -> dict[str, Any]:
    """A message as JSON, enumerations as numbers: what `$alt=json;enum-encoding=int` asks for."""
    content: dict[str, Any] = json_format.MessageToDict(type(message).pb(message), use_integers_for_enums=True)
    return content


def typed(message: Any) -> dict[str, Any]:
    """As the content of a google.protobuf.Any."""
    name = type(message).pb(message).DESCRIPTOR.full_name
    return {"@type": f"type.googleapis.com/{name}", **plain(message)}


def stamp(seconds: float) -> timestamp_pb2.Timestamp:
    return timestamp_pb2.Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
