"""A prefix of a bucket as a tree of files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from typing import BinaryIO, Final, TypeVar, cast

from shardmill.errors import ResumableError, UsageError
from shardmill.registry import STORES, load
from shardmill.storage.base import Entry, UnreadableError
from shardmill.storage.object_listing import Name, names_in, walk
from shardmill.storage.objects import (
    ABSENT,
    ConditionError,
    DeniedError,
    Fetched,
    NoObjectError,
    ObjectClient,
    ObjectFacts,
    Page,
    TransientError,
    UnconditionalStoreError,
)
from shardmill.storage.pace import Pace
from shardmill.storage.remote_file import RemoteFile
from shardmill.storage.retry import with_retries
from shardmill.storage.settings import REQUESTS_AT_ONCE, StorageSettings
from shardmill.storage.store_lock import hold

T = TypeVar("T")

PART_BYTES: Final = 32 << 20
"""Objects up to this are sent in one request, longer ones in parts; a multiple of 256 KiB, as Google wants it."""
_IN_MEMORY_BYTES: Final = 8 << 20
_PAGE: Final = 1000
_LISTING_KEPT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """What lies below `root`, such as `gs://bucket/folder`. Pickles; each process connects for itself."""

    root: str
    settings: StorageSettings = field(default_factory=StorageSettings)
    reads_at_once = REQUESTS_AT_ONCE
    _listed: dict[str, tuple[float, Sequence[Name]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The folder that `list` began with last, since whoever looks at a source does so several times."""

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[str, StorageSettings]]:
        return ObjectStore, (self.root, self.settings)

    @property
    def scheme(self) -> str:
        return self.root.partition("://")[0]

    @property
    def bucket(self) -> str:
        return self.root.partition("://")[2].partition("/")[0]

    def _key(self, path: str) -> str:
        prefix = self.root.partition("://")[2].partition("/")[2]
        return f"{prefix}/{path}" if prefix and path else prefix or path

    def _url(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def read(self, path: str, start: int | None = None, length: int | None = None) -> bytes:
        if length == 0:
            return b"" if self.size(path) is not None else self._missing(path)
        return self.fetch(path, start or 0, length).content

    def fetch(self, path: str, start: int, length: int | None) -> Fetched:
        """`read`, with what the store says of the object."""
        client, key = self._client, self._key(path)
        attempt = partial(client.get, self.bucket, key, start, length)
        try:
            return self._try(attempt, "read", path)
        except NoObjectError as error:
            raise self._absent(path, error) from error
        except DeniedError as error:
            raise UnreadableError("permission_denied", path) from error

    def _missing(self, path: str) -> bytes:
        raise UnreadableError("not_found", path)

    def _absent(self, path: str, error: NoObjectError) -> Exception:
        return self._no_bucket() if error.no_bucket else UnreadableError("not_found", path)

    def facts(self, path: str) -> ObjectFacts | None:
        """What the store says of the object, or None where there is none."""
        client = self._client
        try:
            return self._try(partial(client.head, self.bucket, self._key(path)), "look up", path)
        except NoObjectError as error:
            if error.no_bucket:
                raise self._no_bucket() from error
            return None
        except DeniedError as error:
            raise UnreadableError("permission_denied", path) from error

    def size(self, path: str) -> int | None:
        if path:
            found = self.facts(path)
            return None if found is None else found.size
        prefix = self._key("")
        page = self._page(f"{prefix}/" if prefix else "", None, most=1)
        return 0 if page.objects or page.prefixes else None

    def open(self, path: str) -> BinaryIO:
        found = self.facts(path)
        if found is None:
            raise UnreadableError("not_found", path)
        return cast("BinaryIO", BufferedReader(RemoteFile(self, path, found), buffer_size=1 << 16))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """As `Store.list`; a folder that holds nothing is not there, and lists nothing."""
        base = self._key("")
        base = f"{base}/" if base else ""
        folder = f"{base}{prefix.strip('/')}/" if prefix.strip("/") else base
        known = self._listed.get(folder)
        if known is None or time.monotonic() - known[0] > _LISTING_KEPT_S:
            self._listed.clear()
            known = self._listed[folder] = time.monotonic(), names_in(folder, self._page)
        for key, size in walk(folder, known[1], self._page):
            yield Entry(key.removeprefix(base), size)

    def _page(self, prefix: str, token: str | None, most: int = _PAGE) -> Page:
        client = self._client
        try:
            return self._try(partial(client.page, self.bucket, prefix, token, most), "list", "")
        except NoObjectError as error:
            raise self._no_bucket() from error
        except DeniedError as error:
            raise UsageError(f"these credentials may not list {self.root} ({error}). {_grant(self.scheme)}") from error

    @contextmanager
    def publish(self, path: str) -> Iterator[BinaryIO]:
        """As `Store.publish`. The file is kept on this machine's disk until it is whole."""
        before = self.facts(path) if self.settings.conditional else None
        condition = None if not self.settings.conditional else ABSENT if before is None else before.version
        try:
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, prefix="shardmill-") as file:
                yield cast("BinaryIO", file)
                size = file.seek(0, os.SEEK_END)
                self._upload(path, cast("BinaryIO", file), size, condition)
        except OSError as error:
            raise ResumableError(
                f"cannot keep {path} on this machine until it is uploaded: {error.strerror}. Free some space, or point TMPDIR "
                "to a disk with more, and run the same command again."
            ) from error

    def _upload(self, path: str, file: BinaryIO, size: int, condition: str | None) -> None:
        file.seek(0)
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
        file.seek(0)
        try:
            self.put(path, file, size, digest.digest(), condition)
        except ConditionError as error:
            found = self.facts(path)
            if found is None or found.size != size or found.md5 != digest.hexdigest():
                raise ResumableError(
                    f"{self._url(path)} was written by another run meanwhile, with other content. Make sure that no other run "
                    "writes there, then run the same command again."
                ) from error

    def put(self, path: str, file: BinaryIO, size: int, md5: bytes, condition: str | None) -> ObjectFacts:
        """Write the object as a whole, on condition that it is what `condition` says.

        Raises:
            ConditionError: it is not.
        """
        client, key = self._client, self._key(path)
        self._listed.clear()
        try:
            if size <= PART_BYTES:
                content = file.read()
                return self._try(partial(client.put, self.bucket, key, content, md5, condition), "write", path)
            return self._put_in_parts(path, file, size, md5, condition)
        except NoObjectError as error:
            raise self._no_bucket() from error
        except DeniedError as error:
            raise UsageError(
                f"these credentials may not write {self._url(path)} ({error}). {_grant(self.scheme)}"
            ) from error
        except UnconditionalStoreError as error:
            raise UsageError(
                f"the store of {self.root} cannot write on condition that nobody else does; add --no-lock, and see to it that "
                "no two runs write there."
            ) from error

    def _put_in_parts(self, path: str, file: BinaryIO, size: int, md5: bytes, condition: str | None) -> ObjectFacts:
        client, key = self._client, self._key(path)
        upload = self._try(partial(client.begin, self.bucket, key, size, md5, condition), "write", path)
        try:
            for number, start in enumerate(range(0, size, PART_BYTES)):
                part = file.read(PART_BYTES)
                self._try(partial(client.send, upload, number, start, part), "write", path)
            return self._try(partial(client.finish, upload, condition), "write", path)
        except BaseException:
            with suppress(TransientError, DeniedError, NoObjectError, UsageError):
                client.abort(upload, 10.0)  # once: the store gives it up by itself later
            raise

    def remove(self, path: str) -> None:
        client = self._client
        self._listed.clear()
        try:
            self._try(partial(client.delete, self.bucket, self._key(path)), "delete", path)
        except NoObjectError as error:
            if error.no_bucket:
                raise self._no_bucket() from error
        except DeniedError as error:
            raise UsageError(
                f"these credentials may not delete {self._url(path)} ({error}). {_grant(self.scheme)}"
            ) from error

    def lock(self) -> AbstractContextManager[None]:
        return hold(self)

    def _try(self, attempt: Callable[[float], T], what: str, path: str) -> T:
        pace = _connection(self).pace

        def paced(timeout_s: float) -> T:
            with pace.slot():
                return attempt(timeout_s)

        return with_retries(paced, f"{what} {self._url(path)}", self.settings.timeout_s)

    @property
    def _client(self) -> ObjectClient:
        return _connection(self).client

    def _no_bucket(self) -> UsageError:
        return UsageError(
            f"there is no bucket {self.scheme}://{self.bucket}, or these credentials may not see it; check its name, and make it "
            "first if it is new."
        )


@dataclass(frozen=True, slots=True)
class _Connection:
    """What the stores of a process have in common that reach the same place in the same way."""

    client: ObjectClient
    pace: Pace


_connections: dict[tuple[str, str], _Connection] = {}
_connecting = threading.Lock()


def _begin_anew() -> None:
    """In a forked child: the threads that its parent's connections live on have not come along."""
    global _connecting
    _connections.clear()
    _connecting = threading.Lock()
    fsspec_loop = sys.modules.get("fsspec.asyn")
    if fsspec_loop is not None:
        fsspec_loop.reset_lock()  # which older versions of fsspec do not do by themselves


os.register_at_fork(after_in_child=_begin_anew)


def _connection(store: ObjectStore) -> _Connection:
    """The one of this process."""
    options = store.settings.of(store.scheme)
    place = (store.scheme, json.dumps(options, sort_keys=True, default=repr))
    with _connecting:
        found = _connections.get(place)
        if found is None:
            client: ObjectClient = load(STORES, "store", store.scheme)(options)
            found = _connections[place] = _Connection(client, Pace(REQUESTS_AT_ONCE))
        return found


def _grant(scheme: str) -> str:
    what = (
        "the role Storage Object Admin (to read only: Viewer)"
        if scheme == "gs"
        else "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject"
    )
    return f"Have {what} granted on the bucket, or use other credentials."
