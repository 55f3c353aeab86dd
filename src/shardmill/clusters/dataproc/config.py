"""Which project, region and bucket to use: a small file, and variables that go before it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from shardmill.clusters.render import delete_command
from shardmill.errors import UsageError

CONFIG_VARIABLE: Final = "SHARDMILL_CLOUD_CONFIG"
"""Environment variable: where the file lies, instead of `$XDG_CONFIG_HOME/shardmill/cloud.json`."""

DATAPROC_ENDPOINT: Final = "SHARDMILL_DATAPROC_ENDPOINT"
"""Environment variable: URL of a server that speaks Dataproc's protocol; one with `http://` gets no credentials."""
GOOGLE_ENDPOINT: Final = "SHARDMILL_GOOGLE_ENDPOINT"
"""The same for Compute Engine, Service Usage and Resource Manager."""
MONITORING_ENDPOINT: Final = "SHARDMILL_MONITORING_ENDPOINT"
"""Environment variable: HOST:PORT of a server that speaks Cloud Monitoring's protocol, reached without TLS."""

_VARIABLE: Final = "SHARDMILL_CLOUD_"
_HOW: Final = "run `shardmill cluster init --project PROJECT --region REGION --bucket BUCKET --apply`, or set {}"


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """Where clusters are made. Holds no secret."""

    project: str
    region: str
    bucket: str
    """Name of the bucket for the package, the jobs and their logs; in `region`."""
    subnetwork: str | None = None
    """Name of a subnetwork of the region; None: the default one."""
    service_account: str | None = None
    """E-mail address of what the machines act as; None: Compute Engine's default account."""

    @property
    def root(self) -> str:
        """Everything of ours in the bucket lies below this URL."""
        return f"gs://{self.bucket}/shardmill"

    def delete_command(self, name: str) -> str:
        """What a person types to delete a cluster without us."""
        return delete_command(name, project=self.project, region=self.region)


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file lies, whether or not it does."""
    if given := environ.get(CONFIG_VARIABLE):
        return Path(given).expanduser()
    return Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "shardmill" / "cloud.json"


def read_settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What is configured, complete or not, by the names of `CloudConfig`'s fields.

    Raises:
        UsageError: the file is none of ours.
    """
    path, known = config_path(environ), [field.name for field in fields(CloudConfig)]
    settings: dict[str, str] = {}
    if path.is_file():
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read as JSON; delete it and run `shardmill cluster init`") from error
        unknown = sorted(set(content) - set(known)) if isinstance(content, dict) else [str(content)]
        if unknown:
            raise UsageError(f"{path} has the unknown entry {unknown[0]!r}; it may hold {', '.join(known)}")
        settings = {name: str(value) for name, value in content.items() if value is not None}
    return settings | {name: value for name in known if (value := environ.get(_VARIABLE + name.upper()))}


def read_config(environ: Mapping[str, str] = os.environ) -> CloudConfig:
    """The configuration.

    Raises:
        UsageError: something of it is missing.
    """
    settings = read_settings(environ)
    for name in ("project", "region", "bucket"):
        if name not in settings:
            raise UsageError(f"no cloud {name} is configured; " + _HOW.format(_VARIABLE + name.upper()))
    return CloudConfig(**settings)


def write_config(config: CloudConfig, environ: Mapping[str, str] = os.environ) -> Path:
    """Write the file, and say where."""
    path = config_path(environ)
    content = {name: value for name, value in asdict(config).items() if value is not None}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        scratch.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}. Set {CONFIG_VARIABLE} to another place.") from error
    return path
