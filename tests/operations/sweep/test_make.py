from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from shardmill.clusters.base import Job
from shardmill.errors import ClusterError, ShardmillError, UsageError
from shardmill.sweep.budget import Budget
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.plan import plan_sweep, what_is_left
from shardmill.sweep.row import rows_of
from tests.clusters.imagined import CREATION_S, DELETION_S, ImaginedCloud, shape
from tests.operations.sweep.maker import maker, price, request

SMALL, LARGE = shape("small"), shape("large", workers=2, cores=2, usd_per_hour=1.44)


def cloud() -> ImaginedCloud:
    return ImaginedCloud(lambda spec: 400 / spec.task_cores)


def test_each_cluster_is_made_once_and_deleted_and_every_run_kept(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL, LARGE, partitions=(1, 4), repetitions=2)
    planned = plan_sweep(asked, 0)
    maker(tmp_path, sky, asked).make(planned)
    runs = Evidence(tmp_path).runs()
    assert (sorted(sky.made), sky.most, sky.clusters) == (["large", "small"], 1, {})
    assert what_is_left(planned, runs) == []
    assert [run.position for run in runs] == list(range(8))
    assert sum(run.first for run in runs) == 2
    assert len({run.name for run in runs}) == 8
    assert [run.words[:4] for run in runs] == [("prepare", "in", f"out/{run.name}", "--engine") for run in runs]
    assert {run.words[-1] for run in runs} == {"1", "4"}


def test_rows_tell_time_use_and_both_costs(tmp_path: Path) -> None:
    sky, asked = cloud(), request(LARGE)
    making = maker(tmp_path, sky, asked)
    making.make(plan_sweep(asked, 0))
    making.collect_usage()
    evidence = Evidence(tmp_path)
    (row,) = rows_of(evidence.runs(), evidence.clusters(), price)
    assert (row.elapsed_s, row.create_s, row.delete_s) == (100.0, CREATION_S, DELETION_S)
    assert row.job_usd == pytest.approx(1.44 * 100 / 3600)
    assert row.full_usd == pytest.approx(1.44 * 164 / 3600)
    assert row.usage is not None
    assert row.usage.cpu_share == pytest.approx(0.5)
    assert row.usage.cpu_s == pytest.approx(0.5 * 4 * 100)
    assert row.usage.network_in_bytes == pytest.approx(2e6 * 100 / 10)
    assert row.usage.memory_bytes == pytest.approx(2 * 5e8)


def test_a_shape_that_is_sold_out_leaves_the_others(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL, LARGE)
    sky.sold_out.add("small")
    making = maker(tmp_path, sky, asked)
    making.make(plan_sweep(asked, 0))
    assert [run.cell.shape for run in Evidence(tmp_path).runs()] == ["large"]
    assert ["sold out" in note for note in making.notes] == [True]
    assert {seen.spec.name: seen.error != "" for seen in Evidence(tmp_path).clusters()} == {
        "small": True,
        "large": False,
    }
    sky.sold_out.clear()
    maker(tmp_path, sky, asked).make(what_is_left(plan_sweep(asked, 0), Evidence(tmp_path).runs()))
    assert sorted(run.cell.shape for run in Evidence(tmp_path).runs()) == ["large", "small"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClusterError("the line went dead.")])
def test_nothing_is_left_when_it_is_interrupted_and_it_goes_on(tmp_path: Path, error: BaseException) -> None:
    sky, asked = cloud(), request(SMALL, partitions=(1, 2, 4))

    def second(job: Job) -> None:
        if len(sky.jobs) == 1:
            raise error

    sky.before_job = second
    planned = plan_sweep(asked, 0)
    with suppress(KeyboardInterrupt):
        maker(tmp_path, sky, asked).make(planned)
    sky.before_job = lambda job: None
    assert sky.clusters == {}
    kept = Evidence(tmp_path).runs()
    assert len(kept) == 1
    assert all(seen.deleted_at is not None for seen in Evidence(tmp_path).clusters())
    maker(tmp_path, sky, asked).make(what_is_left(planned, kept))
    assert what_is_left(planned, Evidence(tmp_path).runs()) == []
    assert [run.first for run in Evidence(tmp_path).runs()] == [True, True, False]


def test_a_cluster_that_a_killed_sweep_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL)
    planned = plan_sweep(asked, 0)

    class Gone(BaseException):
        """As if by kill -9: nobody cleans up."""

    def die(job: Job) -> None:
        sky.delete, left = (lambda name: None), sky.delete  # type: ignore[method-assign]
        sky.restore = left  # type: ignore[attr-defined]
        raise Gone

    sky.before_job = die
    with pytest.raises(Gone):
        maker(tmp_path, sky, asked).make(planned)
    seen = Evidence(tmp_path).clusters()[0]
    Evidence(tmp_path).save_cluster(type(seen)(seen.name, seen.spec, seen.asked_at, seen.ready_at))  # no end on record
    sky.delete, sky.before_job = sky.restore, lambda job: None  # type: ignore[attr-defined, method-assign]
    assert list(sky.clusters) == [seen.name]
    maker(tmp_path, sky, asked).make(planned)
    assert sky.clusters == {}
    assert len(Evidence(tmp_path).runs()) == 1


def test_a_cluster_that_cannot_be_deleted_is_said_at_once(tmp_path: Path) -> None:
    class Sticky(ImaginedCloud):
        def delete(self, name: str) -> None:
            raise ClusterError("the network is gone")

    sky, asked = Sticky(lambda spec: 10.0), request(SMALL, LARGE)
    with pytest.raises(ClusterError, match=r"imagine sm-.* away"):
        maker(tmp_path, sky, asked).make(plan_sweep(asked, 0))
    assert len(sky.made) == 1
    assert Evidence(tmp_path).clusters()[0].deleted_at is None


def test_a_job_that_is_wrong_ends_the_sweep(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL, LARGE)
    sky.state, sky.exit_code = "failed", 2
    with pytest.raises(UsageError, match="as it stands: it went wrong"):
        maker(tmp_path, sky, asked).make(plan_sweep(asked, 0))
    assert (len(sky.made), sky.clusters) == (1, {})


def test_a_job_that_fails_is_a_row(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL)
    sky.state = "failed"
    maker(tmp_path, sky, asked).make(plan_sweep(asked, 0))
    assert [(run.outcome.state, run.outcome.error) for run in Evidence(tmp_path).runs()] == [
        ("failed", "it went wrong")
    ]


class TestBudget:
    def test_a_run_that_would_pass_it_is_not_begun(self, tmp_path: Path) -> None:
        sky, asked = cloud(), request(SMALL, repetitions=5)  # 400 s a run at 0.36 USD an hour: 0.04 USD
        budget = Budget(max_usd=0.11)
        making = maker(tmp_path, sky, asked, budget)
        making.make(plan_sweep(asked, 0))
        runs, clusters = Evidence(tmp_path).runs(), Evidence(tmp_path).clusters()
        assert len(runs) == 2
        assert sum(price(seen.spec, (seen.deleted_at or 0) - seen.asked_at) or 0 for seen in clusters) <= 0.11
        assert "would pass the limit of cost" in making.notes[0]

    def test_a_run_that_lasts_longer_than_thought_is_stopped(self, tmp_path: Path) -> None:
        sky, asked = cloud(), request(SMALL, repetitions=3, expect_s=10.0)
        making = maker(tmp_path, sky, asked, Budget(max_s=300.0))
        making.make(plan_sweep(asked, 0))
        (run,) = Evidence(tmp_path).runs()
        assert run.outcome.state == "cancelled"
        assert sky.now <= 300.0

    def test_a_shape_too_dear_is_left_out_and_a_cheaper_one_made(self, tmp_path: Path) -> None:
        sky, asked = ImaginedCloud(lambda spec: 60.0), request(SMALL, shape("dear", usd_per_hour=360.0))
        making = maker(tmp_path, sky, asked, Budget(max_usd=1.0))
        making.make(plan_sweep(asked, 0))
        assert sky.made == ["small"]
        assert making.notes[0].startswith("dear was left out")


def test_trial_is_one_run_on_a_cluster_of_its_own(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL, LARGE)
    making = maker(tmp_path, sky, asked)
    planned = plan_sweep(asked, 0)
    run = making.trial(LARGE, next(one.runs[0] for one in planned if one.spec == LARGE), limit_s=50.0)
    assert (run.outcome.state, run.outcome.elapsed_s) == ("cancelled", 50.0)
    assert making.paid_usd(run) == pytest.approx(1.44 * (CREATION_S + 50 + DELETION_S) / 3600)


def test_a_trial_on_a_lost_cluster_can_be_repeated(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL)
    sky.state = "lost"
    with pytest.raises(ShardmillError, match="run the same command") as caught:
        maker(tmp_path, sky, asked).trial(SMALL, plan_sweep(asked, 0)[0].runs[0])
    assert caught.value.exit_code == 3
    assert Evidence(tmp_path).runs() == []


def test_evidence_comes_back_as_it_was(tmp_path: Path) -> None:
    sky, asked = cloud(), request(SMALL)
    making = maker(tmp_path, sky, asked)
    making.make(plan_sweep(asked, 0))
    making.collect_usage()
    (run,), (seen,) = Evidence(tmp_path).runs(), Evidence(tmp_path).clusters()
    Evidence(tmp_path / "copy").save_run(run)
    Evidence(tmp_path / "copy").save_cluster(seen)
    assert (Evidence(tmp_path / "copy").runs(), Evidence(tmp_path / "copy").clusters()) == ([run], [seen])
    (tmp_path / "raw/runs" / f"{run.name}.json").write_text("{")
    with pytest.raises(UsageError, match="delete it to make that run again"):
        Evidence(tmp_path).runs()
