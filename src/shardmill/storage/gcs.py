"""Google Cloud Storage through its JSON API, with the credentials, address and session of gcsfs.

gcsfs repeats requests by itself, six times with waits of its own, and finds out a bucket's type by a call that an emulator
lets hang for a minute. So its `core` class serves for what it knows best, and each request is made here, once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
import os
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import gcsfs.core
import google.auth.exceptions
from fsspec.asyn import sync
from fsspec.config import apply_config
from fsspec.exceptions import FSTimeoutError
from gcsfs import retry as gcsfs_retry
from google_crc32c import value as crc32c
from yarl import URL

from shardmill.errors import UsageError
from shardmill.storage.objects import (
    ABSENT,
    MD5_KEY,
    ConditionError,
    DeniedError,
    Fetched,
    NoObjectError,
    ObjectFacts,
    Page,
    TransientError,
    Upload,
    short_body,
    status_error,
    whole_age,
)

T = TypeVar("T")

_NOT_RENEWABLE: Final[type[Exception]] = getattr(gcsfs_retry, "NonRetryableError", gcsfs_retry.HttpError)
"""Of credentials that lack what it takes to renew them; gcsfs before 2026 had no error of its own for that."""

_BOUNDARY: Final = "==shardmill=="
_IDLE_S: Final = 30.0
_LARGE_BODY: Final = 1 << 20
"""Bytes from which on aiohttp wants a file to send, so that its loop is not held up."""
_CONNECT_S: Final = 15.0
_LIST_FIELDS: Final = "nextPageToken,prefixes,items(name,size,contentEncoding)"
_SIGN_IN: Final = (
    "sign in with: gcloud auth application-default login (or point GOOGLE_APPLICATION_CREDENTIALS to a key file)"
)


class GcsClient:
    """See `ObjectClient`."""

    scheme = "gs"

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options`: of `gcsfs.GCSFileSystem`. Without a `token` an emulator gets none, as with Google's own client."""
        given = apply_config(gcsfs.core.GCSFileSystem, dict(options))
        key_file = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        if given.get("token") is None and key_file and not Path(key_file).is_file():
            # gcsfs would go on without credentials, and the store then speaks of missing rights.
            raise UsageError(f"GOOGLE_APPLICATION_CREDENTIALS names no file: {key_file}; correct or unset it")
        if os.environ.get("STORAGE_EMULATOR_HOST") and given.get("token") is None:
            given["token"] = "anon"
        try:
            self._fs = gcsfs.core.GCSFileSystem(**{**given, "skip_instance_cache": True})
        except google.auth.exceptions.GoogleAuthError as error:
            raise UsageError(f"Google credentials cannot be used ({_first_line(error)}); {_SIGN_IN}") from error
        except (ValueError, OSError, KeyError) as error:
            # What it says may quote a token.
            raise UsageError(f"gs:// cannot be opened with these options or credentials; {_SIGN_IN}") from error

    def get(self, bucket: str, key: str, start: int, length: int | None, timeout_s: float) -> Fetched:
        return self._run(self._get(bucket, key, start, length, timeout_s), timeout_s)

    async def _get(self, bucket: str, key: str, start: int, length: int | None, timeout_s: float) -> Fetched:
        headers = {} if start == 0 else {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}
        url = f"{self._object(bucket, key)}?{self._query(alt='media')}"
        async with await self._request("GET", url, timeout_s, headers=headers) as answer:
            if answer.status == 416:
                return Fetched(b"", _facts_of_headers(answer.headers, start), whole=False)
            await self._check(answer, bucket)
            recoded = "Content-Encoding" in answer.headers
            stated = None if recoded else answer.content_length
            total = _total(answer.headers, stated)
            if length is not None and (stated is None or stated > length):
                content = await _read_up_to(answer.content, length)
                whole = start == 0 and len(content) < length
            else:
                content = await answer.read()
                whole = start == 0
        if stated is not None and len(content) < min(stated, stated if length is None else length):
            raise short_body(stated, len(content))
        facts = _facts_of_headers(answer.headers, len(content) if total is None else total)
        if whole and not recoded and facts.crc32c is not None and crc32c(content) != facts.crc32c:
            raise TransientError("checksum", "bytes that are not those of the store's checksum")
        return Fetched(content, facts, whole)

    def head(self, bucket: str, key: str, timeout_s: float) -> ObjectFacts:
        return self._run(self._head(bucket, key, timeout_s), timeout_s)

    async def _head(self, bucket: str, key: str, timeout_s: float) -> ObjectFacts:
        url = f"{self._object(bucket, key)}?{self._query()}"
        return _facts(*await self._json("GET", url, bucket, timeout_s))

    def page(self, bucket: str, prefix: str, token: str | None, most: int, timeout_s: float) -> Page:
        query = self._query(delimiter="/", prefix=prefix, pageToken=token, maxResults=most, fields=_LIST_FIELDS)
        url = f"{self._base()}/storage/v1/b/{_quoted(bucket)}/o?{query}"
        found, _ = self._run(self._json("GET", url, bucket, timeout_s), timeout_s)
        return Page(
            objects=tuple(
                (item["name"], None if item.get("contentEncoding") else int(item["size"]))
                for item in found.get("items", ())
            ),
            prefixes=tuple(found.get("prefixes", ())),
            next_token=found.get("nextPageToken"),
        )

    def put(
        self, bucket: str, key: str, content: bytes, md5: bytes, condition: str | None, timeout_s: float
    ) -> ObjectFacts:
        return self._run(self._put(bucket, key, content, md5, condition, timeout_s), timeout_s)

    async def _put(
        self, bucket: str, key: str, content: bytes, md5: bytes, condition: str | None, timeout_s: float
    ) -> ObjectFacts:
        about = {**_metadata(key, md5), "crc32c": _encoded_crc(crc32c(content))}  # which the store checks
        body = b"".join(
            (
                f"--{_BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(about)}\r\n".encode(),
                f"--{_BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
                content,
                f"\r\n--{_BOUNDARY}--".encode(),
            )
        )
        url = self._upload_url(bucket, condition, uploadType="multipart")
        headers = {"Content-Type": f'multipart/related; boundary="{_BOUNDARY}"'}
        return _facts(*await self._json("POST", url, bucket, timeout_s, headers=headers, data=body))

    def begin(self, bucket: str, key: str, size: int, md5: bytes, condition: str | None, timeout_s: float) -> Upload:
        return self._run(self._begin(bucket, key, size, md5, condition, timeout_s), timeout_s)

    async def _begin(
        self, bucket: str, key: str, size: int, md5: bytes, condition: str | None, timeout_s: float
    ) -> Upload:
        url = self._upload_url(bucket, condition, uploadType="resumable")
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Upload-Content-Type": "application/octet-stream",
            "X-Upload-Content-Length": str(size),
        }
        body = json.dumps(_metadata(key, md5)).encode()
        async with await self._request("POST", url, timeout_s, headers=headers, data=body) as answer:
            await self._check(answer, bucket)
            return Upload(bucket, key, size, answer.headers["Location"])

    def send(self, upload: Upload, number: int, start: int, part: bytes, timeout_s: float) -> None:
        self._run(self._send(upload, number, start, part, timeout_s), timeout_s)

    async def _send(self, upload: Upload, number: int, start: int, part: bytes, timeout_s: float) -> None:
        if upload.finished is not None:
            return
        if number in upload.parts:  # an attempt broke off: what of it arrived must not be sent again
            start, part = await self._what_is_left(upload, start, part, timeout_s)
            if not part:
                return
        upload.parts[number] = "begun"
        end = start + len(part)
        arrived = await self._continue(upload, f"bytes {start}-{end - 1}/{upload.size}", part, timeout_s)
        if arrived < end:
            raise short_body(end, arrived)

    async def _what_is_left(self, upload: Upload, start: int, part: bytes, timeout_s: float) -> tuple[int, bytes]:
        arrived = await self._continue(upload, f"bytes */{upload.size}", b"", timeout_s)
        skipped = max(0, min(arrived - start, len(part)))
        return start + skipped, part[skipped:]

    async def _continue(self, upload: Upload, content_range: str, part: bytes, timeout_s: float) -> int:
        """Bytes that the store has; where it has all of them, the upload is finished."""
        headers = {"Content-Range": content_range}
        async with await self._request("PUT", upload.handle, timeout_s, headers=headers, data=part) as answer:
            if answer.status == 308:
                _, _, last = answer.headers.get("Range", "").partition("-")
                return int(last) + 1 if last else 0
            await self._check(answer, upload.bucket)
            upload.finished = _facts(await _parsed(answer), answer.headers)
            return upload.size

    def finish(self, upload: Upload, condition: str | None, timeout_s: float) -> ObjectFacts:
        if upload.finished is None:  # the last part was said to have arrived, by an answer that came in between
            self._run(self._continue(upload, f"bytes */{upload.size}", b"", timeout_s), timeout_s)
        if upload.finished is None:
            raise TransientError("short_body", "an upload that the store has not all of")
        return upload.finished

    def abort(self, upload: Upload, timeout_s: float) -> None:
        async def cancel() -> None:
            async with await self._request("DELETE", upload.handle, timeout_s):
                pass  # 499 says that it is cancelled; the store forgets it within a week anyway

        self._run(cancel(), timeout_s)

    def delete(self, bucket: str, key: str, timeout_s: float) -> None:
        async def delete() -> None:
            url = f"{self._object(bucket, key)}?{self._query()}"
            async with await self._request("DELETE", url, timeout_s) as answer:
                await self._check(answer, bucket)

        self._run(delete(), timeout_s)

    def _base(self) -> str:
        base: str = self._fs._location
        return base.rstrip("/")

    def _object(self, bucket: str, key: str) -> str:
        return f"{self._base()}/storage/v1/b/{_quoted(bucket)}/o/{_quoted(key)}"

    def _upload_url(self, bucket: str, condition: str | None, **query: str) -> str:
        match = None if condition is None else "0" if condition == ABSENT else condition
        query_text = self._query(**query, ifGenerationMatch=match)
        return f"{self._base()}/upload/storage/v1/b/{_quoted(bucket)}/o?{query_text}"

    def _query(self, **values: object) -> str:
        return urlencode(self._fs._get_params(values))  # drops None, adds who pays

    async def _request(
        self,
        method: str,
        url: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> aiohttp.ClientResponse:
        session: aiohttp.ClientSession = await self._fs._set_session()
        limits = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(_CONNECT_S, timeout_s), sock_read=min(_IDLE_S, timeout_s)
        )
        return await session.request(
            method,
            URL(url, encoded=True),
            headers=self._fs._get_headers(dict(headers or {})),
            data=data if data is None or len(data) < _LARGE_BODY else io.BytesIO(data),
            timeout=limits,
            allow_redirects=False,
        )

    async def _json(
        self,
        method: str,
        url: str,
        bucket: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        async with await self._request(method, url, timeout_s, headers, data) as answer:
            await self._check(answer, bucket)
            return await _parsed(answer), answer.headers

    async def _check(self, answer: aiohttp.ClientResponse, bucket: str) -> None:
        """Raise what a status above 300 means."""
        status = answer.status
        if status < 300:
            return
        said = _said(await answer.read())
        if error := status_error(status, said, answer.headers):
            raise error
        if status == 404:
            raise NoObjectError(no_bucket="bucket does not exist" in said)
        if status == 412:
            raise ConditionError
        if status == 401:
            raise UsageError(self._who_are_you(bucket))
        if status == 403:
            raise DeniedError(said)
        raise UsageError(f"gs://{bucket} refuses the request (HTTP {status} {said}); check the bucket's name.")

    def _who_are_you(self, bucket: str) -> str:
        if self._fs.credentials.credentials is None:
            return f"no Google credentials were found, and gs://{bucket} is not public; {_SIGN_IN}"
        return f"the Google credentials for gs://{bucket} are expired or revoked; {_SIGN_IN}"

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """The result of `work`, run on fsspec's own loop; its errors translated."""
        try:
            result: T = sync(self._fs.loop, lambda: work, timeout=timeout_s + 5)
            return result
        except (aiohttp.ClientPayloadError, asyncio.IncompleteReadError) as error:
            raise TransientError("short_body", "a connection that broke off within an answer") from error
        except (TimeoutError, FSTimeoutError) as error:
            raise TransientError("timeout", f"no answer within {timeout_s:.0f} s") from error
        except aiohttp.ClientConnectorError as error:
            raise TransientError(
                "connect", f"no connection to {self._base()} ({_first_line(error.os_error)})"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise TransientError("reset", "a connection that was reset") from error
        except gcsfs_retry.HttpError as error:  # of gcsfs, when it could not refresh the credentials
            cause = error.__cause__
            if isinstance(cause, google.auth.exceptions.GoogleAuthError) and cause.retryable:
                raise TransientError("credentials", "no answer from the server that renews credentials") from error
            raise UsageError(f"the Google credentials are expired or revoked; {_SIGN_IN}") from error
        except google.auth.exceptions.TransportError as error:
            raise TransientError("credentials", "no connection to the server that renews credentials") from error
        except (google.auth.exceptions.GoogleAuthError, _NOT_RENEWABLE) as error:
            raise UsageError(f"the Google credentials cannot be renewed; {_SIGN_IN}") from error


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _metadata(key: str, md5: bytes) -> dict[str, Any]:
    return {"name": key, "md5Hash": base64.b64encode(md5).decode(), "metadata": {MD5_KEY: md5.hex()}}


def _encoded_crc(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def _decoded(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _crc(text: str | None) -> int | None:
    raw = _decoded(text)
    return int.from_bytes(raw, "big") if raw is not None and len(raw) == 4 else None


def _facts(found: Mapping[str, Any], headers: Mapping[str, str]) -> ObjectFacts:
    md5 = _decoded(found.get("md5Hash"))
    return ObjectFacts(
        size=int(found["size"]),
        version=str(found["generation"]),
        md5=None if md5 is None else md5.hex(),
        crc32c=_crc(found.get("crc32c")),
        age_s=whole_age(_http_date(headers.get("Date")), _iso_date(found.get("updated"))),
    )


def _facts_of_headers(headers: Mapping[str, str], total: int) -> ObjectFacts:
    hashes = dict(part.strip().partition("=")[::2] for part in headers.get("X-Goog-Hash", "").split(","))
    md5 = _decoded(hashes.get("md5"))
    return ObjectFacts(
        size=total,
        version=headers.get("X-Goog-Generation", "unknown"),
        md5=None if md5 is None else md5.hex(),
        crc32c=_crc(hashes.get("crc32c")),
        age_s=whole_age(_http_date(headers.get("Date")), _http_date(headers.get("Last-Modified"))),
    )


def _total(headers: Mapping[str, str], stated: int | None) -> int | None:
    _, _, total = headers.get("Content-Range", "").partition("/")
    return int(total) if total.isdecimal() else stated


def _http_date(text: str | None) -> datetime | None:
    return None if text is None else parsedate_to_datetime(text)


def _iso_date(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


async def _read_up_to(stream: aiohttp.StreamReader, length: int) -> bytes:
    parts: list[bytes] = []
    while length > 0 and (part := await stream.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


async def _parsed(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        found = json.loads(await answer.read())
    except ValueError as error:
        raise TransientError("short_body", "an answer that is not JSON") from error
    if not isinstance(found, dict):
        raise TransientError("short_body", "an answer that is not what was asked for")
    return found


def _said(body: bytes) -> str:
    """What an error's body says, on one line and without what might be long or secret."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(str(message).split())[:200]


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(". ")
