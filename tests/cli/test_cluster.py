"""The whole life of a local cluster by the command line, and a small sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.clusters.local.folder import STATE_VARIABLE
from shardmill.sweep.evidence import Evidence
from shardmill.traces import read_trace
from tests.pictures import class_folder

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SHAPES = """\
job: prepare {images} {work}/{{run}} --size 32 --num-shards 4
shapes:
  - {{name: one, provider: local, workers: 1, cores: 1, memory: 700MB, usd_per_hour: 0.36}}
partitions: [1, 4]
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    yield
    assert shardmill.cluster_list(provider="local").clusters == ()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_up_list_submit_metrics_down(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    images, dest = class_folder(tmp_path / "images", 6), tmp_path / "shards"
    code, out, _ = run(capsys, "cluster", "up", "local-1x1", "--name", "mine")
    assert (code, out.split(":")[0]) == (0, "mine")
    try:
        code, out, _ = run(capsys, "cluster", "list", "--provider", "local")
        assert (code, "shardmill cluster down mine" in out) == (0, True)
        code, _, err = run(capsys, "cluster", "up", "local-1x1", "--name", "mine")
        assert (code, "is there already" in err) == (2, True)
        words = ("prepare", str(images), str(dest), "--size", "32", "--num-shards", "2")
        result = shardmill.cluster_submit("mine", *words)
        assert isinstance(result.result, shardmill.PrepareResult)
        assert (result.state, result.result.written, result.result.splits["train"]["shards"]) == ("done", 6, 2)
        code, _, err = run(capsys, "cluster", "submit", "mine", "--", "verify", str(tmp_path / "nothing"))
        assert (code, "nothing" in err) == (2, True)
        code, out, _ = run(capsys, "cluster", "submit", "mine", "--json", "--", "verify", str(dest))
        assert (code, json.loads(out)["state"]) == (0, "done")
        code, out, _ = run(capsys, "cluster", "metrics", "mine")
        assert [line.split()[0] for line in out.splitlines()[1:3]] == ["mine-m", "mine-w-0"]
        for wrong, said in (
            (("submit", "mine", "--", "sweep", "x"), "no command for a cluster"),
            (("submit", "mine", "--", "prepare", "a"), "cannot be read"),
            (("submit", "mine"), "name the command to run"),
            (("submit", "other", "--", "doctor"), "there are: mine"),
            (("submit", "mine", "--conf", "x", "--", "doctor"), "a setting of Spark"),
        ):
            try:
                code, _, err = run(capsys, "cluster", *wrong)
            except SystemExit as stop:
                code, err = int(stop.code or 0), capsys.readouterr().err
            assert (code, said in err) == (2, True), (wrong, err)
    finally:
        code, out, _ = run(capsys, "cluster", "down", "mine")
    assert (code, out) == (0, "1 cluster deleted\n")


def test_sweep_leaves_rows_that_can_be_recomputed_and_no_cluster(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    images = class_folder(tmp_path / "images", 8)
    file, out = tmp_path / "shapes.yaml", tmp_path / "run"
    file.write_text(SHAPES.format(images=images, work=tmp_path / "work"))
    code, said, _ = run(capsys, "sweep", str(file), "--dry-run")
    assert (code, out.exists()) == (0, False)
    assert "1 cluster, 2 runs" in said
    assert "prices as declared with the shapes" in said
    code, said, err = run(capsys, "sweep", str(file), "--out", str(out))
    assert code == 0, err
    assert "<- cheapest" in said
    rows = pq.read_table(out / "results.parquet").to_pylist()
    raw = {seen.name: seen for seen in Evidence(out).runs()}
    (cluster,) = Evidence(out).clusters()
    assert cluster.ready_at is not None
    assert cluster.deleted_at is not None
    assert [row["state"] for row in rows] == ["done", "done"]
    assert sorted(row["partitions"] for row in rows) == sorted(row["tasks_tasks"] for row in rows) == [1, 4]
    assert sum(row["first"] for row in rows) == 1
    for row in rows:
        outcome, usage = raw[row["run"]].outcome, raw[row["run"]].usage
        start, end = outcome.started_at, outcome.finished_at
        assert row["elapsed_s"] == pytest.approx(end - start)
        inside = [
            (sample, max(min(sample.start + sample.seconds, end) - max(sample.start, start), 0) / sample.seconds)
            for sample in usage
            if sample.role == "worker"
        ]
        assert row["usage_cpu_s"] == pytest.approx(sum(sample.cpu_s * share for sample, share in inside))
        assert row["usage_cpu_s"] > 0
        assert row["job_usd"] == pytest.approx(0.36 / 3600 * (end - start))
        made = (
            cluster.ready_at
            - cluster.asked_at
            + cluster.deleted_at
            - max(one.outcome.finished_at for one in raw.values())
        )
        assert row["full_usd"] == pytest.approx(0.36 / 3600 * (end - start + made))
        assert row["images"] == 8
    assert [row.status for row in read_trace(out / "trace.csv")] == ["ok", "ok"]
    assert not (tmp_path / "work").exists() or not any((tmp_path / "work").iterdir())
    code, _, _ = run(capsys, "sweep", str(file), "--out", str(out))
    assert (code, len(Evidence(out).runs()), len(Evidence(out).clusters())) == (0, 2, 1)
    code, _, err = run(capsys, "sweep", str(file), "--out", str(out), "--seed", "3")
    assert (code, "asked with other seed" in err) == (2, True)
