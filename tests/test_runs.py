from __future__ import annotations

import json
from pathlib import Path

import pytest

from shardmill.errors import UsageError
from shardmill.machine import available_cores, describe_machine
from shardmill.runs import RUN_FILE, begin_run, open_run


def test_a_run_is_found_again_and_continued(tmp_path: Path) -> None:
    begun = begin_run(tmp_path / "out", "speedtest", {"batch_sizes": (2, 4), "seed": 0})
    assert open_run(tmp_path / "out") == begun
    assert begin_run(tmp_path / "out", "speedtest", {"batch_sizes": [2, 4], "seed": 0}) == begun
    assert begun.machine["cores"] == available_cores()


def test_another_request_is_refused_by_name(tmp_path: Path) -> None:
    begin_run(tmp_path, "speedtest", {"seed": 0, "repetitions": 5})
    with pytest.raises(UsageError, match="asked with other seed; name another folder"):
        begin_run(tmp_path, "speedtest", {"seed": 1, "repetitions": 5})
    with pytest.raises(UsageError, match="of kind speedtest"):
        begin_run(tmp_path, "sweep", {"seed": 0, "repetitions": 5})


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="is no run of shardmill"):
        begin_run(tmp_path, "pick", {})
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"format": "shardmill-run/1", "kind": "wedding"})])
def test_a_damaged_run_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / RUN_FILE).write_text(content)
    with pytest.raises(UsageError, match=RUN_FILE):
        open_run(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="is no run"):
        begin_run(tmp_path / "file", "pick", {})
    with pytest.raises(UsageError, match="cannot write to"):
        begin_run(tmp_path / "file" / "below", "pick", {})


def test_the_machine_tells_what_can_change_a_number() -> None:
    facts = describe_machine()
    assert facts["memory_bytes"] > 1 << 28
    assert facts["cpu"]
    assert {"shardmill", "numpy"} <= facts["versions"].keys()
