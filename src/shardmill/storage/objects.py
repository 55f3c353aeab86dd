"""The seam behind which the APIs of object stores sit: one attempt at one request.

Whatever retries, counts, paces, locks or buffers is built on it and knows no store by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

ABSENT: Final = ""
"""As the condition of a write: nothing may be there."""
MD5_KEY: Final = "shardmill-md5"
"""Of an object's own metadata, for stores whose checksum depends on how the object was uploaded."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What a store says of one object."""

    size: int
    """Bytes."""
    version: str
    """Changes whenever the object does; never empty. A condition of writes."""
    md5: str | None = None
    """Of the content, in hex, where the store tells."""
    crc32c: int | None = None
    age_s: float | None = None
    """Since the object was written, by the store's own clock."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of an object."""

    content: bytes
    facts: ObjectFacts
    """Of the whole object."""
    whole: bool
    """`content` is all of it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a listing."""

    objects: tuple[tuple[str, int | None], ...]
    """Key and bytes; None where a reader gets other bytes than are stored."""
    prefixes: tuple[str, ...]
    """Of what lies deeper, each ending in `/`."""
    next_token: str | None


@dataclass(slots=True)
class Upload:
    """An upload in parts, under way."""

    bucket: str
    key: str
    size: int
    handle: str
    parts: dict[int, Any] = field(default_factory=dict)
    finished: ObjectFacts | None = None


class TransientError(Exception):
    """The attempt failed in a way that another may not. Never leaves the package.

    `reason` is a word to count by: a status (`503`), `reset`, `timeout`, `short_body`, `checksum`, `connect`.
    """

    def __init__(self, reason: str, detail: str, *, throttled: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
        self.throttled, self.retry_after_s = throttled, retry_after_s


class NoObjectError(Exception):
    """There is no such object, or the bucket itself is not there. Never leaves the package."""

    def __init__(self, *, no_bucket: bool = False) -> None:
        """`no_bucket`: the store says that it is the bucket."""
        super().__init__(no_bucket)
        self.no_bucket = no_bucket


class DeniedError(Exception):
    """These credentials may not do this to this object or bucket. Never leaves the package."""


class ConditionError(Exception):
    """The condition of a write does not hold. Never leaves the package."""


class UnconditionalStoreError(Exception):
    """The store knows no conditions of writes. Never leaves the package."""


class ObjectClient(Protocol):
    """One attempt at one request, at a store that was set up with the user's options.

    Every method but the constructor may raise `TransientError`, `DeniedError`, and `UsageError` for what no retry mends:
    no or expired credentials, a wrong region. `timeout_s` bounds the attempt. Safe to use from several threads; belongs to
    one process and does not survive a fork.
    """

    scheme: str

    def get(self, bucket: str, key: str, start: int, length: int | None, timeout_s: float) -> Fetched:
        """At most `length` bytes from `start`. Raises `NoObjectError`."""
        ...

    def head(self, bucket: str, key: str, timeout_s: float) -> ObjectFacts:
        """Raises `NoObjectError`."""
        ...

    def page(self, bucket: str, prefix: str, token: str | None, most: int, timeout_s: float) -> Page:
        """What begins with `prefix` and has no further `/`, and the prefixes of what has. Raises `NoObjectError`."""
        ...

    def put(
        self, bucket: str, key: str, content: bytes, md5: bytes, condition: str | None, timeout_s: float
    ) -> ObjectFacts:
        """Write an object whole. Raises `NoObjectError`, `ConditionError`, `UnconditionalStoreError`."""
        ...

    def begin(self, bucket: str, key: str, size: int, md5: bytes, condition: str | None, timeout_s: float) -> Upload:
        """Begin an upload in parts. Raises as `put`."""
        ...

    def send(self, upload: Upload, number: int, start: int, part: bytes, timeout_s: float) -> None:
        """Part `number`, from 0, which begins at byte `start`; each is sent in turn and may be sent again."""
        ...

    def finish(self, upload: Upload, condition: str | None, timeout_s: float) -> ObjectFacts:
        """The object appears. Raises as `put`."""
        ...

    def abort(self, upload: Upload, timeout_s: float) -> None:
        """Free what the store keeps of an upload that will not be finished."""
        ...

    def delete(self, bucket: str, key: str, timeout_s: float) -> None:
        """Raises `NoObjectError`."""
        ...


def whole_age(now: datetime | None, written: datetime | None) -> float | None:
    """Seconds between two times of one clock."""
    return None if now is None or written is None else max(0.0, (now - written).total_seconds())


def short_body(expected: int, got: int) -> TransientError:
    """The error of an answer that ended before its end."""
    return TransientError("short_body", f"{got} of {expected} bytes came")


def status_error(status: int, said: str, headers: Mapping[str, str]) -> TransientError | None:
    """The error of an HTTP status that is worth another attempt, else None."""
    if status in (408, 429) or (status >= 500 and status != 501):
        after = headers.get("Retry-After", "")
        return TransientError(
            str(status),
            f"HTTP {status}{f' {said}' if said else ''}",
            throttled=status in (429, 503),
            retry_after_s=float(after) if after.isdecimal() else 0.0,
        )
    return None
