from __future__ import annotations

import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.errors import UsageError
from shardmill.report.advice import TOPICS, advice
from shardmill.report.evidence import evidence
from shardmill.runs import RUN_FILE, open_run
from tests.pictures import class_folder
from tests.report.speed_test import measurements, write_run

SMALL: dict[str, Any] = {
    "formats": ("tfrecord",), "batch_sizes": (8, 64), "num_batches": (8, 16, 32), "repetitions": 3, "first_noise": 0.02
}  # fmt: skip


def read(root: str, shards: int, size: int) -> dict[str, Any]:
    return {"root": root, "format": "tfrecord", "size": None, "shards": shards, "bytes": shards * size, "images": 1000}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One data set in two shard sizes, at a place that a shell must be told with care."""
    rows = measurements(dataset="large", **SMALL) + measurements(7, dataset="small", slower=1.3, **SMALL)
    sets = {
        "large-tfrecord": read("/a set/large", 8, 64_000_000),
        "small-tfrecord": read("/a set/small", 80, 6_400_000),
    }
    return write_run(tmp_path / "run", rows, read=sets)


def test_every_topic_of_each_use_is_told_or_missing(run: Path) -> None:
    result = shardmill.advise(str(run))
    by_use = {one.use: one for one in result.uses}
    for use, topics in TOPICS.items():
        missing = [topic for gap in by_use[use].gaps for topic in gap.topics]
        told = {topic for one in result.uses for finding in one.findings for topic in finding.topics}
        assert set(missing) | told >= set(topics)
        assert len(missing) == len(set(missing))
    shards = next(one for one in by_use["batch"].findings if "shard size" in one.topics)
    assert "Shards of 64.0 MB are read 1.27 times as fast as shards of 6.4 MB" in shards.sentence
    assert "shard size" not in [topic for gap in by_use["batch"].gaps for topic in gap.topics]
    (reads,) = (gap for gap in by_use["batch"].gaps if "parallel reads" in gap.topics)
    assert shlex.split(reads.commands[0])[2] == "/a set/large"
    json.dumps(asdict(result))


def test_it_is_the_last_section_of_the_report(run: Path, tmp_path: Path) -> None:
    text = Path(shardmill.report(str(run), output=str(tmp_path / "r.html")).page).read_text(encoding="utf-8")
    for one in shardmill.advise(str(run)).uses:
        for sentence in [*(each.sentence for each in one.findings), *(gap.sentence for gap in one.gaps)]:
            assert sentence in text


@pytest.mark.parametrize(("images", "told"), [(1000, True), (77, False)])
def test_formats_are_of_the_same_images_though_windows_read_others(tmp_path: Path, images: int, told: bool) -> None:
    """Means over windows differ by a tenth; the sets are known to hold equally many, or not."""
    rows = measurements(**{**SMALL, "formats": ("tfrecord", "webdataset")})
    rows = [replace(row, bytes_read=row.bytes_read * (110 if row.format == "tfrecord" else 100) // 100) for row in rows]
    other = {**read("/a set/tars", 8, 64_000_000), "format": "webdataset", "images": images}
    sets = {"photos-webdataset": other, "photos-tfrecord": read("/a set/first", 8, 64_000_000)}
    batch = shardmill.advise(str(write_run(tmp_path / "run", rows, read=sets))).uses[0]
    assert (any("format" in one.topics for one in batch.findings)) is told
    if not told:
        (gap,) = (gap for gap in batch.gaps if gap.kind == "formats-not-alike")
        assert gap.commands[0] == "shardmill convert '/a set/first' '/a set/first-webdataset' --format webdataset"


def test_two_machines_are_compared_and_their_runs_are_not_asked_to_agree(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", measurements(**SMALL))
    second = write_run(tmp_path / "second", measurements(3, slower=1.4, **SMALL))
    told = json.loads((second / RUN_FILE).read_text())
    told["machine"]["host"] = "another"
    (second / RUN_FILE).write_text(json.dumps(told))
    kinds = [finding.kind for one in shardmill.advise(str(first), str(second)).uses for finding in one.findings]
    assert {"machine-faster", "machine-sooner"} <= set(kinds)
    assert "measured-again" not in kinds
    assert "one-machine" not in [gap.kind for one in shardmill.advise(str(first), str(second)).uses for gap in one.gaps]


def test_a_model_advises_where_its_speed_tests_are_not_named(run: Path, tmp_path: Path) -> None:
    shardmill.model(str(run), out=str(tmp_path / "model"))

    def sentences(*runs: Path) -> list[str]:
        return [one.sentence for use in shardmill.advise(*map(str, runs)).uses for one in use.findings]

    alone, both = sentences(tmp_path / "model"), sentences(run, tmp_path / "model")
    assert [one for one in alone if one.startswith("Read tfrecord shards")]
    assert len(both) == len(set(both))
    gaps = [gap.kind for use in shardmill.advise(str(tmp_path / "model")).uses for gap in use.gaps]
    assert "no-speed-test" not in gaps


def test_a_data_set_alone_is_named_in_what_is_missing(tmp_path: Path) -> None:
    class_folder(tmp_path / "photos", 6)
    shardmill.prepare(str(tmp_path / "photos"), str(tmp_path / "shards"), size="16", workers=1)
    batch = shardmill.advise(str(tmp_path / "shards")).uses[0]
    assert batch.findings == ()
    assert batch.gaps[0].topics == ("format", "shard size", "batch size", "parallel reads", "disk")
    assert batch.gaps[0].commands == (f"shardmill speedtest {tmp_path}/shards",)


def test_no_advice_without_a_topic_or_a_finding(run: Path) -> None:
    told = advice((), evidence([open_run(run)]))
    assert [one.use for one in told] == ["batch", "streaming"]


def test_the_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", str(run)]) == 0
    out = capsys.readouterr().out
    for words in (
        "Batch jobs:",
        "Streaming:",
        "could not be told:",
        "$ shardmill speedtest '/a set/large'",
        "95% interval: ",
    ):
        assert words in out
    assert main(["advise", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["uses"][0]["gaps"][0]["commands"]
    assert main(["advise", "/nowhere"]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    with pytest.raises(UsageError, match="at least one run"):
        shardmill.advise()
