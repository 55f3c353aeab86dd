"""Each way of damaging a shard, and exactly what is found."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from shardmill.formats.example import decode_example, encode_example
from shardmill.formats.framing import frame_footer, frame_header
from tests.operations.verify.conftest import FIRST, DataSet

INDEX = f"{FIRST}.idx"
TABLE = "_samples/part-00000.parquet"


def replace_payload(data_set: DataSet, record: int, **features: bytes | int) -> None:
    """Write a record anew with other features and right checksums; its length must stay."""
    place = data_set.places()[record]
    content = data_set.file().read_bytes()
    old = decode_example(content[place.offset + 12 : place.offset + place.length - 4])
    single = {name: value[0] for name, value in old.items()} | {
        name.replace("__", "/"): value for name, value in features.items()
    }
    payload = encode_example(single)  # type: ignore[arg-type]  # the records of ours hold bytes and ints
    frame = frame_header(len(payload)) + payload + frame_footer(payload)
    assert len(frame) == place.length
    data_set.file().write_bytes(content[: place.offset] + frame + content[place.offset + place.length :])


def test_nothing_is_found_in_a_whole_shard(data_set: DataSet) -> None:
    report = data_set.check()
    assert report.findings == ()
    assert report.good == len(data_set.places())
    assert report.bytes == data_set.file().stat().st_size
    assert sum(report.labels.values()) == report.good


@pytest.mark.parametrize(
    ("where", "kind"), [(0, "length_crc"), (9, "length_crc"), (12, "data_crc"), (200, "data_crc"), (-1, "data_crc")]
)
def test_a_flipped_byte(data_set: DataSet, where: int, kind: str) -> None:
    place = data_set.places()[2]
    data_set.flip(place.offset + where if where >= 0 else place.offset + place.length - 1)
    (finding,) = data_set.check().findings
    assert (finding.file, finding.kind, finding.record, finding.offset) == (FIRST, kind, 2, place.offset)
    assert finding.key == pq.read_table(data_set.file(TABLE)).filter(pc.field("index") == 2)["key"][0].as_py()
    assert "second read" in finding.detail


def test_record_numbers_stay_right_behind_a_gap(data_set: DataSet) -> None:
    places = data_set.places()
    content = bytearray(data_set.file().read_bytes())
    content[places[1].offset : places[3].offset] = bytes(places[3].offset - places[1].offset)
    data_set.file().write_bytes(content)
    data_set.flip(places[4].offset + 30)
    assert data_set.found() == [(FIRST, "length_crc", 1), (FIRST, "data_crc", 4), (FIRST, "length_crc", 2)]


def test_truncation_anywhere(data_set: DataSet) -> None:
    places = data_set.places()[-3:]
    whole = data_set.file().read_bytes()
    count = len(data_set.places())
    start = places[0].offset
    cuts = [*range(start, start + 40), *range(start + 40, len(whole), 97), len(whole) - 1]
    for size in cuts:
        data_set.file().write_bytes(whole[:size])
        whole_records = count - 3 + sum(place.offset + place.length <= size for place in places)
        at_boundary = size in {place.offset for place in places}
        expected = [] if at_boundary else [(FIRST, "truncated", whole_records)]
        if whole_records + len(expected) < count:
            expected.append((FIRST, "missing_records", whole_records + len(expected)))
        assert data_set.found() == expected, size


def test_two_records_swapped(data_set: DataSet) -> None:
    first, second = data_set.places()[1:3]
    content = data_set.file().read_bytes()
    one, two = (content[place.offset : place.offset + place.length] for place in (first, second))
    data_set.file().write_bytes(content[: first.offset] + two + one + content[second.offset + second.length :])
    assert len(one) != len(two)
    assert data_set.found() == [(FIRST, "wrong_record", 1), (FIRST, "wrong_record", 2)]


def test_an_additional_record(data_set: DataSet) -> None:
    place = data_set.places()[0]
    content = data_set.file().read_bytes()
    data_set.file().write_bytes(content + content[: place.length])
    count = len(data_set.places())
    assert data_set.found() == [(FIRST, "wrong_record", count)]


def test_an_image_that_does_not_decode_behind_a_right_checksum(data_set: DataSet) -> None:
    place = data_set.places()[2]
    content = data_set.file().read_bytes()
    image = decode_example(content[place.offset + 12 : place.offset + place.length - 4])["image/encoded"][0]
    assert isinstance(image, bytes)
    replace_payload(data_set, 2, image__encoded=image[: len(image) // 2] + bytes(len(image) - len(image) // 2))
    (finding,) = data_set.check().findings
    assert (finding.kind, finding.record, finding.offset) == ("undecodable", 2, place.offset)


def test_features_that_contradict_image_or_table(data_set: DataSet) -> None:
    replace_payload(data_set, 1, image__width=33)
    replace_payload(data_set, 2, image__class__label=77)
    assert data_set.found() == [(FIRST, "wrong_size", 1), (FIRST, "label_out_of_range", 2), (FIRST, "wrong_record", 2)]


def test_bytes_that_no_record_shows(data_set: DataSet) -> None:
    """Equal content in another order of features: every record reads well, and the file is not the one written."""
    place = data_set.places()[0]
    content = data_set.file().read_bytes()
    payload = content[place.offset + 12 : place.offset + place.length - 4]
    head = payload.index(b"\x0a", 1)
    first_entry = payload[head + 2 : head + 2 + payload[head + 1]]
    moved = payload[:head] + payload[head + 2 + len(first_entry) :] + payload[head : head + 2] + first_entry
    assert decode_example(moved) == decode_example(payload)
    data_set.file().write_bytes(frame_header(len(moved)) + moved + frame_footer(moved) + content[place.length :])
    assert data_set.found() == [(FIRST, "sha256", None)]


def test_the_shard_is_gone(data_set: DataSet) -> None:
    data_set.file().unlink()
    report = data_set.check()
    assert [(finding.file, finding.kind) for finding in report.findings] == [(FIRST, "missing_shard")]
    assert not report.present


def test_index_findings(data_set: DataSet) -> None:
    index = data_set.file(INDEX)
    lines = index.read_text().splitlines(keepends=True)
    for content, record in (
        ([*lines[:2], "1 2\n", *lines[3:]], 2),
        ([*lines[:2], "x\n", *lines[3:]], 2),
        (lines[:-1], None),
        ([*lines, "\n"], len(lines)),
        ([], None),
    ):
        index.write_text("".join(content))
        assert data_set.found() == [(INDEX, "index", record)], content
    index.unlink()
    assert data_set.found() == [(INDEX, "missing_index", None)]


def test_samples_findings(data_set: DataSet) -> None:
    path = data_set.file(TABLE)
    original = path.read_bytes()
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none")
    assert data_set.found() == [(TABLE, "samples", None)]  # same rows, other bytes
    pq.write_table(table.slice(1), path)
    assert data_set.found()[0] == (TABLE, "samples", None)
    path.write_bytes(original[: len(original) // 2])
    assert data_set.found() == [(TABLE, "samples", None)]
    unknown = table.set_column(table.schema.get_field_index("status"), "status", pa.array(["odd"] * len(table)))
    pq.write_table(unknown, path)
    assert data_set.found()[0] == (TABLE, "samples", None)
    path.unlink()
    assert data_set.found() == [(TABLE, "missing_samples", None)]


def test_a_flood_of_findings_is_counted_and_not_kept(data_set: DataSet) -> None:
    pq_path = data_set.file(TABLE)
    table = pq.read_table(pq_path)
    keys = pa.array([f"other/{row}" for row in range(len(table))])
    pq.write_table(table.set_column(0, "key", keys), pq_path)
    report = data_set.check()
    assert report.findings_total == len(data_set.places()) + 1
    assert len(report.findings) == report.findings_total <= 100
