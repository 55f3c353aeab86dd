"""The whole life of a cluster of Dataproc by the command line, and a sweep, on the server that speaks its protocol."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import shardmill
from shardmill.cli.main import main
from tests.extras import needed
from tests.pictures import class_folder
from tests.stores import upload

needed("google.cloud.dataproc_v1")

from tests.dataproc_server import DataprocServer

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SWEEP = """\
job: prepare {images} {work}/{{run}} --size 32 --num-shards 4
shapes:
  - {{name: three, provider: dataproc, master: n1-standard-2, worker: n1-standard-2, workers: 2, disk: {{size: 100GB}}}}
partitions: [2]
"""


@pytest.fixture
def images(server: DataprocServer, tmp_path: Path) -> str:
    class_folder(tmp_path / "images", 6)
    return upload(server.service.store, tmp_path / "images", server.service.bucket, f"images-{uuid.uuid4().hex}")


@pytest.fixture(autouse=True)
def nothing_left(server: DataprocServer) -> Iterator[None]:
    server.clock.reset()  # these take our time for the server's
    yield
    assert server.names() == []


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_up_list_submit_metrics_down(
    server: DataprocServer, images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dest = f"gs://{server.service.bucket}/shards-{uuid.uuid4().hex}"
    code, out, err = run(capsys, "cluster", "up", "four-by-2", "--name", "mine")
    assert (code, out.split(":")[0]) == (0, "mine"), err
    assert "gcloud dataproc clusters delete mine --project=test-project --region=us-central1" in out
    try:
        code, out, _ = run(capsys, "cluster", "list", "--provider", "dataproc", "--json")
        listed = json.loads(out)["clusters"][0]
        assert (code, listed["name"], listed["cores"]) == (0, "mine", 6)
        assert listed["usd_per_hour"] > 0.3
        words = ("prepare", images, dest, "--size", "32", "--num-shards", "2")
        result = shardmill.cluster_submit("mine", *words)
        assert isinstance(result.result, shardmill.PrepareResult)
        assert (result.state, result.result.written) == ("done", 6)
        code, _, err = run(capsys, "cluster", "submit", "mine", "--", "verify", f"{dest}-nothing")
        assert (code, "nothing" in err) == (2, True)
        code, out, _ = run(capsys, "cluster", "metrics", "mine")
        assert (code, "nothing is known yet" in out) == (0, True)  # it comes minutes later
    finally:
        code, out, _ = run(capsys, "cluster", "down", "mine")
    assert (code, out) == (0, "1 cluster deleted\n")
    assert shardmill.verify(dest).ok


def test_sweep(server: DataprocServer, images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = f"gs://{server.service.bucket}/work-{uuid.uuid4().hex}"
    spec, folder = tmp_path / "sweep.yaml", tmp_path / "run"
    spec.write_text(SWEEP.format(images=images, work=work))
    code, out, err = run(capsys, "sweep", str(spec), "--out", str(folder))
    assert code == 0, err
    assert "three" in out
    row = json.loads((folder / "run.json").read_text())
    assert row["kind"] == "sweep"
