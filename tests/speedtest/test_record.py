from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shardmill.errors import UsageError
from shardmill.speedtest.record import (
    RESULTS,
    SCHEMA,
    Cell,
    Measurement,
    ResultFile,
    cache_seen,
    rate,
    read_measurements,
)
from tests.speedtest.rows import ROW, row


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [row(position=0), row(position=1, decode=False, cache="cold", cache_seen="mixed", elapsed_s=0.1 + 0.2)]
    ResultFile(tmp_path / RESULTS).append(rows)
    assert read_measurements(tmp_path) == rows
    assert read_measurements(tmp_path / RESULTS) == rows


def test_appending_goes_on_where_an_earlier_process_stopped(tmp_path: Path) -> None:
    ResultFile(tmp_path / RESULTS).append([row(position=0)])
    again = ResultFile(tmp_path / RESULTS)
    again.append([row(position=1)])
    assert [kept.position for kept in read_measurements(tmp_path)] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == [RESULTS]


def test_a_write_that_fails_keeps_what_was_there(tmp_path: Path) -> None:
    file = ResultFile(tmp_path / "run" / RESULTS)
    with pytest.raises(UsageError, match="cannot write"):
        file.append([ROW])
    (tmp_path / "run").mkdir()
    file.append([row(position=7)])
    assert [kept.position for kept in file.rows] == [7]


def test_the_columns_are_the_fields() -> None:
    assert SCHEMA.names == [field.name for field in fields(Measurement)]
    assert SCHEMA.field("decode").type == pa.bool_()
    assert SCHEMA.field("cache_seen").type == pa.string()
    assert SCHEMA.field("elapsed_s").type == pa.float64()
    assert {field.name for field in fields(Cell)} < set(SCHEMA.names)


def test_a_row_knows_its_cell() -> None:
    assert ROW.cell == Cell("flowers", "shards", "tfrecord", "native", 4, 8, 2, True, "warm", 1)
    assert ROW.cell.window == 32


@pytest.mark.parametrize(
    ("asked", "seen", "fine"),
    [("cold", "cold", True), ("cold", "warm", False), ("cold", "mixed", False), ("warm", "unproven", True)],
)
def test_a_cold_pass_that_was_warm_is_flagged(asked: str, seen: str, fine: bool) -> None:
    assert row(cache=asked, cache_seen=seen).as_asked is fine


@pytest.mark.parametrize(
    ("device", "read", "seen"),
    [
        (0, 100, "warm"),
        (5, 100, "warm"),
        (6, 100, "mixed"),
        (94, 100, "mixed"),
        (95, 100, "cold"),
        (300, 100, "cold"),
        (None, 100, "unproven"),
        (0, 0, "unproven"),
    ],
)
def test_the_cache_is_judged_by_the_bytes_that_came_from_the_device(device: int | None, read: int, seen: str) -> None:
    assert cache_seen(device, read) == seen


def test_a_rate_without_time_is_no_number() -> None:
    assert rate(10, 4) == 2.5
    assert math.isnan(rate(10, 0))


def test_rows_from_before_a_column_came_are_read(tmp_path: Path) -> None:
    ResultFile(tmp_path / RESULTS).append([ROW])
    table = pq.read_table(tmp_path / RESULTS)
    pq.write_table(table.drop_columns(["others_cpu", "attempts"]), tmp_path / RESULTS)
    assert read_measurements(tmp_path) == [ROW]


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a folder that speedtest wrote"):
        read_measurements(tmp_path)
    (tmp_path / RESULTS).write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        read_measurements(tmp_path)
    pq.write_table(pa.table({"dataset": ["a"]}), tmp_path / RESULTS)
    with pytest.raises(UsageError, match="lacks the columns source, format"):
        ResultFile(tmp_path / RESULTS)
    wrong = pa.table({name: ["x"] for name in SCHEMA.names})
    pq.write_table(wrong, tmp_path / RESULTS)
    with pytest.raises(UsageError, match="other types"):
        read_measurements(tmp_path)
