from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shardmill.dataset import Dataset
from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Placement, Sample
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.operations.prepare.run import prepare
from shardmill.operations.show.run import show
from shardmill.operations.show.sampling import draw_samples
from shardmill.operations.show.words import lines

COLOURS = {"blue": (20, 40, 220), "green": (10, 150, 20), "red": (230, 20, 30)}


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (48, 32)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG", quality=95)
    return file.getvalue()


def samples(names: Iterable[str], labelled: bool = True) -> list[Sample]:
    found = []
    for number, name in enumerate(names):
        label, text = (list(COLOURS).index(name), name) if labelled else (-1, "")
        key = f"{name}/{number}.jpg"
        found.append(Sample(key, jpeg(COLOURS[name]), label, text, 48, 32, f"{number}.jpg"))
    return found


def write_shard(path: Path, records: list[Sample], *, index: bool = False) -> list[Placement]:
    with path.open("wb") as file:
        writer = TFRecordFormat().writer(file)
        for sample in records:
            writer.add(sample)
        content = writer.finish()
    if index:
        path.with_name(path.name + ".idx").write_bytes(content)
    return writer.placements


def near(sheet: str, colour: tuple[int, int, int]) -> int:
    with Image.open(sheet) as image:
        pixels = np.asarray(image.convert("RGB"), np.int16)
    return int((np.abs(pixels - np.array(colour)).max(axis=2) < 14).sum())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 red, 20 green, 4 blue images in 4 shards; one empty file and one text among them."""
    root = tmp_path_factory.mktemp("prepared")
    for name, count in (("red", 60), ("green", 20), ("blue", 4)):
        folder = root / "photos" / name
        folder.mkdir(parents=True)
        for number in range(count):
            red, green, blue = COLOURS[name]
            shade = min(255, green + number % 5)
            (folder / f"{number}.jpg").write_bytes(jpeg((red, shade, blue), (40 + number, 40)))
    (root / "photos/red/void.jpg").write_bytes(b"")
    (root / "photos/green/page.jpg").write_text("<html>")
    prepare(
        str(root / "photos"),
        str(root / "set"),
        size="64",
        num_shards="4",
        splits="train=0.7,val=0.3",
        max_errors="5%",
        workers=1,
    )
    return root / "set"


def test_a_prepared_set_is_told_from_its_manifest(prepared: Path) -> None:
    result = show(str(prepared))
    facts = result.facts
    assert facts.prepared
    assert (facts.records, facts.shards, facts.failed, facts.skipped) == (84, 4, 2, 0)
    assert [(entry.label, entry.name, entry.count) for entry in facts.classes] == [
        (0, "blue", 4),
        (1, "green", 20),
        (2, "red", 60),
    ]
    assert facts.bytes == sum(path.stat().st_size for path in prepared.glob("*.tfrecord"))
    assert sum(split["written"] for split in facts.splits.values()) == 84
    assert facts.source_sizes[0] == (40, 40)
    assert facts.source_sizes[-1] == (99, 40)
    assert facts.reasons == {"empty": 1, "not_an_image": 1}
    assert {key for key, _ in facts.failures} == {"red/void.jpg", "green/page.jpg"}
    assert facts.mean is not None
    assert facts.mean[0] > facts.mean[1]
    assert (result.shown, result.shown_sizes, result.damage) == (40, {"64x64": 40}, ())
    assert result.sheet == str(prepared.with_name("set-contact-sheet.png"))
    json.dumps(asdict(result))


def test_classes_get_equal_shares(prepared: Path) -> None:
    draw = draw_samples(Dataset.open(str(prepared)), 24, 0)
    assert Counter(sample.text for sample in draw.samples) == {"blue": 4, "green": 10, "red": 10}
    assert [sample.label for sample in draw.samples] == sorted(sample.label for sample in draw.samples)
    assert len({sample.key for sample in draw.samples}) == 24


def test_splits_are_all_looked_at(prepared: Path) -> None:
    dataset = Dataset.open(str(prepared))
    of_split = {
        record[1].key: shard.split
        for shard in dataset.shards
        for record in dataset.records(shard)
        if isinstance(record, tuple)
    }
    drawn = Counter(of_split[sample.key] for sample in draw_samples(dataset, 12, 0).samples)
    assert set(drawn) == {"train", "val"}


def test_a_seed_decides(prepared: Path, tmp_path: Path) -> None:
    sheets = [
        show(str(prepared), output=str(tmp_path / f"{seed}-{turn}.png"), seed=seed, count=9).sheet
        for seed in (0, 1)
        for turn in (0, 1)
    ]
    contents = [Path(sheet).read_bytes() for sheet in sheets]
    assert contents[0] == contents[1]
    assert contents[2] == contents[3]
    assert contents[0] != contents[2]


def test_the_pictures_are_on_the_sheet(prepared: Path, tmp_path: Path) -> None:
    result = show(str(prepared), output=str(tmp_path / "sheet.png"), count=3)
    for colour in COLOURS.values():
        assert near(result.sheet, colour) > 40_000


def test_lines_hold_the_facts(prepared: Path) -> None:
    result = show(str(prepared))
    text = "\n".join(lines(result))
    for words in ("84 images in 4 shards", "red", "64x64", "1 empty, 1 not an image", "red/void.jpg", result.sheet):
        assert words in text
    bars = {line.split()[0]: line.count("█") for line in lines(result) if "█" in line}
    assert bars["red"] == 32
    assert bars["red"] > bars["green"] > bars["blue"] > 0


def test_an_unfinished_set_is_refused(prepared: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in prepared.iterdir():
        if path.is_file() and path.name != "_SUCCESS":
            (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DamageError, match="not finished"):
        show(str(copy))
    result = show(str(copy), allow_incomplete=True, count=6)
    assert not result.facts.complete
    assert result.shown == 6  # the tables are not there either: the shards themselves are asked
    assert "NOT FINISHED" in lines(result)[0]


@pytest.mark.parametrize("index", [True, False])
def test_files_that_others_wrote(tmp_path: Path, index: bool) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    write_shard(folder / "train-00000-of-00002.tfrecord", samples(["red"] * 30), index=index)
    write_shard(folder / "train-00001-of-00002.tfrecord", samples(["green"] * 5 + ["blue"] * 5), index=index)
    result = show(str(folder), count=12)
    assert not result.facts.prepared
    assert (result.facts.records, result.facts.shards, result.facts.missing_shards) == (40, 2, 0)
    assert {entry.name: entry.count for entry in result.facts.classes} == {"blue": 5, "green": 5, "red": 30}
    assert result.shown == 12
    for colour in COLOURS.values():
        assert near(result.sheet, colour) > 3 * 40_000


def test_counts_of_classes_are_not_guessed(tmp_path: Path) -> None:
    write_shard(tmp_path / "train.tfrecord", samples(["red"] * 50 + ["blue"] * 50))
    result = show(str(tmp_path / "train.tfrecord"), count=4, output=str(tmp_path / "sheet.png"))
    assert result.facts.records == 100
    assert [(entry.name, entry.count) for entry in result.facts.classes] == [("blue", None), ("red", None)]


def test_compressed_files(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    write_shard(plain, samples(["red", "green", "blue"] * 6))
    folder = tmp_path / "zipped"
    folder.mkdir()
    (folder / "val-00000-of-00003.tfrecord.gz").write_bytes(gzip.compress(plain.read_bytes()))
    result = show(str(folder), count=6)
    assert (result.facts.records, result.shown, result.facts.missing_shards) == (18, 6, 2)
    assert "2 files" in "\n".join(lines(result))
    assert all(near(result.sheet, colour) > 2 * 40_000 for colour in COLOURS.values())


def test_unlabelled_records(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tfrecord", samples(["red"] * 7, labelled=False))
    result = show(str(tmp_path / "a.tfrecord"), output=str(tmp_path / "sheet.png"))
    assert (result.shown, result.facts.classes, result.facts.unlabelled) == (7, (), 7)


def test_an_index_of_another_kind_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, samples(["red"] * 7))
    (tmp_path / "a.tfrecord.idx").write_text("0 99999999\n")
    assert show(str(path), output=str(tmp_path / "sheet.png")).shown == 7


def test_damage_is_told_and_the_rest_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    placements = write_shard(path, [*samples(["red"] * 4), Sample("bad", b"\xff\xd8\xff junk", 2, "red", 1, 1, "bad")])
    content = bytearray(path.read_bytes())
    content[placements[1].offset + placements[1].length // 2] ^= 0xFF
    path.write_bytes(content)
    result = show(str(path), output=str(tmp_path / "sheet.png"))
    assert result.shown == 3
    assert len(result.damage) == 2
    assert any(f"data_crc at byte {placements[1].offset}" in what for _, what in result.damage)
    assert any(where == "bad" for where, _ in result.damage)
    assert "2 records" in "\n".join(lines(result))


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    placements = write_shard(path, samples(["red"] * 4))
    path.write_bytes(path.read_bytes()[: placements[3].offset + 40])
    result = show(str(path), output=str(tmp_path / "sheet.png"))
    assert result.shown == 3
    assert "truncated" in result.damage[0][1]


def test_nothing_but_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"this is not a TFRecord file, whatever its name says")
    with pytest.raises(DamageError, match="no record that can be shown"):
        show(str(path), output=str(tmp_path / "sheet.png"))
    assert not (tmp_path / "sheet.png").exists()


def test_wrong_requests(tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(UsageError, match="nothing at"):
        show(str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="--count is 0"):
        show(str(prepared), count=0)
    with pytest.raises(UsageError, match="png"):
        show(str(prepared), output=str(tmp_path / "sheet.jpg"))
    with pytest.raises(UsageError, match="cannot write"):
        show(str(prepared), output=str(tmp_path / "absent" / "sheet.png"))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        show(str(prepared), output=str(tmp_path / "folder.png"))
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.png"]
