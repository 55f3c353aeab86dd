"""Calibration finds what was planted, and says what it could not find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shardmill.errors import UsageError
from shardmill.sweep.simulation.calibration import calibrate
from tests.sweep.simulation.planted import IMAGE_BYTES, Job, cluster, play, shape, sweep

SHAPES = (shape(1, 1), shape(1, 2), shape(2, 1))


def test_planted_costs_are_found() -> None:
    job = Job()
    runs = sweep(job, SHAPES, (2, 4, 16), (480, 1600, 4800))
    found = calibrate(runs, [cluster(spec) for spec in SHAPES], image_bytes=IMAGE_BYTES, draws=4)
    at = found.parameters
    assert at.image_core_s == pytest.approx(job.image, rel=0.02)
    assert at.first_task_core_s == pytest.approx(job.first_task, rel=0.02)
    assert at.task_core_s + 4 * at.shard_core_s == pytest.approx(job.task + 4 * job.shard, rel=0.15)
    assert at.start_s == pytest.approx(job.start, rel=0.02)
    assert at.start_image_s == pytest.approx(job.start_image, rel=0.1)
    assert at.ready_s == pytest.approx(job.ready)
    assert at.end_s == pytest.approx(job.end, rel=0.02)
    assert at.contention == 0
    assert found.written_bytes == 20_000
    assert found.shards_for(1500) == 16
    assert found.create_s == {"far": 90.0}
    assert found.low.image_core_s <= at.image_core_s <= found.high.image_core_s


def test_contention_is_found() -> None:
    job = Job(contended_image=0.012 * 1.3, first_task=0.0, task=0.0, shard=0.0)
    runs = sweep(job, SHAPES, (2, 16), (480, 1600))
    found = calibrate(runs, [cluster(spec) for spec in SHAPES], image_bytes=IMAGE_BYTES, draws=0)
    assert found.parameters.contention == pytest.approx(0.3, abs=0.051)
    assert found.parameters.image_core_s == pytest.approx(job.image, rel=0.05)


def test_spread_of_tasks_is_found() -> None:
    runs = sweep(Job(noise=0.2), SHAPES, (16,), (480, 1600), repetitions=4)
    found = calibrate(runs, [cluster(spec) for spec in SHAPES], image_bytes=IMAGE_BYTES, draws=8)
    assert found.parameters.task_spread == pytest.approx(0.2, rel=0.25)
    assert found.high.image_core_s > found.low.image_core_s


def test_first_runs_are_told_apart() -> None:
    job = Job(cold=4.0)
    runs = sweep(job, SHAPES, (2, 4), (480, 1600)) + [play(job, spec, 4, 480, seed=5, first=True) for spec in SHAPES]
    found = calibrate(runs, [cluster(spec) for spec in SHAPES], image_bytes=IMAGE_BYTES, draws=0)
    assert found.parameters.start_first_s == pytest.approx(4.0, rel=0.02)
    assert found.parameters.start_s == pytest.approx(job.start, rel=0.02)


def test_without_a_store_requests_are_those_the_command_makes() -> None:
    runs = sweep(Job(), SHAPES, (2, 4), (480, 1600))
    clusters = [cluster(spec) for spec in SHAPES]
    found = calibrate(runs, clusters, image_bytes=IMAGE_BYTES, draws=0)
    assert found.parameters.start_requests == pytest.approx(64)
    assert found.parameters.shard_requests == pytest.approx(1)
    assert "No run read from an object store" in " ".join(found.notes)
    others = [replace(run, words=("speedtest",)) for run in runs]
    assert calibrate(others, clusters, image_bytes=IMAGE_BYTES, draws=0).parameters.start_requests == 0


def test_what_cannot_be_known_is_said() -> None:
    runs = sweep(Job(), (shape(1, 1),), (1, 4), (480,))
    notes = " ".join(calibrate(runs, [cluster(shape(1, 1))], draws=2).notes)
    assert "how much they slow each other" in notes
    assert "All runs had as many images" in notes
    assert "No counter tells how large an image is" in notes
    assert "Only 2 runs" in notes


def test_runs_that_tell_nothing_are_left_out() -> None:
    good = play(Job(), shape(1, 1), 4, 480)
    failed = replace(good, name="failed", outcome=replace(good.outcome, state="failed", result=None))
    blind = replace(good, name="blind", log=None)
    clusters = [cluster(shape(1, 1))]
    assert calibrate([failed, good, blind], clusters, draws=2).runs == 1
    with pytest.raises(UsageError, match="no run can be calibrated on"):
        calibrate([failed, blind], clusters)
