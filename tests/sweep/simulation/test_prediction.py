"""Waves are exact where they can be counted by hand, caps bind where they should, and more never takes longer."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardmill.clusters.base import ClusterSpec
from shardmill.errors import UsageError
from shardmill.sweep.simulation.calibration import Calibration, calibrate
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.parameters import Parameters
from shardmill.sweep.simulation.prediction import Prediction, predict
from tests.sweep.simulation.planted import IMAGE_BYTES, Job, cluster, play, shape, sweep

NOTHING = Parameters(*[0.0 for _ in fields(Parameters)])


def calibration(**values: float) -> Calibration:
    """Of nothing but `values`: no noise, no other cost."""
    parameters = replace(NOTHING, **values)
    seen = calibrate([play(Job(), shape(1, 1), 4, 480)], [cluster(shape(1, 1))], image_bytes=IMAGE_BYTES, draws=0)
    return replace(seen, parameters=parameters, low=parameters, high=parameters, draws=(), machine_cores=2)


def told(
    known: Calibration,
    spec: ClusterSpec,
    partitions: int,
    images: int = 1600,
    caps: Caps | None = None,
    shards: int = 16,
) -> Prediction:
    return predict(known, spec, partitions, images, caps, shards=shards, draws=0)


class TestWaves:
    @pytest.mark.parametrize(
        ("workers", "cores", "partitions", "waves"),
        [(1, 1, 16, 16), (1, 2, 16, 8), (2, 2, 16, 4), (8, 2, 16, 1), (3, 1, 16, 6), (1, 1, 1, 16), (4, 4, 1, 16)],
    )
    def test_counted_by_hand(self, workers: int, cores: int, partitions: int, waves: int) -> None:
        made = told(calibration(image_core_s=0.01), shape(workers, cores), partitions)
        assert made.elapsed_s == pytest.approx(waves * 100 * 0.01)

    def test_first_tasks_overheads_and_the_fixed_parts(self) -> None:
        known = calibration(
            start_s=5.0,
            ready_s=0.5,
            end_s=1.0,
            first_task_core_s=2.0,
            task_core_s=0.25,
            shard_core_s=0.125,
            image_core_s=0.01,
        )
        made = told(known, shape(1, 2), 8)
        assert made.stage_s == pytest.approx(2.0 + 4 * (0.25 + 2 * 0.125 + 200 * 0.01))
        assert made.elapsed_s == pytest.approx(6.5 + made.stage_s)
        assert sum(made.shares.values()) == pytest.approx(1.0)

    def test_uneven_shards(self) -> None:
        made = told(calibration(image_core_s=0.01), shape(1, 2), 2, images=1001, shards=3)  # 334 and 334 + 333
        assert made.elapsed_s == pytest.approx(6.67)

    def test_more_workers_of_a_local_cluster_than_cores_share_them(self) -> None:
        made = told(calibration(image_core_s=0.01), shape(4, 1, provider="local"), 16)
        assert made.elapsed_s == pytest.approx(8.0)

    def test_contention_lasts_as_long_as_the_neighbour_works(self) -> None:
        known = calibration(image_core_s=0.01, contention=0.5)
        # Two shards beside one: the second core works 1.5 s of 1 s' work beside it, then the rest alone.
        made = told(known, shape(1, 2), 2, images=300, shards=3)
        assert made.elapsed_s == pytest.approx(1.5 + 1.0)

    def test_faster_cores(self) -> None:
        known = calibration(image_core_s=0.01, start_s=4.0)
        assert predict(known, shape(1, 1), 1, 1600, core_speed=2.0, draws=0).elapsed_s == pytest.approx(10.0)


class TestCaps:
    """16 cores could do 1,600 images a second: 160 MB/s."""

    known = calibration(image_core_s=0.01)

    def test_store_binds_all_machines_together(self) -> None:
        caps = Caps(from_store=True, store_bytes_per_s=40e6)
        made = [told(self.known, shape(workers, 16 // workers), 16, caps=caps) for workers in (1, 2, 8)]
        assert [one.elapsed_s for one in made] == pytest.approx([4.0] * 3)
        assert {one.limited_by for one in made} == {"store"}

    def test_network_binds_each_machine(self) -> None:
        caps = Caps(from_store=True, network_bytes_per_s=40e6)
        assert told(self.known, shape(1, 16), 16, caps=caps).elapsed_s == pytest.approx(4.0)
        assert told(self.known, shape(2, 8), 16, caps=caps).elapsed_s == pytest.approx(2.0)
        free = told(self.known, shape(8, 2), 16, caps=caps)
        assert free.elapsed_s == pytest.approx(1.0)
        assert free.limited_by == "CPU"

    def test_disk_binds_files_and_not_stores(self) -> None:
        caps = Caps(disk_read_bytes_per_s=40e6)
        made = told(self.known, shape(1, 16), 16, caps=caps)
        assert made.elapsed_s == pytest.approx(4.0)
        assert made.limited_by == "disk"
        assert told(self.known, shape(1, 16), 16, caps=replace(caps, from_store=True)).elapsed_s == pytest.approx(1.0)

    def test_slow_disk_for_the_shards(self) -> None:
        made = told(self.known, shape(1, 16), 16, caps=Caps(disk_write_bytes_per_s=8e6))  # 20 kB of each image
        assert made.elapsed_s == pytest.approx(4.0)
        assert made.limited_by == "disk"

    def test_requests_under_way_at_once(self) -> None:
        caps = Caps(from_store=True, latency_s=0.32, reads_at_once=8)
        made = told(self.known, shape(1, 1), 1, images=100, caps=caps, shards=1)
        assert made.elapsed_s == pytest.approx((100 - 8) / 8 * 0.32)  # the first eight are the shard's own request
        assert made.limited_by == "requests"

    def test_requests_one_after_another(self) -> None:
        known = calibration(start_requests=64.0, first_task_requests=3.0, shard_requests=2.0, image_core_s=0.001)
        caps = Caps(from_store=True, latency_s=0.1, reads_at_once=1000)
        assert told(known, shape(1, 1), 1, images=16, caps=caps).elapsed_s == pytest.approx(6.4 + 0.3 + 3.2 + 0.016)

    def test_what_waits_elsewhere_leaves_a_share_to_others(self) -> None:
        caps = Caps(from_store=True, store_bytes_per_s=15e6)
        # Alone on the link for neither: 2 x 10 MB/s are asked of 15.
        assert told(self.known, shape(2, 1), 2, images=200, caps=caps, shards=2).elapsed_s == pytest.approx(20e6 / 15e6)


@settings(deadline=None, max_examples=40)
@given(
    workers=st.integers(1, 6),
    cores=st.integers(1, 4),
    partitions=st.integers(1, 40),
    latency=st.sampled_from([0.0, 0.05]),
    contention=st.sampled_from([0.0, 0.4]),
)
def test_more_work_or_less_room_never_takes_less_time(
    workers: int, cores: int, partitions: int, latency: float, contention: float
) -> None:
    known = calibration(
        image_core_s=0.01, task_core_s=0.1, first_task_core_s=1.0, shard_requests=1.0, contention=contention
    )
    spec, caps = shape(workers, cores), Caps(from_store=True, latency_s=latency)
    base = told(known, spec, partitions, caps=caps, shards=40).elapsed_s
    assert told(known, spec, partitions, images=2000, caps=caps, shards=40).elapsed_s >= base - 1e-9
    assert (
        told(known, spec, partitions, caps=replace(caps, latency_s=latency + 0.1), shards=40).elapsed_s >= base - 1e-9
    )
    assert (
        told(known, spec, partitions, caps=replace(caps, network_bytes_per_s=5e6), shards=40).elapsed_s >= base - 1e-9
    )
    slower = replace(known, parameters=replace(known.parameters, image_core_s=0.02))
    assert told(slower, spec, partitions, caps=caps, shards=40).elapsed_s > base


def test_a_machine_more_never_takes_longer_where_tasks_are_even() -> None:
    known = calibration(image_core_s=0.01, first_task_core_s=1.0)
    times = [told(known, shape(workers, 2), 64, images=6400, shards=64).elapsed_s for workers in range(1, 33)]
    assert times == sorted(times, reverse=True)
    assert times[-1] == pytest.approx(1.0 + 1.0)


def test_planted_job_is_predicted_on_a_shape_nobody_saw() -> None:
    job = Job(noise=0.1)
    seen = [shape(1, 1), shape(2, 1)]
    runs = sweep(job, seen, (2, 4, 16), (480, 1600), repetitions=2)
    known = calibrate(runs, [cluster(spec) for spec in seen], image_bytes=IMAGE_BYTES)
    for partitions, images in ((8, 4800), (16, 4800), (16, 9600)):
        measured = play(job, shape(4, 1), partitions, images, seed=9).outcome.elapsed_s
        made = predict(known, shape(4, 1), partitions, images)
        assert made.elapsed_s == pytest.approx(measured, rel=0.1)
        assert made.low_s < made.elapsed_s < made.high_s
        assert predict(known, shape(4, 1), partitions, images) == made  # the seed is fixed


def test_what_goes_beyond_the_runs_is_said() -> None:
    known = calibration(image_core_s=0.01)
    spec = replace(shape(8, 16), worker=replace(shape(8, 16).worker, machine_type="c3-standard-22"))
    notes = " ".join(predict(known, spec, 64, 100_000, core_speed=1.5, draws=0).notes)
    assert "A core of c3-standard-22 is taken to be 1.5 times as fast as one of n1-standard-2." in notes
    assert "128 cores are taken; no run had more than 1." in notes
    assert "100,000 images are read; no run read more than 480." in notes


@pytest.mark.parametrize("wrong", [{"images": 0}, {"partitions": -1}, {"core_speed": 0.0}])
def test_numbers_that_make_no_sense(wrong: dict[str, float]) -> None:
    given = {"images": 100, "partitions": 4, "core_speed": 1.0} | wrong
    with pytest.raises(UsageError, match=next(iter(wrong))):
        predict(
            calibration(),
            shape(1, 1),
            int(given["partitions"]),
            int(given["images"]),
            core_speed=given["core_speed"],
        )
