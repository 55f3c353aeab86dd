from __future__ import annotations

import itertools

import pytest

from shardmill.sweep.timeline import slots_of, sources_of, timeline_of
from tests.sweep.made import run_of, shape


def test_bins_tell_when_what_was_used() -> None:
    spec = shape()
    run = run_of(spec, elapsed_s=10, before_s=4, tasks=(3, 3), cpu_share=0.5, network=4e6, disk=2e6)
    bins = timeline_of(run, spec.task_cores)
    assert len(bins) == 10
    assert [one.start_s for one in bins] == pytest.approx(range(10))
    assert [one.cpu_share for one in bins] == pytest.approx([0.0] * 4 + [0.5] * 3 + [0.0] * 3)
    assert [one.tasks for one in bins] == pytest.approx([0.0] * 4 + [2.0] * 3 + [0.0] * 3)
    assert bins[5].network_bytes_per_s == pytest.approx(8e6)
    assert bins[5].disk_bytes_per_s == pytest.approx(4e6)


def test_bins_add_up_to_what_was_used() -> None:
    spec = shape()
    run = run_of(spec, elapsed_s=100, before_s=10, tasks=(7, 11, 40, 3, 3, 20), cpu_share=0.7)
    bins = timeline_of(run, spec.task_cores, most=7)
    assert len(bins) == 7
    used = sum((one.cpu_share or 0.0) * one.seconds * spec.task_cores for one in bins)
    assert used == pytest.approx(sum(sample.cpu_s for sample in run.usage))


def test_what_no_source_tells_stays_unknown() -> None:
    spec = shape()
    bins = timeline_of(run_of(spec, network=None), spec.task_cores)
    assert {one.network_bytes_per_s for one in bins} == {None}
    assert all(one.disk_bytes_per_s is not None for one in bins)
    bare = run_of(spec, logged=False, sampled=False)
    assert timeline_of(bare, spec.task_cores) == ()


def test_tasks_stand_on_cores_that_were_free() -> None:
    spec = shape(workers=1, cores=2)
    run = run_of(spec, tasks=(3, 1, 1, 2))
    assert run.log is not None
    slots = slots_of(run.log)
    assert [[task.index for task in slot] for slot in slots] == [[0, 3], [1, 2]] or [
        [task.index for task in slot] for slot in slots
    ] == [[0], [1, 2, 3]]
    for slot in slots:
        assert all(first.finished_at <= second.launched_at for first, second in itertools.pairwise(slot))


def test_sources_are_counted_by_their_seconds() -> None:
    assert sources_of(run_of(shape(), elapsed_s=10).usage) == {"process": 20.0}
