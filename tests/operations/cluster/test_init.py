from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shardmill.cli.main import main
from shardmill.errors import ClusterError, UsageError
from shardmill.operations.cluster.init import cluster_init
from shardmill.operations.doctor import Check, doctor
from tests.extras import needed

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.config import CloudConfig
from shardmill.clusters.dataproc.rest import GoogleRest
from tests.dataproc_server import DataprocServer
from tests.dataproc_server.wire import ApiError


@pytest.fixture
def account(dataproc: DataprocServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataprocServer]:
    """A project that is reached, and not configured yet."""
    for name, value in dataproc.environment.items():
        if not name.startswith("SHARDMILL_CLOUD_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHARDMILL_CLOUD_CONFIG", str(tmp_path / "config" / "cloud.json"))
    project = dataproc.project
    kept = (set(project.enabled), set(project.permissions), project.private_access, dataproc.service.cpus)
    yield dataproc
    project.enabled, project.permissions, project.private_access, dataproc.service.cpus = kept
    dataproc.faults.clear()


def words(server: DataprocServer, bucket: str) -> list[str]:
    place = ["--project", server.service.project, "--region", server.service.region, "--bucket", bucket]
    return ["cluster", "init", *place]


def statuses(printed: str) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(printed)["checks"]}


def test_from_nothing_to_ready(account: DataprocServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bucket = f"new-{uuid.uuid4().hex[:8]}"
    account.project.enabled -= {"dataproc.googleapis.com", "monitoring.googleapis.com"}
    config = tmp_path / "config" / "cloud.json"

    assert main(words(account, bucket)) == 1
    said = capsys.readouterr().out
    assert "gcloud services enable dataproc.googleapis.com monitoring.googleapis.com --project=test-project" in said
    assert f"gcloud storage buckets create gs://{bucket} --location=us-central1" in said
    assert "nothing was made; --apply makes: APIs, bucket, bucket's folder, and writes the configuration" in said
    assert not config.exists()
    assert "dataproc.googleapis.com" not in account.project.enabled

    assert main([*words(account, bucket), "--apply", "--json"]) == 0
    made = statuses(capsys.readouterr().out)
    assert [made[name] for name in ("APIs", "bucket", "bucket's folder")] == ["made"] * 3
    assert json.loads(config.read_text()) == {"project": "test-project", "region": "us-central1", "bucket": bucket}
    assert "shardmill/README.txt" in account.service.store.sizes(bucket)

    assert main(["cluster", "init", "--json"]) == 0  # configured now
    again = statuses(capsys.readouterr().out)
    assert set(again.values()) == {"ok"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("roles", "--role=roles/monitoring.viewer"),
        ("network", "--enable-private-ip-google-access"),
        ("CPU quota", "the smallest cluster with workers takes 6"),
    ],
)
def test_what_only_a_person_can_mend_comes_with_the_command(account: DataprocServer, name: str, words: str) -> None:
    account.project.permissions -= {"monitoring.timeSeries.list"}
    account.project.private_access = False
    account.service.cpus = 4
    result = cluster_init(project="test-project", region="us-central1", bucket=account.service.bucket)
    found = next(check for check in result.checks if check.name == name)
    assert (found.status, found.can_make) == ("missing", False)
    assert words in found.remedy
    assert not result.ready
    assert result.config is None


def test_what_may_not_be_looked_at_is_said_and_the_rest_is_looked_at(account: DataprocServer) -> None:
    account.project.permissions -= {"compute.regions.get"}
    result = cluster_init(project="test-project", region="us-central1", bucket=account.service.bucket)
    assert {check.name: check.status for check in result.checks}["CPU quota"] == "unknown"
    assert {check.name: check.status for check in result.checks}["APIs"] == "ok"


def test_wrong_requests(account: DataprocServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="name the project with --project"):
        cluster_init()
    with pytest.raises(UsageError, match="name the bucket with --bucket"):
        cluster_init(project="p", region="r")
    with pytest.raises(UsageError, match="without a folder"):
        cluster_init(project="p", region="r", bucket="gs://b/folder")
    monkeypatch.delenv("SHARDMILL_GOOGLE_ENDPOINT")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(UsageError, match="no Google credentials were found; sign in with: gcloud auth"):
        cluster_init(project="p", region="r", bucket="b")


def test_nothing_of_a_broken_key_is_shown(
    account: DataprocServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"type": "service_account", "private_key": "-----SECRET-----", "client_email": "x"}))
    monkeypatch.delenv("SHARDMILL_GOOGLE_ENDPOINT")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    assert main(words(account, "b")) == 2
    said = capsys.readouterr()
    assert "sign in with" in said.err
    assert "SECRET" not in said.err + said.out


def test_network_away(account: DataprocServer) -> None:
    rest = GoogleRest(CloudConfig("test-project", "us-central1", account.service.bucket), patience_s=0.5)
    account.faults.go_offline(30)
    with pytest.raises(ClusterError, match=r"could not be reached for 0\.5 s"):
        rest.region()


class TestDoctor:
    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in doctor().checks if check.name.startswith("Google")}

    def test_configured(self, account: DataprocServer, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("project", "region", "bucket"):
            monkeypatch.setenv(f"SHARDMILL_CLOUD_{name.upper()}", getattr(account.service, name, ""))
        monkeypatch.setenv("SHARDMILL_CLOUD_PROJECT", account.service.project)
        account.project.private_access = False
        checks = self.checks()
        assert checks["Google project"].value.startswith("test-project, us-central1, gs://cloud-")
        assert checks["Google APIs"].status == "ok"
        assert checks["Google CPU quota"].value.endswith("left in us-central1")
        assert (checks["Google network"].status, "gcloud" in checks["Google network"].remedy) == ("warn", True)

    def test_not_configured(self, account: DataprocServer) -> None:
        assert (self.checks()["Google project"].status, self.checks()["Google project"].value) == (
            "warn",
            "not configured",
        )
        assert "shardmill cluster init" in self.checks()["Google project"].remedy

    def test_refused(self, account: DataprocServer, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        account.faults.answers["BatchGetServices"] = [ApiError("PERMISSION_DENIED", "Permission denied")]
        assert self.checks()["Google APIs"].status == "warn"
