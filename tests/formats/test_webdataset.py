from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from shardmill.errors import UsageError
from shardmill.formats.base import Damage, Format, FormatOptions, Sample
from shardmill.formats.webdataset import WebDatasetFormat, member_stem
from shardmill.testing.formats import RecordWiseConformance, read, samples, write
from tests.extras import needed
from tests.pictures import jpeg

JPEG = b"\xff\xd8\xff\xe0 and more"
LONG = "./" + "d" * 70 + "/" + "y" * 70


class TestWebDataset(RecordWiseConformance):
    @pytest.fixture
    def shard_format(self) -> Format:
        return WebDatasetFormat()


def members(*named: tuple[str, bytes], how: int = tarfile.USTAR_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=how) as tar:
        for name, content in named:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def only(shard: bytes) -> Sample:
    (record,) = read(WebDatasetFormat(), shard)
    assert isinstance(record, tuple), record
    return record[1]


def test_exif_is_kept_where_there_is_some() -> None:
    sample = replace(samples(1)[0], exif=b"II*\0")
    assert only(write(WebDatasetFormat(), [sample])[0]) == sample


def test_members_of_a_shard() -> None:
    shard, _, index = write(WebDatasetFormat(), [replace(samples(1)[0], key="a.b/c d.jpeg", image=jpeg(1))])
    with tarfile.open(fileobj=io.BytesIO(shard)) as tar:
        entries = tar.getmembers()
        assert [entry.name for entry in entries] == [f"a%2Eb/c%20d%2Ejpeg.{kind}" for kind in ("jpg", "cls", "json")]
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in entries} == {
            (0, 0, 0, "", "", 0o644)
        }
        lines = [line.split(" ") for line in index.decode().splitlines()]
        assert lines[0] == ["v1.2", "1"]
        told = [tuple(lines[1][at : at + 4]) for at in range(0, len(lines[1]), 4)]
        assert told == [
            (entry.name.rpartition(".")[2], str(entry.offset_data), str(entry.size), entry.name) for entry in entries
        ]


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("ash/0001.jpg", "ash/0001%2Ejpg"),
        ("__x__/a", "%5F_x__/a"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/a//b/", "%2Fa/%2Fb%2F"),
        ("100%.png", "100%25%2Epng"),
        ("rosé\n", "ros%C3%A9%0A"),
        ("", "%"),
    ],
)
def test_stems(key: str, stem: str) -> None:
    assert member_stem(key) == stem


def test_keys_that_differ_by_an_ending_stay_apart() -> None:
    pair = [replace(samples(1)[0], key=key) for key in ("a.jpg", "a.png", "a")]
    found = read(WebDatasetFormat(), write(WebDatasetFormat(), pair)[0])
    assert [record[1].key for record in found if isinstance(record, tuple)] == ["a.jpg", "a.png", "a"]


def test_long_names_are_read_back() -> None:
    long = [replace(samples(1)[0], key=f"{'x' * 150}/{number}") for number in range(2)]
    shard, placements, index = write(WebDatasetFormat(), long)
    assert [record[1] for record in read(WebDatasetFormat(), shard) if isinstance(record, tuple)] == long
    assert WebDatasetFormat().parse_index(index) == placements


@pytest.mark.parametrize("how", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_others(how: int) -> None:
    shard = members(
        (LONG + ".jpg", JPEG),
        (LONG + ".txt", "une fleur é".encode()),
        (LONG + ".json", json.dumps({"label": 4, "width": 7, "sha256": "?", "list": [1]}).encode()),
        ("d/.hidden", b"?"),
        ("z.seg.png", JPEG),
        ("z.cls", b" 12\n"),
        how=how,
    )
    first, second = (record[1] for record in read(WebDatasetFormat(), shard) if isinstance(record, tuple))
    assert (first.label, first.text, first.width, first.image) == (4, "une fleur é", 7, JPEG)
    assert first.key == LONG
    assert (second.key, second.label, second.image) == ("z", 12, JPEG)
    zipped = read(WebDatasetFormat(), gzip.compress(shard))
    assert [record[1] for record in zipped if isinstance(record, tuple)] == [first, second]
    assert WebDatasetFormat().locate(io.BytesIO(gzip.compress(shard))) is None


def test_samples_that_are_none() -> None:
    shard = members(("a.txt", b"no image"), ("b.jpg", JPEG), ("b.json", b"{"), ("c.jpg", JPEG))
    first, second, third = read(WebDatasetFormat(), shard)
    assert isinstance(first, Damage)
    assert isinstance(second, Damage)
    assert (first.kind, second.kind) == ("no_image", "bad_member")
    assert isinstance(third, tuple)


def test_next_to_damage_only_a_checksum_counts() -> None:
    shard = bytearray(members(("a.jpg", JPEG), ("a.cls", b"1"), ("b.jpg", JPEG), ("b.cls", b"2"), ("c.jpg", JPEG)))
    shard[1024] ^= 1  # the header of a.cls
    first, *rest = read(WebDatasetFormat(), bytes(shard))
    assert isinstance(first, Damage)
    assert (first.kind, first.offset) == ("header", 0)
    assert [record[1].key for record in rest if isinstance(record, tuple)] == ["b", "c"]


def test_what_follows_the_end_is_told() -> None:
    shard, _, _ = write(WebDatasetFormat(), samples(1))
    found = read(WebDatasetFormat(), shard + shard)
    assert [record.kind if isinstance(record, Damage) else record[1] for record in found] == [
        samples()[0],
        "behind_end",
    ]


def test_compression_is_refused() -> None:
    with pytest.raises(UsageError, match="--compression gzip is not for webdataset"):
        WebDatasetFormat.from_options(FormatOptions(compression="gzip"))
    with pytest.raises(UsageError, match="--feature-keys is for --format tfrecord"):
        WebDatasetFormat.from_options(FormatOptions(feature_keys="tfds"))


@pytest.mark.filterwarnings("ignore:unclosed file")  # left to the garbage collector by webdataset
@pytest.mark.filterwarnings("ignore:Exception ignored in")
def test_webdataset_reads_every_sample(tmp_path: Path) -> None:
    wds = needed("webdataset")
    written = [
        replace(samples(1)[0], key=f"{name}.jpg", image=jpeg(number, 32, 24), label=number)
        for number, name in enumerate(["a.b", "__meta__/x", "deep/er/é", "q" * 140])
    ]
    (tmp_path / "t.tar").write_bytes(write(WebDatasetFormat(), written)[0])
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(str(tmp_path / "t.tar")), wds.tarfile_to_samples(), wds.decode("rgb8")
    )
    found = list(pipeline)
    assert [sample["json"]["key"] for sample in found] == [sample.key for sample in written]
    assert [sample["cls"] for sample in found] == [0, 1, 2, 3]
    assert [sample["jpg"].shape for sample in found] == [(24, 32, 3)] * 4
