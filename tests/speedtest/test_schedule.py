from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

from shardmill.speedtest.record import Measurement
from shardmill.speedtest.schedule import Pass, missing, schedule
from tests.speedtest.rows import ROW, row

CELLS = [replace(ROW.cell, batch_size=size, num_batches=count) for size in (2, 4, 8) for count in (4, 8)]


def row_of(what: Pass, **changes: object) -> Measurement:
    return row(**{**asdict(what.cell), "repetition": what.repetition, "position": what.position, **changes})


def test_every_cell_comes_once_in_each_repetition() -> None:
    passes = schedule(CELLS, 5, seed=3)
    assert [what.position for what in passes] == list(range(30))
    assert Counter(what.cell for what in passes) == dict.fromkeys(CELLS, 5)
    for repetition in range(5):
        block = passes[repetition * 6 : repetition * 6 + 6]
        assert {what.repetition for what in block} == {repetition}
        assert {what.cell for what in block} == set(CELLS)


def test_the_order_is_random_and_the_seeds() -> None:
    passes = schedule(CELLS, 5, seed=3)
    blocks = {tuple(what.cell for what in passes[at : at + 6]) for at in range(0, 30, 6)}
    assert len(blocks) > 1
    assert passes == schedule(list(reversed(CELLS)), 5, seed=3)
    assert passes != schedule(CELLS, 5, seed=4)


def test_what_was_measured_is_not_missing() -> None:
    passes = schedule(CELLS, 2, seed=0)
    rows = [row_of(what) for what in passes[:7]]
    assert missing(passes, rows, "local") == passes[7:]
    assert missing(passes, [row_of(what) for what in passes], "local") == []


def test_a_warm_up_is_no_measurement() -> None:
    passes = schedule(CELLS, 1, seed=0)
    assert missing(passes, [row_of(passes[0], warm_up=True)], "local") == passes


def test_with_concurrency_a_row_of_each_process_is_needed() -> None:
    passes = schedule([replace(ROW.cell, concurrency=2)], 1, seed=0)
    assert missing(passes, [row_of(passes[0])], "local") == passes
    assert missing(passes, [row_of(passes[0], pid=1), row_of(passes[0], pid=2)], "local") == []


def test_on_spark_the_clusters_slots_change_nothing() -> None:
    passes = schedule(CELLS, 1, seed=0)
    rows = [row_of(passes[0], concurrency=8), row_of(passes[1], concurrency=2)]
    assert missing(passes, rows, "spark") == passes[2:]
