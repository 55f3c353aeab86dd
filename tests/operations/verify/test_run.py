"""Whole data sets, through the public function."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shutil
from pathlib import Path

import pytest
from PIL import Image

from shardmill.dataset import Dataset
from shardmill.errors import UsageError
from shardmill.formats.base import Sample
from shardmill.formats.framing import frame_footer, frame_header
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.operations.verify.result import MOST_SHOWN, Finding, VerifyResult, lines
from shardmill.operations.verify.run import verify
from shardmill.units import printable
from tests.operations.verify.conftest import FIRST, SECOND, DataSet, told
from tests.outputs import contents
from tests.pictures import jpeg

MANIFEST = "_manifest.json"


def quick(data_set: DataSet) -> list[tuple[str, str]]:
    return [(finding.file, finding.kind) for finding in verify(data_set.dest, quick=True).findings]


@pytest.mark.oldest
def test_a_whole_set(data_set: DataSet) -> None:
    calls: list[tuple[int, int, int]] = []
    result = verify(data_set.dest, workers=2, on_progress=lambda done, of, records: calls.append((done, of, records)))
    assert result.findings == ()
    assert result.ok
    assert (result.shards, result.records) == (3, 24)
    assert result.bytes == sum(path.stat().st_size for path in data_set.path.glob("*.tfrecord"))
    assert (calls[0], calls[-1]) == ((0, 3, 0), (3, 3, 24))
    assert pickle.loads(pickle.dumps(result)) == result
    assert json.loads(json.dumps(result.to_json()))["ok"] is True
    assert lines(result)[0].startswith("whole: 3 shards, 24 records")


def test_damage_in_two_shards(data_set: DataSet) -> None:
    data_set.flip(data_set.places(FIRST)[1].offset + 99, FIRST)
    data_set.flip(data_set.places(SECOND)[2].offset + 1, SECOND)
    result = verify(data_set.dest)
    assert not result.ok
    assert told(result.findings) == [(FIRST, "data_crc", 1), (SECOND, "length_crc", 2)]
    assert result.records == 22
    first, _, verdict, remedy = lines(result)
    assert first.startswith(f"{FIRST} record 1 at byte {data_set.places()[1].offset} (")
    assert verdict.startswith("DAMAGED, 2 findings")
    assert "--repair" in remedy


def test_one_key_in_two_shards(data_set: DataSet) -> None:
    manifest = data_set.manifest()
    for ending in ("", ".idx"):
        shutil.copy(data_set.file(FIRST + ending), data_set.file(SECOND + ending))
    shutil.copy(data_set.file("_samples/part-00000.parquet"), data_set.file("_samples/part-00001.parquet"))
    entries = manifest["data"]["shards"]
    entries[1] = entries[0] | {"name": SECOND}
    data_set.file(MANIFEST).write_text(json.dumps(manifest))
    repeats = [finding for finding in verify(data_set.dest).findings if finding.kind == "duplicate_key"]
    assert sorted((finding.file, finding.record) for finding in repeats) == [
        (SECOND, n) for n in range(len(data_set.places()))
    ]
    assert f"of {FIRST}" in repeats[0].detail


def test_quick_findings(data_set: DataSet) -> None:
    assert quick(data_set) == []
    with data_set.file(FIRST).open("ab") as file:
        file.write(b"x")
    assert quick(data_set) == [(FIRST, "size")]
    data_set.file(SECOND).unlink()
    data_set.file(f"{FIRST}.idx").unlink()
    assert sorted(quick(data_set)) == [(FIRST, "size"), (f"{FIRST}.idx", "missing_index"), (SECOND, "missing_shard")]


def test_findings_about_the_set(data_set: DataSet) -> None:
    data_set.file("_SUCCESS").unlink()
    assert quick(data_set) == [("_SUCCESS", "incomplete")]
    data_set.file("_SUCCESS").write_text("0" * 64)
    assert quick(data_set) == [(MANIFEST, "manifest")]
    data_set.file("_SUCCESS").write_text("")
    shutil.copy(data_set.file(FIRST), data_set.file("train-00003-of-00004.tfrecord"))
    assert quick(data_set) == [("train-00003-of-00004.tfrecord", "stray_file")]
    data_set.file("train-00003-of-00004.tfrecord").unlink()
    data_set.file("labels.txt").write_text("ash\nbirch\n")
    assert quick(data_set) == [("labels.txt", "labels")]
    data_set.file("labels.txt").unlink()
    assert quick(data_set) == [("labels.txt", "labels")]


def test_an_edited_manifest(data_set: DataSet) -> None:
    original = data_set.file(MANIFEST).read_text()

    def edited(*path: str | int, value: object, deep: bool = False) -> list[tuple[str, str]]:
        manifest = json.loads(original)
        inner = manifest
        for step in path[:-1]:
            inner = inner[step]
        assert inner[path[-1]] != value
        inner[path[-1]] = value
        data_set.file(MANIFEST).write_text(json.dumps(manifest))
        result = verify(data_set.dest, quick=not deep, no_decode=deep, workers=1)
        return sorted({(finding.file, finding.kind) for finding in result.findings})

    table = "_samples/part-00000.parquet"
    assert edited("data", "shards", 0, "count", value=3) == [(MANIFEST, "totals"), (table, "samples")]
    assert edited("data", "shards", 0, "sha256", value="0" * 64, deep=True) == [(FIRST, "sha256")]
    assert edited("data", "shards", 0, "bytes", value=3) == [(FIRST, "size")]
    assert edited("data", "shards", 0, "index_sha256", value="0" * 64) == [(f"{FIRST}.idx", "index")]
    assert edited("data", "shards", 0, "name", value=SECOND)[0] == (MANIFEST, "manifest")
    assert edited("data", "shards", 0, "name", value="../x") == [(MANIFEST, "manifest")]
    assert edited("data", "totals", "failed", value=9) == [(MANIFEST, "totals")]
    assert edited("data", "splits", "train", "written", value=9) == [(MANIFEST, "totals")]
    assert edited("data", "classes", 0, "count", value=99, deep=True) == [(MANIFEST, "totals")]
    assert edited("data", "classes", 0, "name", value="oak") == [("labels.txt", "labels")]
    assert edited("data", value={}) == [(MANIFEST, "manifest")]
    data_set.file(MANIFEST).write_text(original[:-9])
    assert told(verify(data_set.dest).findings) == [(MANIFEST, "manifest", None)]


def test_an_image_that_is_given_up_is_named_and_the_rest_is_checked(tmp_path: Path) -> None:
    large = io.BytesIO()
    Image.new("L", (9_000, 9_000)).save(large, "JPEG", progressive=True)
    path = tmp_path / "two.tfrecord"
    with path.open("wb") as file:
        writer = TFRecordFormat().writer(file)
        for number, image in enumerate((jpeg(1), large.getvalue(), jpeg(2))):
            writer.add(Sample(f"k{number}", image, 0, "", 0, 0, ""))
    result = verify(str(path), worker_memory="220MB", workers=1)
    assert told(result.findings) == [("two.tfrecord", "undecodable", 1)]
    assert "needed more than" in result.findings[0].detail
    assert result.records == 3


def test_quick_and_repair_exclude_each_other(data_set: DataSet) -> None:
    with pytest.raises(UsageError, match="leave --quick away"):
        verify(data_set.dest, quick=True, repair=True)


def foreign(data_set: DataSet, folder: Path, *, packed: bool) -> list[Path]:
    """The shards as others would leave them: no manifest, other names, perhaps compressed."""
    folder.mkdir()
    paths = []
    for number, name in enumerate(sorted(path.name for path in data_set.path.glob("*.tfrecord"))):
        content = data_set.file(name).read_bytes()
        path = folder / f"validation-{number:05d}-of-00003{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
        paths.append(path)
    return paths


@pytest.mark.parametrize("packed", [False, True])
def test_files_of_others(data_set: DataSet, tmp_path: Path, packed: bool) -> None:
    paths = foreign(data_set, tmp_path / "theirs", packed=packed)
    result = verify(str(tmp_path / "theirs"))
    assert result.ok
    assert (result.shards, result.records) == (3, 24)
    assert Dataset.open(str(tmp_path / "theirs")).splits == ("validation",)
    assert verify(str(paths[0]), quick=True).ok
    assert verify(str(tmp_path / "theirs" / "validation-0000[12]*"), no_decode=True).shards == 2
    paths[2].unlink()
    assert told(verify(str(tmp_path / "theirs"), quick=True).findings) == [
        (f"validation-00002-of-00003{'.gz' if packed else ''}", "missing_shard", None)
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_repair_of_others_files_makes_a_copy(data_set: DataSet, tmp_path: Path, packed: bool) -> None:
    places = data_set.places()
    whole = data_set.file().read_bytes()
    data_set.flip(places[1].offset + 40)
    path = foreign(data_set, tmp_path / "theirs", packed=packed)[0]
    before = path.read_bytes()
    result = verify(str(tmp_path / "theirs"), repair=True)
    assert told(result.findings) == [(path.name, "data_crc", 1)]
    (repair,) = result.repairs
    assert (repair.action, repair.kept, repair.lost) == ("copied", len(places) - 1, 1)
    assert path.read_bytes() == before
    assert lines(result)[-1].startswith("Put the repaired copies")
    copy = path.with_name(repair.written_to).read_bytes()
    assert (gzip.decompress(copy) if packed else copy) == whole[: places[1].offset] + whole[places[2].offset :]
    assert verify(str(path.with_name(repair.written_to))).ok


def test_damaged_compression_is_told(data_set: DataSet, tmp_path: Path) -> None:
    path = foreign(data_set, tmp_path / "theirs", packed=True)[0]
    path.write_bytes(path.read_bytes()[:-100])
    result = verify(str(path), repair=True)
    assert told(result.findings) == [(path.name, "bad_compression", len(data_set.places()) - 1)]
    assert result.repairs[0].kept == len(data_set.places()) - 1
    assert verify(str(path.with_name(result.repairs[0].written_to))).ok


def test_an_image_alone_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds no shard"):
        verify(str(tmp_path))
    with pytest.raises(UsageError, match="there is nothing at"):
        verify(str(tmp_path / "absent"))


def test_a_record_that_is_no_example_is_found_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(frame_header(3) + b"abc" + frame_footer(b"abc"))
    assert told(verify(str(path)).findings) == [("a.tfrecord", "not_an_example", 0)]


def test_checking_changes_nothing(data_set: DataSet) -> None:
    before = contents(data_set.path)
    assert verify(data_set.dest, repair=True).ok
    assert contents(data_set.path) == before


def test_lines_are_few_and_harmless() -> None:
    finding = Finding("a\x1b[31m", "data_crc", "x\ny", 3, 4, "k\x07")
    result = VerifyResult("d", True, True, 1, 1, 1, 1.0, (finding,) * 80, 1000)
    told_lines = lines(result)
    assert len(told_lines) == MOST_SHOWN + 3
    assert told_lines[0] == "a\\x1b[31m record 3 at byte 4 (k\\x07): data_crc: x\\x0ay"
    assert "950 more findings" in told_lines[MOST_SHOWN]
    assert printable("ü ✓") == "ü ✓"
