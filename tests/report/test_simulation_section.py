"""Predictions on a page: marked as such, beside what was measured."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from shardmill.report.html import text_of, write
from shardmill.report.sections.simulation import predicted_figure
from shardmill.sweep.row import SweepRow, rows_of
from shardmill.sweep.simulation.calibration import calibrate
from shardmill.sweep.simulation.rows import simulate
from tests.sweep.simulation.planted import IMAGE_BYTES, Job, cluster, shape, sweep

SHAPES = (shape(1, 1), shape(2, 1))


def price(spec: object, seconds: float) -> float:
    return seconds / 3600


@pytest.fixture(scope="module")
def rows() -> list[SweepRow]:
    clusters = [cluster(spec) for spec in SHAPES]
    runs = sweep(Job(), SHAPES, (4, 16), (480, 1600))
    known = calibrate(runs, clusters, image_bytes=IMAGE_BYTES, draws=4)
    large = replace(shape(8, 4), name="<large>")
    return [*rows_of(runs, clusters, price), *simulate(known, [*SHAPES, large], (4, 16), 1600, price)]


def test_predicted_stands_beside_measured(rows: list[SweepRow]) -> None:
    shown = predicted_figure(rows)
    text = text_of(shown)
    assert "half of 4 predictions miss by" in text
    assert "Predicted by simulation, not measured" in text
    assert text.count("nobody ran this") == 2  # the shape that was not measured, with each number of partitions
    assert "32 cores are taken; no run had more than 2." in text
    assert "&lt;large&gt;" in write(shown)
    assert "<large>" not in write(shown)


def test_without_a_measured_twin_there_is_the_table_alone(rows: list[SweepRow]) -> None:
    shown = predicted_figure([row for row in rows if row.predicted])
    assert "<svg" not in write(shown)
    assert text_of(shown).count("nobody ran this") == 6


def test_a_prediction_is_not_taken_for_a_measurement(rows: list[SweepRow]) -> None:
    doubled = [replace(row, elapsed_s=2 * row.elapsed_s) if row.predicted else row for row in rows]
    said = re.search(r"predictions miss by ([\d.]+)%", text_of(predicted_figure(doubled)))
    assert said is not None
    assert float(said[1]) > 80
