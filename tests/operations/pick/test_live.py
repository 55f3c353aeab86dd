from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from shardmill import registry
from shardmill.clusters.base import ClusterSpec
from shardmill.errors import ClusterError, ResumableError, UsageError
from shardmill.operations.pick.live import ClusterRunner, shape_of
from shardmill.operations.pick.run import pick
from shardmill.registry import Plugin
from shardmill.search.base import Goal, Problem
from shardmill.search.experience import make_strategy
from shardmill.search.loop import Limits, search
from shardmill.sweep.budget import Budget
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.request import SweepRequest
from tests.clusters.imagined import CREATION_S, DELETION_S, ImaginedCloud, shape
from tests.operations.sweep.maker import maker, price, request

SHAPES = [
    shape(f"{workers}x{cores}", workers=workers, cores=cores, usd_per_hour=0.05 * cores * workers)
    for cores in (2, 4, 8)
    for workers in (1, 2, 4, 8)
]


def seconds(spec: ClusterSpec) -> float:
    return 4000 / spec.task_cores + 200 + 20 * spec.workers


def runner_on(cloud: ImaginedCloud, folder: Path, asked: SweepRequest | None = None) -> ClusterRunner:
    asked = asked or request(*SHAPES)
    return ClusterRunner(asked, maker(folder, cloud, asked), price)


def test_a_live_search_finds_the_cheapest_and_leaves_nothing_running(tmp_path: Path) -> None:
    cloud = ImaginedCloud(seconds)
    runner = runner_on(cloud, tmp_path)
    problem = Problem(runner.shapes)
    strategy = make_strategy("shardmill", problem, 0, Goal())
    *_, last = search(problem, strategy, runner, Limits())
    costs = [seconds(spec) * (spec.usd_per_hour or 0) for spec in SHAPES]
    assert last.best is not None
    assert costs[last.best.shape] <= 1.1 * min(costs)
    assert len(last.trials) < len(costs)
    assert (cloud.clusters, cloud.most) == ({}, 1)


def test_set_up_is_paid_for_but_not_judged(tmp_path: Path) -> None:
    runner = runner_on(ImaginedCloud(seconds), tmp_path)
    trial = runner.run(0)
    assert trial.runtime_s == pytest.approx(seconds(SHAPES[0]))
    paid = (trial.runtime_s or 0) + CREATION_S + DELETION_S
    assert runner.paid_usd(trial) == pytest.approx(paid / 3600 * 0.1)
    assert runner.shapes[0].usd_per_s * 3600 == pytest.approx(0.1)


def test_limits_failures_and_losses(tmp_path: Path) -> None:
    cut = runner_on(ImaginedCloud(seconds), tmp_path / "cut").run(0, limit_s=100.0)
    assert (cut.outcome, cut.runtime_s) == ("cut", 100.0)
    failed = runner_on(ImaginedCloud(seconds, "failed"), tmp_path / "failed").run(0)
    assert failed.outcome == "failed"
    lost = ImaginedCloud(seconds, "lost")
    with pytest.raises(ResumableError, match="run the same command"):
        runner_on(lost, tmp_path / "lost").run(0)
    assert lost.clusters == {}


def test_a_cluster_that_cannot_be_made_ends_the_search_and_leaves_nothing(tmp_path: Path) -> None:
    cloud = ImaginedCloud(seconds)
    cloud.sold_out.add(SHAPES[3].name)
    with pytest.raises(ResumableError, match="another zone"):
        runner_on(cloud, tmp_path).run(3)
    assert cloud.clusters == {}
    assert math.isfinite(cloud.now)


def test_shapes_differ_by_partitions_and_need_a_price(tmp_path: Path) -> None:
    runner = runner_on(ImaginedCloud(seconds), tmp_path, request(SHAPES[0], partitions=(1, 8)))
    assert [one.label.rpartition(", ")[2] for one in runner.shapes] == ["partitions 1", "partitions 8"]
    with pytest.raises(UsageError, match="usd_per_hour"):
        shape_of(shape("free", usd_per_hour=None), None, price)


SPEC = """\
job: prepare in out/{run}
shapes:
  - {name: one, provider: local, workers: 1, cores: 1, memory: 1GB, usd_per_hour: 0.1}
  - {name: two, provider: local, workers: 2, cores: 1, memory: 1GB, usd_per_hour: 0.2}
  - {name: four, provider: local, workers: 4, cores: 1, memory: 1GB, usd_per_hour: 0.4}
partitions: [2, 4]
"""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> ImaginedCloud:
    made = ImaginedCloud(seconds)
    made.now = time.time()
    monkeypatch.setattr(registry, "PROVIDERS", {"local": Plugin("tests.operations.pick.test_live:_current")})
    monkeypatch.setattr("shardmill.clusters.open.PROVIDERS", registry.PROVIDERS)
    monkeypatch.setattr(f"{__name__}._current", lambda: made)
    return made


def _current() -> ImaginedCloud:
    raise AssertionError("set by the fixture")


def test_pick_goes_on_where_it_was_stopped(cloud: ImaginedCloud, tmp_path: Path) -> None:
    file, out = tmp_path / "shapes.yaml", tmp_path / "run"
    file.write_text(SPEC)

    def stop(job: object) -> None:
        if len(cloud.jobs) == 2:
            raise KeyboardInterrupt

    cloud.before_job = stop
    with pytest.raises(KeyboardInterrupt):
        pick(str(file), strategy="exhaustive", out=str(out))
    assert (len(Evidence(out).runs()), cloud.clusters) == (2, {})
    cloud.before_job = lambda job: None
    said: list[str] = []
    result = pick(str(file), strategy="exhaustive", out=str(out), say=said.append)
    assert (len(cloud.jobs), len(result.trials), cloud.clusters) == (6, 6, {})
    assert result.best is not None
    assert result.best.startswith("1 x local")  # 4,200 s at 0.1 USD an hour
    assert {path.name for path in out.iterdir()} >= {"run.json", "pick.json", "trace.csv", "results.parquet"}
    replayed = pick(trace=str(out / "trace.csv"), strategy="exhaustive")
    assert replayed.best == result.best


def test_the_budget_holds_with_making_and_deleting_clusters(tmp_path: Path) -> None:
    cloud, asked = ImaginedCloud(seconds), request(*SHAPES)
    making = maker(tmp_path, cloud, asked, Budget(max_usd=0.5))
    runner = ClusterRunner(asked, making, price)
    problem = Problem(runner.shapes)
    strategy = make_strategy("exhaustive", problem, 0, Goal())
    *_, last = search(problem, strategy, runner, Limits(budget_usd=0.5))
    assert last.ending == "budget"
    assert 0.45 < last.spent_usd <= 0.5
    assert cloud.clusters == {}


def test_pick_names_what_it_wants(cloud: ImaginedCloud, tmp_path: Path) -> None:
    file = tmp_path / "shapes.yaml"
    file.write_text(SPEC)
    pick(str(file), out=str(tmp_path / "run"))
    for words, said in (
        ({}, "one of the two"),
        ({"spec": str(file), "trace": "t.csv"}, "one of the two"),
        ({"spec": str(file), "workload": "x"}, "--workload is for --trace"),
        ({"trace": "t.csv", "prices": "p.json"}, "--prices is for trials"),
        ({"spec": str(file), "out": str(tmp_path / "run"), "deadline": 5.0}, "deadline_s"),
    ):
        with pytest.raises(UsageError, match=said):
            pick(**words)


def test_a_cluster_that_may_be_left_is_said(
    cloud: ImaginedCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise ClusterError("the network is gone")

    monkeypatch.setattr(cloud, "delete", fail)
    (tmp_path / "shapes.yaml").write_text(SPEC)
    with pytest.raises(ClusterError, match=r"imagine .* away"):
        pick(str(tmp_path / "shapes.yaml"), out=str(tmp_path / "run"))
