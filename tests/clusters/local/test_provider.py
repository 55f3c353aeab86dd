from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shardmill.clusters.base import Cluster, ClusterSpec, Job, running
from shardmill.clusters.local.daemons import worker_host, workers_alive
from shardmill.clusters.local.folder import (
    STATE_VARIABLE,
    ClusterFolder,
    find_ended,
    home,
    read_properties,
    write_properties,
)
from shardmill.clusters.local.leash import end_tree
from shardmill.clusters.local.provider import LocalProvider
from shardmill.errors import ClusterError, UsageError
from tests.clusters.conformance import ProviderConformance
from tests.spark_cluster import local_spec

MAKER = Path(__file__).with_name("maker.py")
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("state")
        patch.setenv(STATE_VARIABLE, str(path))
        yield path


@pytest.fixture(scope="module")
def provider(state_home: Path) -> LocalProvider:
    return LocalProvider()


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return local_spec("2x1", workers=2, memory_mb=700)


@pytest.fixture(scope="module")
def cluster(provider: LocalProvider, spec: ClusterSpec) -> Iterator[Cluster]:
    with running(provider, spec, "shared") as cluster:
        yield cluster


def until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def processes_of(folder: ClusterFolder) -> list[psutil.Process]:
    """Every process of the cluster in `folder`, Spark's executors included: each names the folder or its master."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if process.pid != os.getpid() and str(folder.path) in words + process.environ().get("SPARK_LOCAL_DIRS", ""):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.spark
@pytest.mark.slow
class TestLocalProvider(ProviderConformance):
    def test_listens_on_loopback_only(self, provider: LocalProvider, cluster: Cluster, tmp_path: Path) -> None:
        app = tmp_path / "app.py"
        app.write_text(
            "from pyspark import SparkContext\nimport time\nSparkContext().parallelize([1]).count()\n"
            "print('ran', flush=True)\ntime.sleep(30)\n"
        )
        addresses: set[str] = set()

        def look(text: str) -> None:
            if "ran" in text:
                root = psutil.Process(os.getpid())
                for process in (root, *root.children(recursive=True)):
                    connections = process.net_connections("inet")
                    addresses.update(str(each.laddr.ip) for each in connections if each.status == psutil.CONN_LISTEN)
                provider.cancel(cluster, "listening")

        outcome = provider.submit(cluster, Job("listening", (), app=str(app)), look)
        assert outcome.state == "cancelled"
        assert len(addresses) > 2
        assert all(address.startswith(("127.", "::ffff:127.")) for address in addresses), addresses

    @pytest.mark.parametrize("secret", [None, "guessed"])
    def test_application_without_the_secret_is_refused(
        self, cluster: Cluster, tmp_path: Path, secret: str | None
    ) -> None:
        app = tmp_path / "stranger.py"
        app.write_text("from pyspark import SparkContext\nprint('sum', SparkContext().parallelize([1]).sum())\n")
        folder = ClusterFolder(home() / cluster.name)
        settings = {key: value for key, value in read_properties(folder.settings).items() if "authenticate" not in key}
        if secret is not None:
            settings |= {"spark.authenticate": "true", "spark.authenticate.secret": secret}
        write_properties(tmp_path / "stranger.conf", settings)
        said = ""
        with spark_submit(cluster, tmp_path / "stranger.conf", app) as driver:  # it would try again for a minute
            assert driver.stdout is not None
            while line := driver.stdout.readline():
                said += line
                if "Failed to connect to master" in line:
                    break
            end_tree([psutil.Process(driver.pid)])
            driver.communicate()
        assert "Failed to connect to master" in said
        assert "sum 1" not in said

    def test_secret_is_in_no_log_argument_or_error(
        self, provider: LocalProvider, cluster: Cluster, tmp_path: Path
    ) -> None:
        folder = ClusterFolder(home() / cluster.name)
        secret = read_properties(folder.settings)["spark.authenticate.secret"]
        app = tmp_path / "app.py"
        app.write_text(
            "from pyspark import SparkContext\nSparkContext().parallelize([1]).count()\n"
            "print('ran', flush=True)\nraise SystemExit('failed on purpose')\n"
        )
        arguments: list[str] = []

        def look(text: str) -> None:
            if "ran" in text:
                for process in psutil.process_iter():
                    try:
                        arguments.append(" ".join(process.cmdline()))
                    except psutil.Error:
                        continue

        outcome = provider.submit(cluster, Job("secretive", (), app=str(app)), look)
        assert outcome.state == "failed"
        assert "failed on purpose" in outcome.error
        assert arguments
        assert not any(secret in line for line in arguments)
        assert secret not in json.dumps(folder.read_state()) + outcome.error + str(provider.get(cluster.name))
        with_secret = {
            path.name for path in folder.path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
        }
        assert with_secret == {"application.conf", "daemon.conf"}
        assert all((folder.path / name).stat().st_mode & 0o077 == 0 for name in with_secret)

    def test_two_at_once(self, provider: LocalProvider, cluster: Cluster) -> None:
        with running(provider, local_spec(workers=1), "second") as second:
            assert workers_alive(second.address) == 1
            assert workers_alive(cluster.address) == 2
            assert second.address != cluster.address
        ended = find_ended("second")
        assert ended is not None
        assert not ended.settings.exists()
        assert processes_of(ClusterFolder(home() / "second")) == []


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("when", ["at once", "ready"])
def test_nothing_outlives_a_killed_maker(state_home: Path, when: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    maker = subprocess.Popen([sys.executable, MAKER, when], stdout=subprocess.PIPE, env=environment)
    assert maker.stdout is not None
    assert maker.stdout.readline() == b"made\n"
    folder = ClusterFolder(home() / "orphan")
    until(lambda: bool(processes_of(folder)), "no process of the cluster was seen")
    maker.kill()
    maker.communicate()
    until(lambda: not processes_of(folder), "processes outlived their maker by 10 s", timeout_s=10)
    assert "orphan" not in [cluster.name for cluster in LocalProvider().find()]
    assert find_ended("orphan") is not None


@pytest.mark.spark
@pytest.mark.slow
def test_nothing_outlives_a_killed_supervisor(provider: LocalProvider) -> None:
    with running(provider, local_spec(workers=1), "headless") as cluster:
        folder = ClusterFolder(home() / cluster.name)
        supervisor = folder.supervisor()
        assert supervisor is not None
        supervisor.kill()
        until(lambda: not processes_of(folder), "processes outlived their supervisor by 10 s", timeout_s=10)
        with pytest.raises(ClusterError, match="runs no longer"):
            provider.submit(cluster, Job("late", ("doctor",)), lambda text: None)


@pytest.mark.spark
@pytest.mark.slow
def test_detached_cluster_lives_until_its_limit(state_home: Path) -> None:
    spec = replace(local_spec(workers=1), max_age_s=25)
    code = (
        "from shardmill.clusters.local.provider import LocalProvider\nfrom tests.spark_cluster import local_spec\n"
        "from dataclasses import replace\nprovider = LocalProvider()\n"
        "provider.create(replace(local_spec(workers=1), max_age_s=25), 'left', detached=True)\n"
        "provider.wait_ready('left', 90)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    cluster = next(cluster for cluster in LocalProvider().find() if cluster.name == "left")
    assert (cluster.state, cluster.spec) == ("ready", spec)
    folder = ClusterFolder(home() / "left")
    until(lambda: not processes_of(folder), "the cluster outlived its limit", timeout_s=40)
    assert folder.read_state()["reason"] == "it was 25 s old"


def test_what_cannot_be_made_is_said_before(provider: LocalProvider) -> None:
    assert provider.objections(local_spec()) == []
    wrong = local_spec(workers=0, cores=0, memory_mb=100)
    assert [word in " ".join(provider.objections(wrong)) for word in ("workers", "core", "600 MB")] == [True] * 3
    assert "more than this machine's" in provider.objections(local_spec(workers=100, memory_mb=10**6))[0]
    with pytest.raises(UsageError, match="cannot be made"), running(provider, wrong, "wrong"):
        pass
    assert not (home() / "wrong").exists()


def test_hosts_of_many_workers_differ() -> None:
    assert len({worker_host(number) for number in range(600)}) == 600
    assert worker_host(0) == "127.0.0.2"
    assert worker_host(254) == "127.0.1.0"


def test_properties_file_brings_any_text_back(tmp_path: Path) -> None:
    settings = {"spark.a b:c=d": " leading, trailing ", "spark.x": "back\\slash\nline\ttab ü 😀", "spark.e": ""}
    write_properties(tmp_path / "x.conf", settings)
    assert read_properties(tmp_path / "x.conf") == settings
    assert (tmp_path / "x.conf").stat().st_mode & 0o777 == 0o600


def spark_submit(cluster: Cluster, properties: Path, app: Path) -> subprocess.Popen[str]:
    import pyspark

    environment = {
        **os.environ,
        "JAVA_HOME": cluster.facts["java"],
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [str(Path(pyspark.__file__).parent / "bin/spark-submit"), "--master", cluster.facts["master"]]
    command += ["--properties-file", str(properties), str(app)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
