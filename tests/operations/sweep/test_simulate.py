"""`sweep --simulate`: shapes that nobody rents, predicted from a sweep that was run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.errors import UsageError
from shardmill.operations.pick.result import lines
from shardmill.operations.sweep.simulate import parse_core_speed, shards_made
from shardmill.runs import begin_run
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.simulation.record import load
from shardmill.traces import read_trace
from tests.sweep.simulation.planted import Job, cluster, shape, sweep

SPEC = """\
job: prepare gs://photos gs://work/{run}
shapes:
  - {name: one, provider: dataproc, region: europe-west4, master: n1-standard-16}
  - {name: many, provider: dataproc, region: europe-west4, master: c3-standard-4, workers: 8}
partitions: [4, 16]
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over three shapes, as its run folder."""
    folder = tmp_path_factory.mktemp("runs") / "measured"
    shapes = (shape(1, 1), shape(2, 1), shape(4, 1))
    evidence = Evidence(begin_run(folder, "sweep", {}).path)
    for spec in shapes:
        evidence.save_cluster(cluster(spec))
    for run in sweep(Job(noise=0.05), shapes, (4, 16), (480, 1600)):
        evidence.save_run(run)
    return folder


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "shapes.yaml"
    path.write_text(SPEC)
    return str(path)


def test_rows_are_predicted_and_say_so(measured: Path, spec: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = shardmill.sweep(
        spec, simulate=str(measured), images=8000, image_size="100KB", core_speed="c3=2", out=str(out)
    )
    assert found.made == found.left == 0
    assert [(row.shape, row.partitions) for row in found.rows] == [("one", 4), ("one", 16), ("many", 4), ("many", 16)]
    assert all(row.predicted and row.full_usd for row in found.rows)
    by_cell = {(row.shape, row.partitions): row.elapsed_s for row in found.rows}
    assert by_cell["many", 16] < by_cell["one", 16]  # twice as fast cores, as many of them
    assert by_cell["many", 16] < by_cell["many", 4]
    assert "predicted, not measured" in found.notes[0]
    assert "were missed by" in found.notes[1]
    assert "A core of c3-standard-4 is taken to be 2 times as fast" in " ".join(found.notes)
    assert found.trace is not None
    assert {row.workload for row in read_trace(found.trace)} == {"prepare-gs-photos (predicted)"}
    picked = shardmill.pick(trace=found.trace, strategy="exhaustive")
    assert "for prepare-gs-photos (predicted)" in lines(picked)[0]  # nobody takes it for measurements
    assert set(pq.read_table(out / "results.parquet")["predicted"].to_pylist()) == {True}
    kept = load(out)
    assert kept is not None
    assert kept.rows == found.rows
    assert kept.validation is not None


def test_every_line_of_the_table_is_marked(
    measured: Path, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", spec, "--simulate", str(measured), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("predicted") or "  predicted" in line for line in said[1:5]) == 4
    assert "note: every time and cost is predicted" in "\n".join(said)


def test_what_cannot_be_predicted(measured: Path, spec: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(SPEC.replace("{run}", "{run} --size 512"))
    with pytest.raises(UsageError, match="`prepare --size 512`, and the runs to predict it from are of `prepare`"):
        shardmill.sweep(str(other), simulate=str(measured), out=str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        shardmill.sweep(spec, simulate=str(tmp_path), out=str(tmp_path / "out"))
    empty = begin_run(tmp_path / "empty", "sweep", {}).path
    with pytest.raises(UsageError, match="holds no run that was made"):
        shardmill.sweep(spec, simulate=str(empty), out=str(tmp_path / "out"))
    with pytest.raises(UsageError, match="--images is for --simulate"):
        shardmill.sweep(spec, images=5, out=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "shards"),
    [
        ("--num-shards 64", 64),
        ("--num-shards=train=30,val=2", 32),
        ("--samples-per-shard 300", 34),
        ("--max-shard-size 10MB", 20),
        ("", 16),  # of 200 MB: enough to work on in parallel
    ],
)
def test_shards_are_those_that_prepare_would_make(options: str, shards: int) -> None:
    assert shards_made(["prepare", "photos", "out", *options.split()], 10_000, 20_000) == shards
    assert shards_made(["speedtest", "out"], 10_000, 20_000) is None


def test_options_of_shards_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="--samples-per-shard is few"):
        shards_made(["prepare", "photos", "out", "--samples-per-shard", "few"], 100, 20_000)
    with pytest.raises(UsageError, match="exclude each other"):
        shards_made(["prepare", "photos", "out", "--samples-per-shard", "5", "--num-shards", "2"], 100, 20_000)


def test_speeds_of_cores() -> None:
    speed = parse_core_speed("c3=1.4, n1-standard-4=0.9")

    def of(name: str) -> float:
        spec = shape(1, 4)
        return speed(replace(spec, worker=replace(spec.worker, machine_type=name)))

    assert [of("c3-standard-8"), of("n1-standard-4"), of("n1-standard-2"), of("local")] == [1.4, 0.9, 1.0, 1.0]
    for wrong in ("fast", "c3=0", "c3=1.2.3", "c3"):
        with pytest.raises(UsageError, match="--core-speed has"):
            parse_core_speed(wrong)
