from pathlib import Path

import pytest
from shardmill_host import HostProvider

from shardmill.clusters.base import ClusterSpec, Job, NodeSpec, check, running
from shardmill.errors import UsageError

HOST = NodeSpec("host", cores=1, memory_mb=1000)
SPEC = ClusterSpec("here", "host", worker=HOST, workers=0, master=HOST)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_job_runs_once_and_is_measured() -> None:
    provider = HostProvider()
    job = Job("doctor-1", ("doctor",))
    with running(provider, SPEC, "here") as cluster:
        outcome = provider.submit(cluster, job, print)
        assert (outcome.state, outcome.exit_code) == ("done", 0)
        assert outcome.result is not None
        assert provider.submit(cluster, job, print) == outcome
        (sample,) = provider.usage(cluster, outcome.started_at, outcome.finished_at)
        assert sample.cpu_s > 0
    assert provider.find() == []


def test_a_job_out_of_time_is_ended(tmp_path: Path) -> None:
    (tmp_path / "sleep.py").write_text("import time; time.sleep(600)")
    provider = HostProvider()
    with running(provider, SPEC, "here") as cluster:
        job = Job("sleep", (), app=str(tmp_path / "sleep.py"), timeout_s=1)
        assert provider.submit(cluster, job, print).state == "cancelled"


def test_what_a_host_cannot_be_is_told() -> None:
    with pytest.raises(UsageError, match="set workers to 0"):
        check(HostProvider(), ClusterSpec("two", "host", worker=HOST, workers=2, master=HOST))
