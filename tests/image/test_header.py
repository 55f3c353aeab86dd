from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shardmill.image.base import Refused
from shardmill.image.header import JpegHeader, exif_orientation, read_jpeg_header, sniff, without_metadata
from tests.image.odd import SCENE, exif_with_orientation, saved
from tests.pictures import jpeg

pytestmark = pytest.mark.oldest


def header_of(data: bytes) -> JpegHeader:
    header = read_jpeg_header(data)
    assert isinstance(header, JpegHeader), header
    return header


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_sniffs_what_pillow_writes(kind: str) -> None:
    assert sniff(saved(SCENE, kind)) == kind.lower()


@pytest.mark.parametrize("data", [b"", b"\xff", b"RIFF1234WAVE", b"text", b"P7\nWIDTH"])
def test_sniffs_nothing(data: bytes) -> None:
    assert sniff(data) is None


def test_reads_a_plain_header() -> None:
    header = header_of(jpeg(1, 90, 60))
    assert (header.width, header.height, header.components, header.precision) == (90, 60, 3, 8)
    assert header.plain
    assert not header.rgb
    assert not header.junk
    assert (header.orientation, header.exif, header.icc, header.adobe_transform) == (1, None, None, None)


def test_knows_the_other_kinds() -> None:
    assert header_of(jpeg(1, progressive=True)).process == 0xC2
    assert header_of(saved(SCENE.convert("L"), "JPEG")).components == 1
    inked = header_of(saved(SCENE.convert("CMYK"), "JPEG"))
    assert (inked.components, inked.adobe_transform, inked.plain) == (4, 0, False)
    assert header_of(saved(SCENE, "JPEG", keep_rgb=True)).rgb


def test_joins_a_profile_of_many_segments() -> None:
    profile = bytes(range(256)) * 700
    assert header_of(jpeg(1, icc_profile=profile)).icc == profile


def test_profile_with_a_missing_segment_is_none() -> None:
    data = jpeg(1, icc_profile=bytes(range(256)) * 700)
    second = data.index(b"ICC_PROFILE\x00\x02")
    assert header_of(data[: second + 12] + b"\x03" + data[second + 13 :]).icc is None


def test_skips_junk_and_leaves_it_out() -> None:
    plain = jpeg(1)
    for junk in (b"\x00", b"junk", b"\xff\x00", b"\x12\xff\xff"):
        header = header_of(plain[:20] + junk + plain[20:])
        assert header.junk
        assert header.rebuilt(plain[:20] + junk + plain[20:]) == plain
    filled = header_of(plain[:20] + b"\xff\xff" + plain[20:])
    assert (filled.width, filled.height) == (96, 72)


@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_header_or_a_refusal(data: bytes) -> None:
    assert isinstance(read_jpeg_header(b"\xff\xd8\xff" + data), JpegHeader | Refused)


@given(place=st.integers(2, 400), value=st.integers(0, 255))
def test_any_byte_changed_gives_a_header_or_a_refusal(place: int, value: int) -> None:
    data = bytearray(jpeg(1, exif=exif_with_orientation(6)))
    data[place] = value
    assert isinstance(read_jpeg_header(bytes(data)), JpegHeader | Refused)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "code"), [(3, "HH"), (4, "I")])
@pytest.mark.parametrize(("value", "read"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1)])
def test_orientation_in_either_byte_order(order: str, kind: int, code: str, value: int, read: int) -> None:
    values = (value, 0) if code == "HH" else (value,)
    entry = struct.pack(order + "HHI" + code, 0x0112, kind, 1, *values)
    block = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "IH", 8, 1) + entry
    assert exif_orientation(block) == read
    assert exif_orientation(block[:-2]) in (1, read)


@given(data=st.binary(max_size=60))
def test_orientation_of_any_bytes(data: bytes) -> None:
    assert 1 <= exif_orientation(b"MM\x00*" + data) <= 8
    assert 1 <= exif_orientation(data) <= 8


@pytest.mark.parametrize("progressive", [False, True])
def test_metadata_is_left_out_wherever_it_stands(progressive: bool) -> None:
    bare = jpeg(1, progressive=progressive)
    loaded = jpeg(1, progressive=progressive, exif=exif_with_orientation(3), comment=b"private")
    last_scan = loaded.rindex(b"\xff\xda")
    comment = b"\xff\xfe\x00\x06late"
    if progressive:  # a comment between two scans, before the tables of the last
        last_scan = loaded.rindex(b"\xff\xc4", 0, last_scan)
        loaded = loaded[:last_scan] + comment + loaded[last_scan:]
    loaded += b"\xff\xd8 another image with its own place in it"
    stripped = without_metadata(loaded, header_of(loaded))
    assert stripped == bare
    with Image.open(io.BytesIO(stripped)) as image:
        image.load()
