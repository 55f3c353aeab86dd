"""What a project must have before a cluster can be made in it: looked at, and where asked, made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.dataproc.quotas import left_of
from shardmill.clusters.dataproc.rest import GoogleRest
from shardmill.clusters.dataproc.sentences import QUOTAS_PAGE
from shardmill.errors import UsageError
from shardmill.storage.open import open_store
from shardmill.units import format_count

APIS: Final = (
    "compute.googleapis.com",
    "dataproc.googleapis.com",
    "monitoring.googleapis.com",
    "storage.googleapis.com",
)
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "roles/dataproc.editor": (
        "dataproc.clusters.create",
        "dataproc.clusters.delete",
        "dataproc.clusters.get",
        "dataproc.clusters.list",
        "dataproc.jobs.cancel",
        "dataproc.jobs.create",
        "dataproc.jobs.get",
    ),
    "roles/compute.viewer": ("compute.regions.get",),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs",),
    "roles/monitoring.viewer": ("monitoring.timeSeries.list",),
    "roles/storage.objectAdmin": ("storage.objects.create", "storage.objects.get", "storage.objects.list"),
}
"""The roles that a user of clusters needs, and the permissions of each that are used."""

SMALLEST_VCPUS: Final = 6
"""Of the smallest cluster with workers: a master and two of 2 vCPUs."""

_README: Final = "README.txt"
_ABOUT: Final = b"""\
Made by shardmill, which keeps here what its clusters need.

wheels/  the package, for the machines of clusters to install; what no cluster uses any longer can be deleted
jobs/    scripts, results and event logs of jobs, by cluster; can be deleted once the clusters are gone
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool | None
    """None: it could not be looked at."""
    value: str
    remedy: str = ""
    """What to do, empty where it is ok."""
    make: Callable[[], None] | None = None
    """Mends it; None where only a person can."""
    made: str = ""
    """What there is once it is made."""


def look(config: CloudConfig, rest: GoogleRest) -> Iterator[Finding]:
    """Everything, each finding as soon as it is known."""
    checks: tuple[tuple[str, Callable[[CloudConfig, GoogleRest], Finding]], ...] = (
        ("APIs", _apis),
        ("roles", _roles),
        ("bucket", _bucket),
        ("bucket's folder", _folder),
        ("network", _network),
        ("CPU quota", _quota),
    )
    for name, check in checks:
        try:
            yield check(config, rest)
        except UsageError as error:
            yield Finding(name, None, "could not be looked at", str(error))


def _apis(config: CloudConfig, rest: GoogleRest) -> Finding:
    missing = sorted(set(APIS) - rest.enabled_services(list(APIS)))
    if not missing:
        return Finding("APIs", True, f"{len(APIS)} enabled")
    remedy = f"gcloud services enable {' '.join(missing)} --project={config.project}"
    return Finding(
        "APIs",
        False,
        f"not enabled: {', '.join(missing)}",
        remedy,
        partial(rest.enable_services, missing),
        "enabled: " + ", ".join(missing),
    )


def _roles(config: CloudConfig, rest: GoogleRest) -> Finding:
    wanted = sorted(permission for permissions in ROLES.values() for permission in permissions)
    missing = set(wanted) - rest.permissions(wanted)
    roles = [role for role, permissions in ROLES.items() if missing & set(permissions)]
    if not roles:
        return Finding("roles", True, f"all {len(wanted)} permissions that are needed")
    commands = "; ".join(
        f"gcloud projects add-iam-policy-binding {config.project} --member=user:YOUR_ADDRESS --role={role}"
        for role in roles
    )
    return Finding("roles", False, f"missing: {', '.join(sorted(missing))}", f"have an owner run: {commands}")


def _bucket(config: CloudConfig, rest: GoogleRest) -> Finding:
    location = rest.bucket_location()
    if location is None:
        remedy = (
            f"gcloud storage buckets create gs://{config.bucket} --location={config.region} --project={config.project} "
            "--uniform-bucket-level-access"
        )
        return Finding(
            "bucket",
            False,
            f"gs://{config.bucket} is not there",
            remedy,
            rest.make_bucket,
            f"gs://{config.bucket} in {config.region}",
        )
    value = f"gs://{config.bucket} in {location.lower()}"
    if location.lower() == config.region:
        return Finding("bucket", True, value)
    return Finding("bucket", False, value, f"name one in {config.region}: data that leaves its region is paid for")


def _folder(config: CloudConfig, rest: GoogleRest) -> Finding:
    store = open_store(config.root)
    if rest.bucket_location() is not None and store.size(_README) is not None:
        return Finding("bucket's folder", True, config.root)

    def make() -> None:
        with store.publish(_README) as file:
            file.write(_ABOUT)

    return Finding("bucket's folder", False, f"{config.root} is not there", "--apply makes it", make, config.root)


def _network(config: CloudConfig, rest: GoogleRest) -> Finding:
    name = (config.subnetwork or "default").rpartition("/")[2]
    if rest.subnetwork(name).get("privateIpGoogleAccess"):
        return Finding("network", True, f"subnetwork {name}, with Private Google Access")
    remedy = (
        f"gcloud compute networks subnets update {name} --region={config.region} --project={config.project} "
        "--enable-private-ip-google-access"
    )
    return Finding(
        "network", False, f"subnetwork {name} has no Private Google Access: machines reach no bucket", remedy
    )


def _quota(config: CloudConfig, rest: GoogleRest) -> Finding:
    left = left_of(rest.region()).get("CPUS")
    if left is None:
        return Finding("CPU quota", None, "not told", f"look at {QUOTAS_PAGE}")
    value = f"{format_count(int(left), 'vCPU')} left in {config.region}"
    if left >= SMALLEST_VCPUS:
        return Finding("CPU quota", True, value)
    return Finding(
        "CPU quota",
        False,
        value,
        f"the smallest cluster with workers takes {SMALLEST_VCPUS}: delete other machines, or ask for more at {QUOTAS_PAGE}",
    )
