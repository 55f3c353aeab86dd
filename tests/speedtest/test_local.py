from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shardmill.errors import ShardmillError
from shardmill.speedtest import local
from shardmill.speedtest.local import MOST_ATTEMPTS, LocalProcesses
from shardmill.speedtest.material import open_shards
from shardmill.speedtest.neighbours import Taken
from shardmill.speedtest.passes import PassSettings, PassTask
from shardmill.speedtest.schedule import Pass
from tests.speedtest.rows import ROW


class Script:
    """Says of each attempt in turn how much others took."""

    shares: list[float]

    def taken(self) -> Taken:
        return Taken(self.shares.pop(0), 0.0, 1.0)


@pytest.fixture
def task(shards: Path) -> PassTask:
    cell = replace(ROW.cell, dataset="shards", batch_size=2, num_batches=2)
    return PassTask(Pass(cell, 0, 0), open_shards(str(shards)), PassSettings("local", 0.01))


@pytest.mark.parametrize(
    ("shares", "kept", "attempts"),
    [([0.01], 0.01, 1), ([0.4, 0.02], 0.02, 2), ([0.4, 0.2, 0.3], 0.2, MOST_ATTEMPTS)],
)
def test_a_disturbed_pass_is_made_again(
    task: PassTask, monkeypatch: pytest.MonkeyPatch, shares: list[float], kept: float, attempts: int
) -> None:
    monkeypatch.setattr(Script, "shares", list(shares), raising=False)
    monkeypatch.setattr(local, "Neighbours", Script)
    with LocalProcesses() as processes:
        rows = processes.run(task)
    assert [row.warm_up for row in rows] == [True, False]
    assert (rows[-1].others_cpu, rows[-1].attempts) == (kept, attempts)
    assert Script.shares == []


def test_an_error_in_one_of_several_processes_ends_all(task: PassTask, tmp_path: Path, shards: Path) -> None:
    shard = min(shards.glob("*.tfrecord")).read_bytes()
    (tmp_path / "x-00000-of-00001.tfrecord").write_bytes(shard[:-200] + bytes(200))
    broken = open_shards(str(tmp_path), (48, 40))
    cell = replace(task.what.cell, concurrency=3, batch_size=10, num_batches=4)
    with LocalProcesses() as processes, pytest.raises(ShardmillError, match="run shardmill verify"):
        processes.run(replace(task, material=broken, what=replace(task.what, cell=cell)))
