"""Amazon S3 and what speaks like it, through the client that s3fs sets up.

Both s3fs and botocore below it repeat requests by themselves; here both are told not to, since `storage.retry` does.
"""

from __future__ import annotations

import base64
from collections.abc import Coroutine, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import md5 as hash_md5
from typing import Any, Final, TypeVar

import aiohttp
import s3fs
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from fsspec.asyn import sync
from fsspec.config import apply_config
from fsspec.exceptions import FSTimeoutError

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
    UnconditionalStoreError,
    Upload,
    short_body,
    status_error,
    whole_age,
)

T = TypeVar("T")

_CONNECTIONS: Final = 64
_IDLE_S: Final = 30
_CONNECT_S: Final = 15
_TRANSIENT: Final = frozenset(
    (
        *("RequestTimeout", "RequestTimeoutException", "SlowDown", "Throttling", "ThrottlingException", "BadDigest"),
        *("OperationAborted", "ConditionalRequestConflict", "InternalError", "ServiceUnavailable", "IncompleteBody"),
    )
)
_BAD_KEYS: Final = frozenset(
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthorizationHeaderMalformed")
)
_EXPIRED: Final = frozenset(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"))
_ELSEWHERE: Final = frozenset(
    ("PermanentRedirect", "301", "TemporaryRedirect", "307", "IllegalLocationConstraintException")
)
_SIGN_IN: Final = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile with: aws configure"


class S3Client:
    """See `ObjectClient`."""

    scheme = "s3"

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options`: of `s3fs.S3FileSystem`."""
        given = apply_config(s3fs.S3FileSystem, dict(options))
        config = {
            "max_pool_connections": _CONNECTIONS,
            "connect_timeout": _CONNECT_S,
            "read_timeout": _IDLE_S,
            **(given.pop("config_kwargs", None) or {}),
            "retries": {"total_max_attempts": 1, "mode": "standard"},
        }
        try:
            self._fs = s3fs.S3FileSystem(**{**given, "config_kwargs": config, "skip_instance_cache": True})
        except (TypeError, ValueError, KeyError) as error:
            # What it says may quote a key.
            raise _bad_options() from error
        self._fs.retries = 1

    def get(self, bucket: str, key: str, start: int, length: int | None, timeout_s: float) -> Fetched:
        return self._run(self._get(bucket, key, start, length), bucket, timeout_s)

    async def _get(self, bucket: str, key: str, start: int, length: int | None) -> Fetched:
        limits = {} if start == 0 else {"Range": f"bytes={start}-{'' if length is None else start + length - 1}"}
        try:
            answer = await self._fs._call_s3("get_object", Bucket=bucket, Key=key, **limits)
        except OSError as error:
            if _code(error) in ("InvalidRange", "416"):
                return Fetched(b"", ObjectFacts(start, "unknown"), whole=False)
            raise
        stated = int(answer["ContentLength"])
        _, _, total = answer.get("ContentRange", "").partition("/")
        facts = _facts(answer, int(total) if total.isdecimal() else stated)
        wanted = stated if length is None else min(stated, length)
        body = answer["Body"]
        try:
            content: bytes = await body.read() if wanted == stated else await _read_up_to(body, wanted)
        finally:
            body.close()
        if len(content) < wanted:
            raise short_body(wanted, len(content))
        whole = start == 0 and wanted == stated
        if whole and facts.md5 is not None and hash_md5(content, usedforsecurity=False).hexdigest() != facts.md5:
            raise TransientError("checksum", "bytes that are not those of the store's checksum")
        return Fetched(content, facts, whole)

    def head(self, bucket: str, key: str, timeout_s: float) -> ObjectFacts:
        try:
            answer = self._run(self._fs._call_s3("head_object", Bucket=bucket, Key=key), bucket, timeout_s)
        except (DeniedError, UsageError):
            self.page(bucket, key, None, 1, timeout_s)  # an answer to HEAD has no body that tells why; this one has
            raise
        return _facts(answer, int(answer["ContentLength"]))

    def page(self, bucket: str, prefix: str, token: str | None, most: int, timeout_s: float) -> Page:
        more = {} if token is None else {"ContinuationToken": token}
        call = self._fs._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=most, **more)
        found = self._run(call, bucket, timeout_s)
        return Page(
            objects=tuple((item["Key"], int(item["Size"])) for item in found.get("Contents", ())),
            prefixes=tuple(item["Prefix"] for item in found.get("CommonPrefixes", ())),
            next_token=found.get("NextContinuationToken"),
        )

    def put(
        self, bucket: str, key: str, content: bytes, md5: bytes, condition: str | None, timeout_s: float
    ) -> ObjectFacts:
        call = self._fs._call_s3(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=content,
            ContentMD5=base64.b64encode(md5).decode(),
            Metadata={MD5_KEY: md5.hex()},
            **_match(condition),
        )
        answer = self._run(call, bucket, timeout_s)
        return ObjectFacts(len(content), answer["ETag"], md5.hex())

    def begin(self, bucket: str, key: str, size: int, md5: bytes, condition: str | None, timeout_s: float) -> Upload:
        call = self._fs._call_s3("create_multipart_upload", Bucket=bucket, Key=key, Metadata={MD5_KEY: md5.hex()})
        return Upload(bucket, key, size, self._run(call, bucket, timeout_s)["UploadId"])

    def send(self, upload: Upload, number: int, start: int, part: bytes, timeout_s: float) -> None:
        call = self._fs._call_s3(
            "upload_part",
            Bucket=upload.bucket,
            Key=upload.key,
            UploadId=upload.handle,
            PartNumber=number + 1,
            Body=part,
            ContentMD5=base64.b64encode(hash_md5(part, usedforsecurity=False).digest()).decode(),
        )
        upload.parts[number] = self._run(call, upload.bucket, timeout_s)["ETag"]

    def finish(self, upload: Upload, condition: str | None, timeout_s: float) -> ObjectFacts:
        parts = [{"PartNumber": number + 1, "ETag": tag} for number, tag in sorted(upload.parts.items())]
        call = self._fs._call_s3(
            "complete_multipart_upload",
            Bucket=upload.bucket,
            Key=upload.key,
            UploadId=upload.handle,
            MultipartUpload={"Parts": parts},
            **_match(condition),
        )
        try:
            answer = self._run(call, upload.bucket, timeout_s)
        except NoObjectError as error:
            if error.no_bucket:
                raise
            raise ConditionError from error  # an attempt whose answer was lost has finished it: the content tells
        return ObjectFacts(upload.size, answer["ETag"])

    def abort(self, upload: Upload, timeout_s: float) -> None:
        call = self._fs._call_s3("abort_multipart_upload", Bucket=upload.bucket, Key=upload.key, UploadId=upload.handle)
        self._run(call, upload.bucket, timeout_s)

    def delete(self, bucket: str, key: str, timeout_s: float) -> None:
        self._run(self._fs._call_s3("delete_object", Bucket=bucket, Key=key), bucket, timeout_s)

    def _run(self, work: Coroutine[Any, Any, T], bucket: str, timeout_s: float) -> T:
        """The result of `work`, run on fsspec's own loop; its errors translated."""
        try:
            result: T = sync(self._fs.loop, lambda: work, timeout=timeout_s)
            return result
        except (TimeoutError, FSTimeoutError, boto.ReadTimeoutError) as error:
            raise TransientError("timeout", f"no answer within {timeout_s:.0f} s") from error
        except (boto.EndpointConnectionError, boto.ConnectTimeoutError) as error:
            raise TransientError("connect", "no connection to the store") from error
        except (boto.IncompleteReadError, boto.ResponseStreamingError, aiohttp.ClientPayloadError) as error:
            raise TransientError("short_body", "a connection that broke off within an answer") from error
        except (boto.ChecksumError, boto.FlexibleChecksumError) as error:
            raise TransientError("checksum", "bytes that are not those of the store's checksum") from error
        except (boto.HTTPClientError, aiohttp.ClientError, ConnectionError) as error:
            raise TransientError("reset", "a connection that was reset") from error
        except boto.NoCredentialsError as error:
            raise UsageError(
                f"no AWS credentials were found for s3://{bucket}; {_SIGN_IN}; for a public bucket, "
                "--storage-options anon=true"
            ) from error
        except (boto.NoRegionError, boto.InvalidRegionError) as error:
            raise UsageError(f"no usable AWS region is set for s3://{bucket}; set AWS_DEFAULT_REGION") from error
        except boto.ProfileNotFound as error:
            raise UsageError(f"the AWS profile of AWS_PROFILE is not there; {_SIGN_IN}") from error
        except boto.ParamValidationError as error:
            raise UsageError(f"s3://{bucket} is no name that S3 takes for a bucket; check it") from error
        except ResponseParserError as error:
            raise TransientError("short_body", "an answer that cannot be read") from error
        except boto.BotoCoreError as error:  # of the credential providers: each has a class of its own
            if _is_credential_error(error):
                raise UsageError(
                    f"the AWS credentials for s3://{bucket} cannot be used ({type(error).__name__}); sign in again, for "
                    "example with: aws sso login"
                ) from error
            raise TransientError("connect", f"no answer ({type(error).__name__})") from error
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise  # a bug of ours
            raise _bad_options() from error  # which s3fs hands on to the session that it makes with the first request
        except OSError as error:
            raise _meaning(error, bucket) from error


def _bad_options() -> UsageError:
    return UsageError("s3:// cannot be opened with these --storage-options; give what s3fs.S3FileSystem takes")


def _meaning(error: OSError, bucket: str) -> Exception:
    """What an answer of the store means, which s3fs has made an OSError of."""
    response = getattr(error.__cause__, "response", None)
    if response is None:
        return TransientError("reset", f"a failure of the connection ({type(error).__name__})")
    code = _code(error)
    meta = response.get("ResponseMetadata", {})
    status, headers = int(meta.get("HTTPStatusCode", 0)), meta.get("HTTPHeaders", {})
    if code in ("NoSuchBucket",):
        return NoObjectError(no_bucket=True)
    if status == 404 or code in ("NoSuchKey", "404", "NoSuchUpload"):
        return NoObjectError()
    if status == 412 or code == "PreconditionFailed":
        return ConditionError()
    if status == 501 or code == "NotImplemented":
        return UnconditionalStoreError()
    if code in _EXPIRED:
        return UsageError(f"the AWS credentials for s3://{bucket} have expired; sign in again, or renew them")
    region = headers.get("x-amz-bucket-region")
    if code in _ELSEWHERE or status == 301 or (code == "AuthorizationHeaderMalformed" and region):
        there = f"region {region}" if region else "another region"
        return UsageError(
            f"the bucket s3://{bucket} lies in {there}; set AWS_DEFAULT_REGION{f'={region}' if region else ' to that'}"
        )
    if code == "RequestTimeTooSkewed":
        return UsageError("the clock of this machine is wrong by more than S3 accepts; set it")
    if code in _BAD_KEYS:
        return UsageError(f"s3://{bucket} does not accept the AWS credentials ({code}); {_SIGN_IN}")
    if code in _TRANSIENT:
        slow = code in ("SlowDown", "Throttling", "ThrottlingException", "ServiceUnavailable")
        return TransientError(str(status or code), f"HTTP {status} {code}", throttled=slow)
    if transient := status_error(
        status, "" if code.isdecimal() else code, {"Retry-After": headers.get("retry-after", "")}
    ):
        return transient
    if status == 403:
        return DeniedError(code)
    return UsageError(f"s3://{bucket} refuses the request (HTTP {status} {code}); check the bucket's name and options")


def _code(error: OSError) -> str:
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _is_credential_error(error: Exception) -> bool:
    words = ("Credential", "Token", "SSO", "Profile", "Login", "Auth", "Config")
    return any(word in type(error).__name__ for word in words)


def _match(condition: str | None) -> dict[str, str]:
    if condition is None:
        return {}
    return {"IfNoneMatch": "*"} if condition == ABSENT else {"IfMatch": condition}


def _facts(answer: Mapping[str, Any], size: int) -> ObjectFacts:
    """An ETag is the content's MD5 where the object came in one piece and no key of the customer's was used."""
    tag = str(answer["ETag"])
    plain = tag.strip('"')
    is_md5 = (
        len(plain) == 32
        and "aws:kms" not in answer.get("ServerSideEncryption", "")
        and "SSECustomerKeyMD5" not in answer
    )
    own = answer.get("Metadata", {}).get(MD5_KEY)
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    now: datetime | None = None if date is None else parsedate_to_datetime(date)
    return ObjectFacts(
        size=size,
        version=tag,
        md5=own or (plain if is_md5 else None),
        age_s=whole_age(now, answer.get("LastModified")),
    )


async def _read_up_to(body: Any, length: int) -> bytes:  # noqa: ANN401  # untyped
    parts: list[bytes] = []
    while length > 0 and (part := await body.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
