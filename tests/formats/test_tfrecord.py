from __future__ import annotations

import gzip
import io
import random
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardmill.formats.base import Damage, FeatureKeys, Format, Placement, Sample
from shardmill.formats.example import FeatureValue, encode_example
from shardmill.formats.frames import MAX_RECORD
from shardmill.formats.framing import frame_footer, frame_header
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.testing.formats import RecordWiseConformance, read, samples, write
from tests.extras import needed

JPEG = b"\xff\xd8\xff\xe0 and more"


class TestImagenetKeys(RecordWiseConformance):
    @pytest.fixture
    def shard_format(self) -> Format:
        return TFRecordFormat()

    def test_exif_is_kept_where_there_is_some(self, shard_format: Format) -> None:
        sample = replace(samples(1)[0], exif=b"II*\0")
        ((_, found),) = read(shard_format, write(shard_format, [sample])[0])  # type: ignore[misc]
        assert found == sample


class TestTfdsKeys(RecordWiseConformance):
    @pytest.fixture
    def shard_format(self) -> Format:
        return TFRecordFormat("tfds")

    def same(self, one: Sample, other: Sample) -> bool:
        """tfds knows neither class names nor sizes in the record."""
        return replace(one, text="", width=0, height=0) == replace(other, text="", width=0, height=0)


def shard_of(count: int = 4) -> tuple[bytearray, list[Placement]]:
    shard, placements, _ = write(TFRecordFormat(), samples(count))
    return bytearray(shard), placements


def told(shard: bytes | bytearray) -> list[tuple[int, int, str] | str]:
    """Keys of the good records and places of the damage, in order."""
    return [
        (record.record, record.offset, record.kind) if isinstance(record, Damage) else record[1].key
        for record in read(TFRecordFormat(), bytes(shard))
    ]


def keys(*numbers: int) -> list[str]:
    return [samples()[number].key for number in numbers]


def record_of(**features: FeatureValue) -> bytes:
    payload = encode_example({name.replace("__", "/"): value for name, value in features.items()})
    return frame_header(len(payload)) + payload + frame_footer(payload)


def only(shard: bytes) -> Sample:
    (record,) = read(TFRecordFormat(), shard)
    assert isinstance(record, tuple)
    return record[1]


def test_index_has_a_line_a_record() -> None:
    _, placements, index = write(TFRecordFormat(), samples(2))
    lines = [f"{placement.offset} {placement.length}" for placement in placements]
    assert index.decode().split("\n") == [*lines, ""]
    assert lines[0].startswith("0 ")


@pytest.mark.parametrize("where", range(12))
def test_header_damage_costs_one_record(where: int) -> None:
    shard, places = shard_of()
    shard[places[1].offset + where] ^= 0x10
    assert told(shard) == [*keys(0), (1, places[1].offset, "length_crc"), *keys(2, 3)]


@pytest.mark.parametrize("where", [12, 40, -5, -4, -1])
def test_payload_or_footer_damage_costs_one_record(where: int) -> None:
    shard, places = shard_of()
    place = places[1].offset + where if where > 0 else places[2].offset + where
    shard[place] ^= 0x10
    assert told(shard) == [*keys(0), (1, places[1].offset, "data_crc"), *keys(2, 3)]


def test_payload_damage_before_header_damage_is_told_apart() -> None:
    shard, places = shard_of()
    shard[places[1].offset + 50] ^= 1
    shard[places[2].offset] ^= 1
    assert told(shard) == [*keys(0), (1, places[1].offset, "data_crc"), (2, places[2].offset, "length_crc"), *keys(3)]


def test_header_damage_before_payload_damage_is_told_apart() -> None:
    shard, places = shard_of()
    shard[places[1].offset] ^= 1
    shard[places[2].offset + 50] ^= 1
    assert told(shard) == [*keys(0), (1, places[1].offset, "length_crc"), (2, places[2].offset, "data_crc"), *keys(3)]


def test_damage_of_the_last_two_records() -> None:
    shard, places = shard_of()
    shard[places[2].offset + 50] ^= 1
    shard[places[3].offset] ^= 1
    assert told(shard) == [*keys(0, 1), (2, places[2].offset, "data_crc"), (3, places[3].offset, "length_crc")]


def test_bytes_missing_within_a_record_cost_that_record() -> None:
    shard, places = shard_of()
    del shard[places[1].offset + 30 : places[1].offset + 37]
    assert told(shard) == [*keys(0), (1, places[1].offset, "data_crc"), *keys(2, 3)]


def test_bytes_missing_within_the_last_record() -> None:
    shard, places = shard_of()
    del shard[places[3].offset + 30 : places[3].offset + 37]
    assert told(shard) == [*keys(0, 1, 2), (3, places[3].offset, "truncated")]


def test_a_cut_out_stretch_costs_the_records_it_touched() -> None:
    shard, places = shard_of()
    del shard[places[1].offset + 30 : places[2].offset + 30]
    first, damage, *_, last = told(shard)
    assert [first, last] == keys(0, 3)
    assert damage == (1, places[1].offset, "data_crc")


@pytest.mark.parametrize("garbage", [b"x" * 37, bytes(37), bytes(3_000_000), random.Random(3).randbytes(2_200_000)])
def test_garbage_between_records_costs_none(garbage: bytes) -> None:
    shard, places = shard_of()
    shard[places[2].offset : places[2].offset] = garbage
    assert told(shard) == [*keys(0, 1), (2, places[2].offset, "length_crc"), *keys(2, 3)]


def test_garbage_behind_the_last_record() -> None:
    shard, _ = shard_of()
    assert told(shard + b"abc") == [*keys(0, 1, 2, 3), (4, len(shard), "truncated")]
    assert told(shard + b"abc" * 9) == [*keys(0, 1, 2, 3), (4, len(shard), "length_crc")]


@pytest.mark.parametrize("claimed", [2**20, MAX_RECORD, 2**40, 2**63, 2**64 - 1])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_length_that_lies_allocates_nothing_and_hides_nothing(claimed: int, compressed: bool) -> None:
    shard, places = shard_of()
    lie = bytes(shard[: places[2].offset]) + frame_header(claimed) + bytes(shard[places[2].offset :])
    tracemalloc.start()
    found = told(gzip.compress(lie) if compressed else lie)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kind = "too_large" if compressed and claimed > MAX_RECORD else "truncated"
    assert found == [*keys(0, 1), (2, places[2].offset, kind), *keys(2, 3)]
    assert peak < 8_000_000


def test_a_file_is_read_in_the_memory_of_a_record(tmp_path: Path) -> None:
    record = frame_header(1_000_000) + bytes(1_000_000) + frame_footer(bytes(1_000_000))
    path = tmp_path / "zeros.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(60):
            file.write(record)
    tracemalloc.start()
    with path.open("rb") as file:
        count = sum(
            isinstance(found, Damage) and found.kind == "not_an_example" for found in TFRecordFormat().read(file)
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 60
    assert peak < 12_000_000


class _FlakyFile(io.RawIOBase):
    """A file whose first read of one byte gives another, as a bad cable or memory would."""

    def __init__(self, content: bytes, place: int) -> None:
        self._file, self._place, self._told = io.BytesIO(content), place, False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        start = self._file.tell()
        block = bytearray(self._file.read(len(buffer)))
        if not self._told and start <= self._place < start + len(block):
            block[self._place - start] ^= 1
            self._told = True
        buffer[: len(block)] = block
        return len(block)


@pytest.mark.parametrize(("image_bytes", "number"), [(30_000, 1), (10, 80)])
def test_a_second_read_tells_the_file_from_the_way_to_it(image_bytes: int, number: int) -> None:
    """Large records, which pass a file's buffer by, and small ones, which share it."""
    shard, places, _ = write(TFRecordFormat(), samples(number + 2, image_bytes=image_bytes))
    place = places[number].offset + 60
    flaky = io.BufferedReader(_FlakyFile(shard, place))
    (damage,) = [record for record in TFRecordFormat().read(flaky) if isinstance(record, Damage)]
    assert (damage.record, damage.kind) == (number, "data_crc")
    assert "other bytes" in damage.detail
    damaged = shard[:place] + bytes([shard[place] ^ 1]) + shard[place + 1 :]
    (damage,) = [record for record in read(TFRecordFormat(), damaged) if isinstance(record, Damage)]
    assert "the same bytes" in damage.detail


@pytest.mark.parametrize(
    "compress", [gzip.compress, zlib.compress, lambda shard: gzip.compress(shard[:99]) + gzip.compress(shard[99:])]
)
def test_compressed_files(compress: Any) -> None:
    shard, places = shard_of()
    assert told(compress(bytes(shard))) == keys(0, 1, 2, 3)
    shard[places[1].offset + 60] ^= 1
    assert told(compress(bytes(shard))) == [*keys(0), (1, places[1].offset, "data_crc"), *keys(2, 3)]


def test_a_compressed_file_cut_anywhere_keeps_what_came_before() -> None:
    shard, _ = shard_of()
    whole = gzip.compress(bytes(shard))
    for size in range(12, len(whole)):
        *before, last = told(whole[:size])
        assert before == keys(0, 1, 2, 3)[: len(before)], size
        assert isinstance(last, tuple), size
        assert (last[0], last[2]) == (len(before), "bad_compression"), size
    assert len(told(whole[: len(whole) // 2])) > 1


def test_damage_within_compression_keeps_what_came_before() -> None:
    shard, _, _ = write(TFRecordFormat(), samples(4, image_bytes=60_000))
    packed = bytearray(gzip.compress(shard))
    packed[-20_000] ^= 0x55
    found = told(bytes(packed))
    assert found[:3] == keys(0, 1, 2)
    assert isinstance(found[3], tuple)
    assert found[3][2] in ("bad_compression", "data_crc")


def test_a_wrong_gzip_checksum_is_told_behind_good_records() -> None:
    shard, _ = shard_of()
    packed = bytearray(gzip.compress(bytes(shard)))
    packed[-6] ^= 1
    assert told(packed) == [*keys(0, 1, 2, 3), (4, len(shard), "bad_compression")]


def test_a_length_that_looks_like_gzip_is_none() -> None:
    probe = 0x088B1F - len(encode_example({"image": JPEG})) - 64
    payloads = (encode_example({"image": JPEG + bytes(pad)}) for pad in range(probe, probe + 128))
    payload = next(payload for payload in payloads if len(payload) == 0x088B1F)
    shard = bytearray(frame_header(len(payload)) + payload + frame_footer(payload))
    assert shard[:3] == b"\x1f\x8b\x08"
    assert only(bytes(shard)).image[: len(JPEG)] == JPEG
    shard[9] ^= 1  # its checksum does not vouch for it now
    assert told(shard) == [(0, 0, "length_crc")]


def test_whatever_others_call_their_features() -> None:
    img2dataset = record_of(jpg=JPEG, key=b"000000012", txt=b"a cat", url=b"http://x/y.jpg", width=3, height=4)
    assert only(img2dataset) == Sample("000000012", JPEG, -1, "a cat", 3, 4, "000000012", "JPEG")
    tfds = record_of(image=b"\x89PNG\r\n\x1a\n..", label=7, file_name=b"d/e.png")
    assert only(tfds) == Sample("d/e.png", b"\x89PNG\r\n\x1a\n..", 7, "", 0, 0, "d/e.png", "PNG")
    unheard = record_of(scan=JPEG, brand=b"BMW", label=b"cat", weights=[0.5, 1.5])
    assert only(unheard) == Sample("", JPEG, -1, "cat", 0, 0, "", "JPEG")
    slim = record_of(image__encoded=JPEG, image__class__label=4, image__class__synset=b"n01", image__filename=b"a.JPEG")
    assert (only(slim).label, only(slim).text, only(slim).filename) == (4, "n01", "a.JPEG")


def test_payloads_that_are_whole_and_no_image() -> None:
    other = frame_header(4) + b"abcd" + frame_footer(b"abcd")
    (damage,) = read(TFRecordFormat(), other)
    assert isinstance(damage, Damage)
    assert damage.kind == "not_an_example"
    (damage,) = read(TFRecordFormat(), record_of(caption=b"BMW", label=3))
    assert isinstance(damage, Damage)
    assert damage.kind == "no_image"
    assert only(record_of(image=b"rotten")).image == b"rotten"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_yields_only_records_that_were_written(data: st.DataObject) -> None:
    shard, _ = shard_of()
    whole = keys(0, 1, 2, 3)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(shard) - 1))
        action = data.draw(st.sampled_from(["flip", "cut", "insert", "truncate"]))
        if action == "flip":
            shard[place] ^= data.draw(st.integers(1, 255))
        elif action == "cut":
            del shard[place : place + data.draw(st.integers(1, 300))]
        elif action == "insert":
            shard[place:place] = data.draw(st.binary(min_size=1, max_size=300))
        else:
            del shard[place:]
        if not shard:
            return
    good = [item for item in told(shard) if isinstance(item, str)]
    assert [key for key in whole if key in good] == good


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("names", ["imagenet", "tfds"])
def test_tensorflow_reads_what_we_write(tmp_path: Path, names: FeatureKeys) -> None:
    tf = needed("tensorflow")
    shard, _, _ = write(TFRecordFormat(names), samples())
    path = tmp_path / "shard"
    path.write_bytes(shard)
    imagenet = {
        "encoded": b"",
        "class/label": 0,
        "class/text": b"",
        "height": 0,
        "width": 0,
        "channels": 0,
    } | dict.fromkeys(("format", "filename", "key", "colorspace"), b"")
    types = (
        {f"image/{name}": value for name, value in imagenet.items()}
        if names == "imagenet"
        else {"image": b"", "label": 0, "file_name": b""}
    )
    features = {
        name: tf.io.FixedLenFeature([], tf.string if value == b"" else tf.int64) for name, value in types.items()
    }
    parsed = [tf.io.parse_single_example(record, features) for record in tf.data.TFRecordDataset(str(path))]
    assert len(parsed) == 4
    for sample, record in zip(samples(), parsed, strict=True):
        found = {name: value.numpy() for name, value in record.items()}
        if names == "tfds":
            assert found == {"image": sample.image, "label": sample.label, "file_name": sample.filename.encode()}
            continue
        assert found == {
            "image/encoded": sample.image,
            "image/class/label": sample.label,
            "image/class/text": sample.text.encode(),
            "image/height": sample.height,
            "image/width": sample.width,
            "image/channels": 3,
            "image/format": b"JPEG",
            "image/filename": sample.filename.encode(),
            "image/key": sample.key.encode(),
            "image/colorspace": b"RGB",
        }


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_we_read_what_tensorflow_writes(tmp_path: Path, compression: str) -> None:
    tf = needed("tensorflow")
    path = tmp_path / "shard"
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for number in range(3):
            feature = {
                "jpg": tf.train.Feature(bytes_list=tf.train.BytesList(value=[JPEG])),
                "cls": tf.train.Feature(int64_list=tf.train.Int64List(value=[number - 1])),
                "box": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.0])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    with path.open("rb") as file:
        found = list(TFRecordFormat().read(file))
    assert [(record[1].image, record[1].label) for record in found if isinstance(record, tuple)] == [
        (JPEG, -1),
        (JPEG, 0),
        (JPEG, 1),
    ]


def test_framing_as_documented() -> None:
    payload = b"payload"
    assert struct.unpack("<Q", frame_header(len(payload))[:8]) == (7,)
    assert frame_header(0).hex() == "000000000000000029039807"  # known from TensorFlow's own files
