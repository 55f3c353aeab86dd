"""What the service refuses, loses and breaks: each ends in one sentence, and with nothing left that is paid for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shardmill.cli.main import main
from shardmill.clusters.base import Job, NodeSpec, running
from shardmill.errors import ClusterError, ShardmillError, UsageError
from tests.clusters.dataproc.shapes import dataproc_spec
from tests.extras import needed
from tests.stores import free_port

needed("google.cloud.dataproc_v1")

from shardmill.clusters.dataproc.provider import DataprocProvider
from tests.dataproc_server import DataprocServer
from tests.dataproc_server.faults import STOCK_OUT
from tests.dataproc_server.wire import ApiError

MAKER = Path(__file__).with_name("maker.py")
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def name(server: DataprocServer) -> Iterator[str]:
    """Of a cluster that no other test has; it must be gone at the end."""
    name = f"c-{uuid.uuid4().hex[:8]}"
    yield name
    server.faults.clear()
    assert name not in server.names()


def left(server: DataprocServer, name: str) -> bool:
    return name in server.names()


def until_gone(server: DataprocServer, name: str) -> None:
    """The server needs a moment for what is due."""
    deadline = time.monotonic() + 20
    while left(server, name):
        assert time.monotonic() < deadline, f"{name} outlived its limit"
        time.sleep(0.05)


class TestCreation:
    @pytest.mark.parametrize(
        ("status", "said", "kind", "words"),
        [
            ("PERMISSION_DENIED", "Permission 'dataproc.clusters.create' denied", UsageError, "names the roles"),
            (
                "PERMISSION_DENIED",
                (
                    "Cloud Dataproc API has not been used in project 1 before or it is disabled. Enable it by visiting "
                    "https://console.developers.google.com/apis/api/dataproc.googleapis.com/overview"
                ),
                UsageError,
                "gcloud services enable dataproc.googleapis.com",
            ),
            ("UNAUTHENTICATED", "Request had invalid authentication credentials.", UsageError, "sign in with: gcloud"),
            ("RESOURCE_EXHAUSTED", "Quota 'CPUS' exceeded. Limit: 8.0 in region us-central1.", UsageError, "quotas"),
            ("NOT_FOUND", "The resource 'subnetworks/x' was not found", UsageError, "'subnetworks/x' was not found."),
            # As in github.com/GoogleCloudPlatform/python-docs-samples/issues/13456.
            ("ABORTED", "Insufficient 'N2_CPUS' quota. Requested 12.0, available 0.0.", UsageError, "quota of project"),
            ("FAILED_PRECONDITION", "The project is being deleted", UsageError, "is being deleted."),
            ("INVALID_ARGUMENT", "Subnetwork 'x' does not support Private Google Access", UsageError, "Subnetwork"),
        ],
    )
    def test_refusals_are_told_in_a_sentence(
        self,
        server: DataprocServer,
        provider: DataprocProvider,
        name: str,
        status: str,
        said: str,
        kind: type[ShardmillError],
        words: str,
    ) -> None:
        server.faults.answers["CreateCluster"] = [ApiError(status, said)] * 30
        with pytest.raises(kind) as caught:
            provider.create(dataproc_spec(), name)
        assert words in str(caught.value)
        assert f"cannot create cluster {name}" in str(caught.value)
        assert "http://" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_quota_that_the_service_finds_exceeded(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        large = replace(dataproc_spec(), worker=NodeSpec("n1-standard-16", 16, 60000, "pd-standard", 100))
        with pytest.raises(
            UsageError, match=r"quota of project .* in us-central1 does not suffice \(Insufficient 'CPUS'"
        ):
            provider.create(large, name)

    def test_stock_out_is_told_and_what_it_left_is_deleted(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        server.faults.creation = STOCK_OUT
        provider.create(dataproc_spec(), name)
        with pytest.raises(ClusterError, match=r"no such machines free there now .*another zone") as caught:
            provider.wait_ready(name)
        assert "deleted again" in str(caught.value)
        assert not left(server, name)

    def test_stock_out_seen_by_another_process(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        server.faults.creation = STOCK_OUT
        provider.create(dataproc_spec(), name)
        with pytest.raises(ClusterError, match="another zone"):
            DataprocProvider(patience_s=4.0).wait_ready(name)
        assert not left(server, name)

    def test_script_that_fails_on_a_machine(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        server.faults.creation = "Initialization action failed. Failed action 'gs://b/install.sh'"
        provider.create(dataproc_spec(), name)
        with pytest.raises(ClusterError, match="Initialization action failed"):
            provider.wait_ready(name)
        assert not left(server, name)

    def test_name_that_is_taken_by_another_shape(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        with running(provider, dataproc_spec(), name):
            with pytest.raises(UsageError, match="is there already"):
                provider.create(dataproc_spec(workers=3), name)
            assert left(server, name)

    def test_creation_whose_answer_is_lost_makes_one_cluster(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        server.faults.lost_answers["CreateCluster"] = 2
        before = server.service.calls["CreateCluster"]
        with running(provider, dataproc_spec(), name) as cluster:
            assert server.service.calls["CreateCluster"] == before + 3
            assert [found.name for found in provider.find() if found.name == name] == [cluster.name]

    def test_exception_while_it_is_made_deletes_it(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        not_ready = pytest.raises(ClusterError, match="not ready within 0 s")
        with not_ready, running(provider, dataproc_spec(), name, timeout_s=0.0):
            pass
        assert not left(server, name)


class TestNetwork:
    def test_is_waited_for(self, server: DataprocServer, provider: DataprocProvider, name: str) -> None:
        with running(provider, dataproc_spec(), name):
            server.faults.go_offline(1.0)
            assert provider.get(name).state == "ready"

    def test_that_stays_away_ends_in_the_command_to_delete(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        impatient = DataprocProvider(patience_s=0.6)
        with pytest.raises(ClusterError) as caught, running(impatient, dataproc_spec(), name):
            server.faults.go_offline(60.0)
        assert f"gcloud dataproc clusters delete {name} --project=test-project --region=us-central1" in str(
            caught.value
        )
        assert "could not be reached for 0.01 minutes" in str(caught.value)
        server.faults.clear()
        assert [cluster.name for cluster in provider.find() if cluster.name == name] == [name]
        server.clock.advance(dataproc_spec().idle_delete_s + 60)  # nobody came back: the server's limit
        until_gone(server, name)

    def test_bucket_that_stays_away_ends_in_the_command_to_delete(
        self, server: DataprocServer, provider: DataprocProvider, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        impatient = DataprocProvider(patience_s=1.0)
        with running(provider, dataproc_spec(), name) as cluster:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
            with pytest.raises(ClusterError) as caught:
                impatient.submit(cluster, Job("unheard", ("doctor",)), lambda text: None)
        assert "job unheard" in str(caught.value)
        assert provider.delete_command(name) in str(caught.value)


class TestLimits:
    @pytest.mark.parametrize("limit", ["idle", "age"])
    def test_server_ends_the_cluster_by_itself(
        self, server: DataprocServer, provider: DataprocProvider, name: str, limit: str
    ) -> None:
        spec = replace(dataproc_spec(), idle_delete_s=600, max_age_s=900)
        if limit == "age":
            spec = replace(spec, idle_delete_s=7200)
        provider.create(spec, name, detached=True)
        provider.wait_ready(name)
        server.clock.advance(500)
        assert left(server, name)
        server.clock.advance(120 if limit == "idle" else 420)
        until_gone(server, name)

    @pytest.mark.parametrize("when", ["at once", "ready"])
    def test_cluster_of_a_killed_maker_is_named_and_ends(
        self,
        server: DataprocServer,
        provider: DataprocProvider,
        name: str,
        when: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        maker = subprocess.Popen([sys.executable, MAKER, name, when], stdout=subprocess.PIPE, env=environment)
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"made\n"
        maker.send_signal(signal.SIGKILL)
        maker.communicate()
        found = next(cluster for cluster in DataprocProvider().find() if cluster.name == name)
        assert found.expires_at - found.created_at == 1200
        assert main(["cluster", "list", "--provider", "dataproc"]) == 0
        listed = capsys.readouterr().out
        assert name in listed
        assert f"gcloud dataproc clusters delete {name} --project=test-project --region=us-central1 --quiet" in listed
        provider.wait_ready(name)
        server.clock.advance(660)
        until_gone(server, name)


class TestDeletion:
    def test_of_a_cluster_of_others_is_refused(self, server: DataprocServer, provider: DataprocProvider) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import dataproc_v1

        client = dataproc_v1.ClusterControllerClient(
            transport="rest", client_options={"api_endpoint": server.url}, credentials=AnonymousCredentials()
        )
        place = {"project_id": server.service.project, "region": server.service.region}
        group = {"num_instances": 2, "machine_type_uri": "n1-standard-2"}
        theirs = {
            "cluster_name": "theirs",
            "config": {"worker_config": group, "master_config": group | {"num_instances": 1}},
        }
        made = client.create_cluster(request={**place, "cluster": theirs})
        assert made.result(timeout=30).cluster_name == "theirs"
        with pytest.raises(UsageError, match="not made by shardmill"):
            provider.delete("theirs")
        with pytest.raises(UsageError, match="not made by shardmill"):
            provider.get("theirs")
        assert "theirs" not in [cluster.name for cluster in provider.find()]
        assert "theirs" in server.names()
        client.delete_cluster(request={**place, "cluster_name": "theirs"}).result(timeout=30)
        assert "theirs" not in server.names()

    def test_of_one_that_is_being_deleted_waits_for_it(
        self, server: DataprocServer, provider: DataprocProvider, name: str
    ) -> None:
        provider.create(dataproc_spec(), name)
        cluster = provider.wait_ready(name)
        with server.service.lock:
            server.service.clusters[name].delete()
        provider.delete(name)
        assert not left(server, name)
        assert cluster.name == name

    def test_whose_answer_is_lost(self, server: DataprocServer, provider: DataprocProvider, name: str) -> None:
        provider.create(dataproc_spec(), name)
        server.faults.lost_answers["DeleteCluster"] = 1
        provider.delete(name)
        assert not left(server, name)


@pytest.mark.spark
@pytest.mark.slow
def test_cluster_that_dies_while_a_job_runs(
    server: DataprocServer, provider: DataprocProvider, name: str, tmp_path: Path
) -> None:
    app = tmp_path / "app.py"
    app.write_text("import time\nprint('begun', flush=True)\ntime.sleep(300)\n")

    def kill(text: str) -> None:
        if "begun" in text:
            threading.Thread(target=server.service.kill, args=(name,)).start()

    with running(provider, dataproc_spec(), name) as cluster:
        outcome = provider.submit(cluster, Job("doomed", (), app=str(app)), kill)
        assert outcome.state == "lost"
        assert outcome.error
        assert provider.get(name).state == "broken"
        with pytest.raises(ClusterError, match="runs no longer"):
            provider.submit(cluster, Job("late", (), app=str(app)), kill)
