"""The calls of Compute Engine, Service Usage and Resource Manager that shardmill makes, as their references describe them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.dataproc_server.service import Service
from tests.dataproc_server.wire import ApiError

ROLES_PERMISSIONS: Final = frozenset(
    {
        "compute.regions.get",
        "dataproc.clusters.create",
        "dataproc.clusters.delete",
        "dataproc.clusters.get",
        "dataproc.clusters.list",
        "dataproc.jobs.cancel",
        "dataproc.jobs.create",
        "dataproc.jobs.get",
        "iam.serviceAccounts.actAs",
        "monitoring.timeSeries.list",
        "serviceusage.services.enable",
        "storage.buckets.create",
        "storage.objects.create",
        "storage.objects.get",
        "storage.objects.list",
    }
)


@dataclass
class Project:
    """What a project has; tests change it."""

    service: Service
    enabled: set[str] = field(
        default_factory=lambda: {
            f"{name}.googleapis.com"
            for name in ("dataproc", "compute", "storage", "monitoring", "cloudresourcemanager", "serviceusage")
        }
    )
    permissions: set[str] = field(default_factory=lambda: set(ROLES_PERMISSIONS))
    private_access: bool = True
    _being_enabled: set[str] = field(default_factory=set)

    def region(self, name: str) -> dict[str, Any]:
        if name != self.service.region:
            raise ApiError("NOT_FOUND", f"The resource 'projects/{self.service.project}/regions/{name}' was not found")
        self._needs("compute.regions.get")
        used = float(self.service.cores_in_use())
        quotas = [
            {"metric": "CPUS", "limit": float(self.service.cpus), "usage": used},
            {"metric": "DISKS_TOTAL_GB", "limit": 4096.0, "usage": 0.0},
            {"metric": "SSD_TOTAL_GB", "limit": 500.0, "usage": 0.0},
            {"metric": "LOCAL_SSD_TOTAL_GB", "limit": 6000.0, "usage": 0.0},
        ]
        return {"kind": "compute#region", "name": name, "status": "UP", "quotas": quotas}

    def subnetwork(self, name: str) -> dict[str, Any]:
        return {"kind": "compute#subnetwork", "name": name, "privateIpGoogleAccess": self.private_access}

    def services(self, names: list[str]) -> dict[str, Any]:
        prefix = f"projects/{self.service.project}/services/"
        answer = [
            {"name": name, "state": "ENABLED" if name.removeprefix(prefix) in self.enabled else "DISABLED"}
            for name in names
        ]
        return {"services": answer}

    def enable(self, names: list[str]) -> dict[str, Any]:
        self._needs("serviceusage.services.enable")
        self._being_enabled = set(names)
        return {"name": "operations/acf.enabling"}

    def enabling(self) -> dict[str, Any]:
        self.enabled |= self._being_enabled
        return {"name": "operations/acf.enabling", "done": True, "response": {}}

    def test_permissions(self, asked: list[str]) -> dict[str, Any]:
        return {"permissions": [permission for permission in asked if permission in self.permissions]}

    def _needs(self, permission: str) -> None:
        if permission not in self.permissions:
            raise ApiError("PERMISSION_DENIED", f"Required '{permission}' permission for the project")
