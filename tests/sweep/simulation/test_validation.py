"""What is left out is not looked at, and predicted all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shardmill.errors import UsageError
from shardmill.sweep.simulation.calibration import calibrate
from shardmill.sweep.simulation.rows import simulate
from shardmill.sweep.simulation.validation import validate
from tests.sweep.simulation.planted import IMAGE_BYTES, Job, cluster, play, shape, sweep

SHAPES = (shape(1, 1), shape(2, 1), shape(4, 1))
CLUSTERS = [cluster(spec) for spec in SHAPES]


def test_each_shape_and_count_is_predicted_from_the_others() -> None:
    runs = sweep(Job(noise=0.05), SHAPES, (4, 16), (480, 1600))
    found = validate(runs, CLUSTERS, image_bytes=IMAGE_BYTES)
    assert {one.left_out for one in found.checked} == {"shape", "partitions", "images"}  # caps do not vary
    assert len(found.checked) == 3 * len(runs)
    for what in ("shape", "partitions", "images"):
        assert found.by(what).median_error < 0.1
        assert found.by(what).naive_median_error > found.by(what).median_error
    assert 0.5 < found.covered <= 1


def test_runs_take_no_part_in_their_own_prediction() -> None:
    runs = sweep(Job(), SHAPES[:2], (4, 16), (480, 1600))

    def predicted(job: Job) -> list[tuple[float, float]]:
        others = [play(job, SHAPES[2], partitions, 1600) for partitions in (4, 16)]
        found = validate([*runs, *others], CLUSTERS, image_bytes=IMAGE_BYTES, left_out=("shape",))
        return [(one.predicted_s, one.error) for one in found.checked if one.shape == SHAPES[2].name]

    like, unlike = predicted(Job()), predicted(Job(image=0.12))
    assert [seconds for seconds, _ in like] == [seconds for seconds, _ in unlike]
    assert max(abs(error) for _, error in like) < 0.1
    assert min(abs(error) for _, error in unlike) > 0.5


def test_nothing_to_leave_out() -> None:
    with pytest.raises(UsageError, match="nothing can be left out"):
        validate([play(Job(), SHAPES[0], 4, 480)], CLUSTERS)


def test_predicted_rows_are_marked() -> None:
    known = calibrate(sweep(Job(), SHAPES[:2], (4, 16), (480, 1600)), CLUSTERS, image_bytes=IMAGE_BYTES)
    priced = replace(shape(8, 2), name="large")
    rows = simulate(known, [priced, SHAPES[0]], (4, None), 1600, lambda spec, seconds: spec.task_cores * seconds / 1000)
    assert [(row.shape, row.partitions) for row in rows] == [("large", 4), ("large", None), ("1x1", 4), ("1x1", None)]
    for row in rows:
        assert row.predicted
        assert row.run.startswith("predicted-")
        assert row.usage is None
        assert row.predicted_low_s is not None
        assert row.predicted_high_s is not None
        assert row.predicted_low_s <= row.elapsed_s <= row.predicted_high_s
        assert row.limited_by
        assert row.job_usd == pytest.approx(row.cores * row.elapsed_s / 1000)
        assert row.create_s == 90.0
    assert rows[0].elapsed_s < rows[2].elapsed_s
