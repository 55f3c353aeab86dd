"""`shardmill cluster init`: what a Google Cloud project lacks for clusters, and where asked, made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from shardmill.arguments import checked
from shardmill.clusters.dataproc.config import CloudConfig, read_settings, write_config
from shardmill.errors import MissingExtraError, UsageError

InitStatus = Literal["ok", "made", "missing", "unknown"]

_REQUIRED: Final = ("project", "region", "bucket")


@dataclass(frozen=True, slots=True)
class InitCheck:
    """One thing that clusters need."""

    name: str
    status: InitStatus
    """`made`: it was missing, and is there now; `unknown`: it could not be looked at."""
    value: str
    remedy: str
    """What to do; empty where there is nothing to do."""
    can_make: bool
    """Missing, and `apply` makes it."""


@dataclass(frozen=True, slots=True)
class ClusterInitResult:
    """What was found, and what was made of it."""

    project: str
    region: str
    bucket: str
    checks: tuple[InitCheck, ...]
    config: str | None
    """The file that was written; None without `apply`."""

    @property
    def ready(self) -> bool:
        """Nothing is missing."""
        return all(check.status != "missing" for check in self.checks)


@checked
def cluster_init(
    *,
    project: str | None = None,
    region: str | None = None,
    bucket: str | None = None,
    subnetwork: str | None = None,
    service_account: str | None = None,
    apply: bool = False,
) -> ClusterInitResult:
    """Look at what a Google Cloud project needs for clusters: APIs, roles, a bucket, a network, a quota.

    Without --apply nothing is made or written. What was configured before, or is set by variables
    (SHARDMILL_CLOUD_PROJECT and so on), stands where an argument is left out.

    Args:
        project: Id of the project.
        region: Where the clusters are to be, such as europe-west4.
        bucket: Name of a bucket in that region, for the package, the jobs and their logs.
        subnetwork: Of the region, for the machines; by default the one called default.
        service_account: E-mail address of the account that the machines act as; by default Compute Engine's own.
        apply: Make what is missing and can be made, and write the configuration.

    Returns:
        What was found.

    Raises:
        UsageError: no project, region or bucket is named, or there are no credentials.
        MissingExtraError: Google's packages are not installed.
        ClusterError: Google cannot be reached.
    """
    config = _configured(project, region, bucket, subnetwork, service_account)
    checks = tuple(_checks(config, apply=apply))
    written = str(write_config(config)) if apply else None
    return ClusterInitResult(config.project, config.region, config.bucket, checks, written)


def lines(result: ClusterInitResult) -> Iterator[str]:
    """The result as aligned text, a remedy under each line that needs one, and what to do next."""
    width = max(len(check.name) for check in result.checks)
    for check in result.checks:
        yield f"{check.status:<7}  {check.name:<{width}}  {check.value}"
        if check.remedy and check.status != "made":
            yield f"{'':<{width + 11}}{check.remedy}"
    if result.config is not None:
        yield f"written to {result.config}"
    elif any(check.can_make for check in result.checks):
        names = ", ".join(check.name for check in result.checks if check.can_make)
        yield f"nothing was made; --apply makes: {names}, and writes the configuration"
    else:
        yield "nothing was made; --apply writes the configuration"


def _configured(
    project: str | None, region: str | None, bucket: str | None, subnetwork: str | None, service_account: str | None
) -> CloudConfig:
    given = {
        "project": project,
        "region": region,
        "bucket": None if bucket is None else bucket.removeprefix("gs://").strip("/"),
        "subnetwork": subnetwork,
        "service_account": service_account,
    }
    settings = read_settings() | {name: value for name, value in given.items() if value}
    for name in _REQUIRED:
        if name not in settings:
            raise UsageError(f"name the {name} with --{name}: none is configured yet")
    if "/" in settings["bucket"]:
        raise UsageError(f"--bucket is {settings['bucket']!r}; it takes the name of a bucket, without a folder")
    return CloudConfig(**settings)


def _checks(config: CloudConfig, *, apply: bool) -> Iterator[InitCheck]:
    try:
        from shardmill.clusters.dataproc.project import look
        from shardmill.clusters.dataproc.rest import GoogleRest
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("shardmill"):
            raise
        raise MissingExtraError(
            f"clusters of Google need the package {error.name}; install it with: pip install 'shardmill[gcp]'"
        ) from error
    for finding in look(config, GoogleRest(config)):
        if finding.ok is False and apply and finding.make is not None:
            finding.make()
            yield InitCheck(finding.name, "made", finding.made, "", can_make=False)
        else:
            status: InitStatus = "ok" if finding.ok else "unknown" if finding.ok is None else "missing"
            yield InitCheck(
                finding.name,
                status,
                finding.value,
                finding.remedy,
                can_make=finding.make is not None and not finding.ok,
            )
