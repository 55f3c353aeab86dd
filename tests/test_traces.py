from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.errors import UsageError
from shardmill.traces import COLUMNS, TraceRow, read_trace, write_trace

HEADER = ",".join(COLUMNS)
GOOD = "sort,c4.large,4,2,3.75,0.1,ok,3600,0.4,1"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.oldest
def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = (
        TraceRow("sort", "c4.large", 4, 2.0, 3.75, 0.1, "ok", 100 / 3, 100 / 3 / 3600 * 0.4, extra={"partitions": "8"}),
        TraceRow("sort", "c4.large", 8, 2.0, 3.75, 0.1, "failed", None, None, repeat=2),
        TraceRow("sort", "c4.large", 9, 2.0, 3.75, 0.1, "timeout", 7200.0, 1.8, extra={"disk": "ssd"}),
    )
    write_trace(tmp_path / "trace.csv", rows)
    assert read_trace(tmp_path / "trace.csv") == rows
    assert [path.name for path in tmp_path.iterdir()] == ["trace.csv"]


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    lines = [",".join(reversed(line.split(","))) for line in (HEADER, GOOD)]
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    (row,) = read_trace(path)
    assert (row.machine_type, row.node_count, row.runtime_s, row.status) == ("c4.large", 4, 3600.0, "ok")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sort,c4.large,4,2,3.75,0.1,ok,3600,0.4", "row 2: 9 fields where the header has 10"),
        (",c4.large,4,2,3.75,0.1,ok,3600,0.4,1", "row 2: workload is empty"),
        ("sort,c4.large,4.5,2,3.75,0.1,ok,3600,0.4,1", "node_count is '4.5'; it takes a whole number"),
        ("sort,c4.large,0,2,3.75,0.1,ok,3600,0.4,1", "node_count is '0'"),
        ("sort,c4.large,4,2,nan,0.1,ok,3600,0.4,1", "memory_gb_per_node is 'nan'"),
        ("sort,c4.large,4,2,3.75,0.1,fine,3600,0.4,1", "status is 'fine'; it is one of ok, failed, timeout"),
        ("sort,c4.large,4,2,3.75,0.1,ok,,0.4,1", "runtime_s is ''"),
        ("sort,c4.large,4,2,3.75,0.1,ok,3600,,1", "cost_usd is ''"),
        ("sort,c4.large,4,2,3.75,0.1,failed,-1,,1", "runtime_s is '-1'"),
        ("sort,c4.large,4,2,3.75,0.1,ok,3600000,0.4,1", "look for a column in another unit"),
        ('sort,"c4,4,2,3.75,0.1,ok,3600,0.4,1', "is not a CSV file"),
        ("", "has a header and no runs"),
    ],
)
def test_rows_that_make_no_sense_are_told(line: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_trace(written(tmp_path, HEADER, line))
    assert words in str(caught.value)


def test_a_run_that_stands_there_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="row 4: the same run as row 2"):
        read_trace(written(tmp_path, HEADER, GOOD, GOOD[:-1] + "2", GOOD))


def test_headers_and_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks the column runtime_s, cost_usd"):
        read_trace(written(tmp_path, HEADER.replace("runtime_s,cost_usd,", ""), GOOD))
    with pytest.raises(UsageError, match="two columns called note"):
        read_trace(written(tmp_path, HEADER + ",note,note", GOOD + ",a,b"))
    with pytest.raises(UsageError, match="lacks the column workload"):
        read_trace(written(tmp_path, ""))
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not a CSV file"):
        read_trace(tmp_path / "bytes.csv")
    with pytest.raises(UsageError, match="No such file"):
        read_trace(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot write the trace"):
        write_trace(tmp_path / "none" / "trace.csv", ())
