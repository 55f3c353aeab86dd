"""The codec's pixels against Pillow's, and what it takes against what libjpeg-turbo does."""

from __future__ import annotations

import io
import itertools
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from shardmill.image.base import ImageSpec, Refused, SourceFacts
from shardmill.image.geometry import Box, plan_geometry
from shardmill.image.jpeg import library as module
from shardmill.image.jpeg.codec import Codec
from shardmill.image.jpeg.library import VARIABLE, library, runnable
from shardmill.image.libjpeg import decode
from shardmill.image.native import NativeTransform
from tests.image.conformance import psnr
from tests.image.jpeg.streams import (
    DHT,
    DNL,
    DQT,
    DRI,
    EOI,
    SOF0,
    SOS,
    Component,
    Hand,
    before,
    changed,
    inserted,
    place,
    segment,
    segments,
)
from tests.image.odd import exif_with_orientation, saved, stored_as
from tests.image.test_native import detailed

OVERSAMPLING = 1.3
HELD = 2**16  # bytes of a scan: SCAN_ROOM of codec.h
SCENE = detailed(230, 170)
GRAY = SCENE.convert("L")
CHROMA = ("444", "422", "420", "440", "411")
FACTORS = {"444": (1, 1), "422": (2, 1), "420": (2, 2), "440": (1, 2), "411": (4, 1), "441": (1, 4)}
Size = tuple[int, int]
Pixels = NDArray[np.uint8]


def with_chroma(image: Image.Image, chroma: str, quality: int = 90) -> bytes:
    stream: bytes = simplejpeg.encode_jpeg(np.asarray(image), quality=quality, colorsubsampling=chroma)
    return stream


def by_hand(chroma: str, width: int = 75, height: int = 53, **options: Any) -> bytes:  # fields of Hand
    """Random coefficients, each component with tables of its own."""
    luma = Component(FACTORS[chroma])
    return Hand(width, height, [luma, Component((1, 1), 1, (1, 2)), Component((1, 1), 2, (3, 1))], **options).stream()


PLAIN = saved(SCENE, "JPEG", quality=85)
SMALL = saved(SCENE.resize((40, 33)), "JPEG", quality=85)


def claimed_size(stream: bytes) -> Size:
    """What the frame header says, whatever else is wrong; that of SCENE where there is none."""
    frame = re.search(rb"\xff[\xc0-\xc3\xc9]\0.\x08(....)[\1\2\3\4]", stream, re.DOTALL)
    if frame is None:
        return SCENE.size
    height, width = struct.unpack(">HH", frame[1])
    return width or SCENE.width, height or SCENE.height


def resized(stream: bytes, size: Size = (50, 40), box: Box | None = None, codec: Codec | None = None) -> Pixels | None:
    stored = claimed_size(stream)
    return (codec or Codec()).resized(stream, stored, box or (0.0, 0.0, *stored), size, OVERSAMPLING)


def taken(stream: bytes, size: Size = (50, 40), box: Box | None = None) -> Pixels:
    pixels = resized(stream, size, box)
    assert pixels is not None
    return pixels


def reference(stream: bytes, size: Size, box: Box | None = None) -> Pixels:
    with Image.open(io.BytesIO(stream)) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box))


def farthest(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other).max())


def accepted(stream: bytes) -> bool:
    """By libjpeg-turbo, without a warning."""
    return not isinstance(decode(stream, SourceFacts("jpeg", *claimed_size(stream))), Refused)


# --- pixels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(460, 400), (230, 170), (229, 171), (180, 150)])
@pytest.mark.parametrize("quality", [1, 20, 75, 100])
def test_gray_is_exact_but_for_roundings(size: Size, quality: int) -> None:
    stream = saved(GRAY, "JPEG", quality=quality)
    assert farthest(taken(stream, size), reference(stream, size)) <= 2


@pytest.mark.parametrize("size", [(460, 400), (230, 170), (180, 150), (57, 43)])
@pytest.mark.parametrize("chroma", CHROMA)
def test_colours_at_whole_size(size: Size, chroma: str) -> None:
    """Pillow repeats samples of 4:1:1 before it resizes; of the other kinds it blends neighbours."""
    stream = with_chroma(SCENE.resize((230, 170)), chroma)
    box = (0.0, 0.0, 230.0, 170.0) if size != (57, 43) else (100.0, 60.0, 157.0, 103.0)
    found, expected = taken(stream, size, box), reference(stream, size, box)
    if chroma == "411":
        assert psnr(found, expected) > 38
    else:
        assert farthest(found, expected) <= 5


@pytest.mark.parametrize("times", [1.31, 1.7, 2.61, 3.4, 5.3, 9.0, 17.0, 60.0])
@pytest.mark.parametrize("chroma", [*CHROMA, "gray"])
def test_smaller_from_a_coarser_decode(times: float, chroma: str) -> None:
    scene = detailed(610, 490)
    stream = saved(scene.convert("L"), "JPEG") if chroma == "gray" else with_chroma(scene, chroma)
    size = max(1, round(610 / times)), max(1, round(490 / times))
    assert psnr(taken(stream, size), reference(stream, size)) > 38


@pytest.mark.parametrize("chroma", CHROMA)
def test_flat_colours(chroma: str) -> None:
    levels, off = (0, 60, 128, 255), []
    for colour in itertools.product(levels, levels, levels):
        stream = with_chroma(Image.new("RGB", (33, 17), colour), chroma, 100)
        for size in ((33, 17), (7, 5), (2, 1)):
            found, expected = taken(stream, size), reference(stream, size)
            assert farthest(found, expected) <= 1
            off.append(np.abs(found[0, 0].astype(int) - expected[0, 0]).mean())
    assert np.mean(off) < 0.1


@pytest.mark.parametrize("quality", range(1, 101, 9))
def test_qualities(quality: int) -> None:
    stream = saved(SCENE, "JPEG", quality=quality, subsampling=0)
    found, expected = taken(stream, (140, 100)), reference(stream, (140, 100))
    assert psnr(found, expected) > 44


@pytest.mark.parametrize("chroma", [*CHROMA, "gray"])
def test_sizes_from_one_pixel_on(chroma: str) -> None:
    codec = Codec()
    for width in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33):
        for height in (1, 2, 8, 9, 16, 17, 34):
            part = SCENE.crop((40, 40, 40 + width, 40 + height))
            stream = saved(part.convert("L"), "JPEG") if chroma == "gray" else with_chroma(part, chroma, 98)
            for size in ((width, height), (11, 5)):
                found = resized(stream, size, codec=codec)
                assert found is not None
                expected = reference(stream, size)
                assert farthest(found, expected) <= 2 if chroma == "gray" else psnr(found, expected) > 33


@pytest.mark.parametrize(
    "box",
    [
        (0.0, 0.0, 1.0, 1.0),
        (229.0, 169.0, 230.0, 170.0),
        (0.0, 100.25, 60.5, 170.0),
        (169.5, 0.0, 230.0, 60.125),
        (3.7, 11.9, 200.3, 160.1),
        (8.0, 16.0, 136.0, 144.0),
        (15.5, 0.5, 16.5, 169.5),
        (120.0, 80.0, 120.5, 80.25),
    ],
)
@pytest.mark.parametrize("size", [(64, 64), (9, 33), (1, 1)])
@pytest.mark.parametrize("chroma", ["444", "420", "gray"])
def test_boxes(box: Box, size: Size, chroma: str) -> None:
    stream = saved(GRAY, "JPEG", quality=95) if chroma == "gray" else with_chroma(SCENE, chroma, 95)
    assert psnr(taken(stream, size, box), reference(stream, size, box)) > 38


@pytest.mark.parametrize("chroma", [*FACTORS])
@pytest.mark.parametrize("restart", [0, 1, 5])
def test_tables_of_its_own_for_every_component(chroma: str, restart: int) -> None:
    stream = by_hand(chroma, restart=restart, seed=restart)
    assert accepted(stream)
    for size in ((70, 50), (20, 15), (7, 5), (2, 2)):
        assert psnr(taken(stream, size), reference(stream, size)) > 30


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (4, 1), (3, 2)])
def test_sampling_factors_of_gray_mean_nothing(factors: tuple[int, int]) -> None:
    stream = Hand(43, 29, [Component(factors)], restart=4).stream()
    assert accepted(stream)
    assert farthest(taken(stream), reference(stream, (50, 40))) <= 2


@pytest.mark.parametrize("density", [0.0, 0.02, 0.9, 1.0])
def test_blocks_empty_and_full(density: float) -> None:
    stream = by_hand("420", density=density)
    for size in ((75, 53), (25, 18), (9, 6)):
        assert psnr(taken(stream, size), reference(stream, size)) > 30


def test_hard_edges_at_the_extremes() -> None:
    board = np.kron(np.indices((20, 20)).sum(0) % 2 * 255, np.ones((3, 3))).astype(np.uint8)
    stream = saved(Image.fromarray(board), "JPEG", quality=100)
    assert farthest(taken(stream, (60, 60)), board[:, :, None]) <= 2
    for size in ((333, 47), (59, 61)):  # Pillow clips between across and down, the codec does not
        assert psnr(taken(stream, size), reference(stream, size)) > 32


@pytest.mark.parametrize(
    ("stored", "size"),
    [((4001, 1), (2, 1)), ((1, 4001), (1, 3)), ((3000, 2), (1, 1)), ((2, 2), (1500, 2)), ((65500, 8), (5, 8))],
)
def test_extreme_scales(stored: Size, size: Size) -> None:
    stream = saved(GRAY.resize(stored), "JPEG", quality=95)
    assert farthest(taken(stream, size), reference(stream, size)) <= 2


@pytest.mark.parametrize("restart", [0, 1, 40, 2000])
@pytest.mark.parametrize("quality", [60, 100])
def test_streams_longer_than_what_is_held_of_them(restart: int, quality: int) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (333, 517), np.uint8)
    stream = saved(Image.fromarray(noise), "JPEG", quality=quality, restart_marker_blocks=restart)
    assert len(stream) > HELD
    assert farthest(taken(stream, (517, 333)), reference(stream, (517, 333))) <= 2
    codec = Codec()
    for length in (HELD, len(stream) // 2, len(stream) - 3000, len(stream) - 3):
        assert resized(stream[:length] + EOI, codec=codec) is None
    assert resized(stream[:-2] + bytes(70_000) + EOI, codec=codec) is None


def test_units_that_straddle_what_is_held() -> None:
    noise = np.random.default_rng(6).integers(80, 176, (300, 410, 3), np.uint8)
    stream = with_chroma(Image.fromarray(noise), "444", 100)
    assert len(stream) > 3 * HELD
    assert len(stream) / (300 * 410 / 64) > 150  # bytes of a unit
    assert farthest(taken(stream, (410, 300)), reference(stream, (410, 300))) <= 3


def test_ends_with_the_last_byte_that_is_held() -> None:
    noise = np.random.default_rng(8).integers(0, 256, (8, 24_000), np.uint8)
    held = 0
    for first in range(0, 200, 8):
        low, high = 0, 2_900
        while low < high:  # blocks that just fill it
            blocks = (low + high + 1) // 2
            stream = saved(Image.fromarray(noise[:, first : first + 8 * blocks]), "JPEG", quality=60)
            data = stream[place(stream, SOS)[1] : -2].replace(b"\xff\0", b"\xff")
            low, high = (blocks, high) if len(data) <= HELD else (low, blocks - 1)
        stream = saved(Image.fromarray(noise[:, first : first + 8 * low]), "JPEG", quality=60)
        held += HELD - 32 < len(stream[place(stream, SOS)[1] : -2].replace(b"\xff\0", b"\xff")) <= HELD
        assert farthest(taken(stream, (8 * low, 8)), reference(stream, (8 * low, 8))) <= 2
    assert held > 3


# --- through the transform ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["center_crop", "keep_ratio", "keep_ratio_largest"])
def test_orientations(orientation: int, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = exif_with_orientation(orientation)
    stream = saved(stored_as(SCENE, orientation), "JPEG", quality=97, subsampling=0, exif=exif)
    spec = ImageSpec(width=60, height=52, resize_mode=mode)  # type: ignore[arg-type]
    monkeypatch.setattr(NativeTransform, "_decoded", None)  # the codec alone
    pixels = NativeTransform(spec).pixels(stream)
    assert isinstance(pixels, np.ndarray)
    geometry = plan_geometry(*SCENE.size, spec)
    size = geometry.width, geometry.height
    expected = np.asarray(SCENE.resize(size, Image.Resampling.LANCZOS, box=geometry.crop))
    assert psnr(pixels, expected) > 38


# --- what is taken --------------------------------------------------------------------------------------------------


def two_tables_in_one(stream: bytes) -> bytes:
    """Neighbouring DHT segments, and DQT segments, as one."""
    joined, last = b"\xff\xd8", None
    contents: list[tuple[int, bytes]] = []
    for marker, start, end in segments(stream):
        if marker == last and marker in (DHT, DQT):
            contents[-1] = marker, contents[-1][1] + stream[start + 4 : end]
        else:
            contents.append((marker, stream[start + 4 : end]))
        last = marker
    joined += b"".join(segment(marker, content) for marker, content in contents)
    return joined + stream[place(stream, SOS)[1] :]


def tables_twice(stream: bytes) -> bytes:
    """Other tables first, in the same places."""
    other = saved(SCENE, "JPEG", quality=5, optimize=True)
    tables = b"".join(other[start:end] for marker, start, end in segments(other) if marker in (DHT, DQT))
    return inserted(stream, 2, tables)


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))


def profile_part(number: int, total: int, content: bytes = b"colours") -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes((number, total)) + content)


SAME: Mapping[str, Callable[[bytes], bytes]] = {
    "bytes after the end": lambda stream: stream + b"more \xff\xd8\xff\xd9",
    "comments and applications": lambda stream: before(stream, SOS, segment(0xFE, b"\xff\xd9") + segment(0xE5, b"")),
    "several tables in one segment": two_tables_in_one,
    "tables defined twice": tables_twice,
    "extended process": lambda stream: changed(stream, place(stream, SOF0)[0] + 1, b"\xc1"),
    "no restarts said": lambda stream: before(stream, SOS, segment(DRI, b"\0\0")),
    "restarts that never come": lambda stream: before(stream, SOS, segment(DRI, b"\xff\xff")),
    "no JFIF": lambda stream: stream[:2] + stream[20:],
    "Adobe's YCbCr": lambda stream: inserted(stream, 2, adobe(1)),
    "short Adobe segment": lambda stream: inserted(stream, 2, segment(0xEE, b"Adobe\0\0\0\0\0\0")),
    "profile": lambda stream: before(stream, DQT, profile_part(1, 1)),
    "profile in parts": lambda stream: before(stream, DQT, profile_part(1, 2) + profile_part(2, 2)),
}


@pytest.mark.parametrize("name", SAME)
def test_what_changes_no_pixel(name: str) -> None:
    stream = SAME[name](PLAIN)
    assert stream != PLAIN
    assert accepted(stream)
    np.testing.assert_array_equal(taken(stream), taken(PLAIN))


@pytest.mark.parametrize(
    "options",
    [{"optimize": True}, {"restart_marker_blocks": 1}, {"restart_marker_blocks": 7}, {"restart_marker_rows": 1}],
)
def test_other_codes_same_pixels(options: dict[str, object]) -> None:
    for image in (SCENE, GRAY):
        plain, other = (saved(image, "JPEG", quality=85, **more) for more in ({}, options))
        np.testing.assert_array_equal(taken(other), taken(plain))


def header_changed(stream: bytes, offset: int, value: bytes) -> bytes:
    return changed(stream, place(stream, SOF0)[0] + offset, value)


def scan_changed(stream: bytes, offset: int, value: bytes) -> bytes:
    return changed(stream, place(stream, SOS)[0] + offset, value)


RESTARTING = saved(SCENE, "JPEG", restart_marker_blocks=2)
NOT_TAKEN: Mapping[str, bytes] = {
    "nothing": b"",
    "two bytes": b"\xff\xd8",
    "progressive": saved(SCENE, "JPEG", progressive=True),
    "four inks": saved(SCENE.convert("CMYK"), "JPEG"),
    "progressive by its name alone": changed(PLAIN, place(PLAIN, SOF0)[0] + 1, b"\xc2"),
    "arithmetic": changed(PLAIN, place(PLAIN, SOF0)[0] + 1, b"\xc9"),
    "lossless": changed(PLAIN, place(PLAIN, SOF0)[0] + 1, b"\xc3"),
    "twelve bits": header_changed(PLAIN, 4, b"\x0c"),
    "height by DNL": header_changed(PLAIN, 5, b"\0\0")[:-2] + segment(DNL, b"\0\xaa") + EOI,
    "no width": header_changed(PLAIN, 7, b"\0\0"),
    "wider than libjpeg-turbo allows": header_changed(saved(GRAY.resize((65500, 1)), "JPEG"), 7, b"\xff\xe0"),
    "two components": Hand(40, 30, [Component(), Component()]).stream(),
    "factor of three": Hand(40, 30, [Component((3, 1)), Component(), Component()]).stream(),
    "factor of none": header_changed(PLAIN, 11, b"\x02"),
    "luma below chroma": Hand(40, 30, [Component(), Component((2, 2)), Component((2, 2))]).stream(),
    "chroma of two sizes": Hand(40, 30, [Component((2, 2)), Component((2, 1)), Component()]).stream(),
    "eleven blocks": Hand(40, 30, [Component((2, 4)), Component((2, 1)), Component()]).stream(),
    "missing quantizer": header_changed(PLAIN, 12, b"\x03"),
    "missing Huffman table": scan_changed(PLAIN, 6, b"\x33"),
    "scan for each component": scan_changed(PLAIN, 4, b"\x01"),
    "part of the spectrum": scan_changed(PLAIN, 12, b"\x3e"),
    "fill bytes": before(PLAIN, DHT, b"\xff\xff"),
    "junk": before(PLAIN, DHT, b"junk"),
    "names of RGB": header_changed(scan_changed(PLAIN, 5, b"R\0G\x11B\x11"), 10, b"R\x22\0G\x11\1B\x11\1"),
    "Adobe's RGB": inserted(PLAIN, 2, adobe(0)),
    "transform nobody knows": inserted(PLAIN[:2] + PLAIN[20:], 2, adobe(7)),
    "JFIF 2": changed(PLAIN, 11, b"\x02"),
    "profile's part gone": before(PLAIN, SOS, profile_part(1, 2)),
    "profile's part twice": before(PLAIN, SOS, profile_part(1, 2) + profile_part(1, 2)),
    "profile of nought parts": before(PLAIN, SOS, profile_part(1, 0)),
    "profile's parts at odds": before(PLAIN, SOS, profile_part(1, 2) + profile_part(2, 3)),
    "profile of nothing": before(PLAIN, SOS, profile_part(1, 1, b"")),
    "two frames": before(PLAIN, SOS, PLAIN[slice(*place(PLAIN, SOF0))]),
    "no end": PLAIN[:-2],
    "no end but a marker's half": PLAIN[:-1],
    "half": PLAIN[: len(PLAIN) // 2],
    "no scan": PLAIN[: place(PLAIN, SOS)[1]],
    "bytes before the end": PLAIN[:-2] + bytes(2) + EOI,
    "last byte gone": PLAIN[:-3] + EOI,
    "restart that nothing asked for": PLAIN[:-2] + b"\xff\xd0" + EOI,
    "restart out of turn": RESTARTING.replace(b"\xff\xd3", b"\xff\xd4", 1),
    "restart gone": RESTARTING.replace(b"\xff\xd3", b"", 1),
    "bytes before a restart": RESTARTING.replace(b"\xff\xd3", b"\0\0\xff\xd3", 1),
    "fewer restarts than said": before(PLAIN, SOS, segment(DRI, b"\0\2")),
    "interval of three bytes": before(PLAIN, SOS, segment(DRI, b"\0\0\0")),
    "quantizer of zeros": changed(PLAIN, place(PLAIN, DQT)[0] + 5, b"\0"),
    "short quantizer": PLAIN.replace(b"\xff\xdb\0\x43", b"\xff\xdb\0\x42", 1),
    "too many codes": changed(PLAIN, place(PLAIN, DHT)[0] + 5, b"\3"),
    "too many symbols": changed(PLAIN, place(PLAIN, DHT)[0] + 5, b"\xff" * 16),
    "taller than its data": header_changed(PLAIN, 5, b"\1\0"),
    "lower than its data": header_changed(PLAIN, 5, b"\0\x80"),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_left_to_the_others(name: str) -> None:
    stream = NOT_TAKEN[name]
    assert resized(stream) is None
    assert resized(stream, box=(0.0, 0.0, 20.0, 1.0)) is None


def test_a_size_other_than_asked_for() -> None:
    for stored in ((231, 170), (230, 169), (170, 230)):
        assert Codec().resized(PLAIN, stored, (0.0, 0.0, 100.0, 100.0), (50, 40), OVERSAMPLING) is None


@pytest.mark.parametrize(
    "box",
    [
        (-0.5, 0.0, 230.0, 170.0),
        (0.0, 0.0, 230.5, 170.0),
        (0.0, 0.0, 230.0, 1e300),
        (5.0, 5.0, 5.0, 9.0),
        (9.0, 5.0, 5.0, 9.0),
        (0.0, float("nan"), 230.0, 170.0),
        (0.0, 0.0, float("inf"), 170.0),
    ],
)
def test_boxes_that_are_none(box: Box) -> None:
    with pytest.raises(ValueError, match="cannot make"):
        resized(PLAIN, (5, 5), box)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5, 65_501), (2**32 + 1, 1)])
def test_sizes_that_are_none(size: Size) -> None:
    with pytest.raises(ValueError, match="cannot make"):
        resized(PLAIN, size)


def test_boxes_as_small_as_they_get() -> None:
    for width in (1e-3, 1e-12, 5e-324):
        assert farthest(taken(PLAIN, (3, 3), (0.0, 0.0, width, 1.0)), taken(PLAIN, (3, 3), (0.0, 0.0, 1e-3, 1.0))) <= 1


def test_every_cut_is_noticed() -> None:
    codec = Codec()
    for length in range(place(SMALL, SOS)[1], len(SMALL)):
        assert resized(SMALL[:length], codec=codec) is None


# --- the same whatever the machine and what was before --------------------------------------------------------------


def corpus() -> dict[str, tuple[bytes, Size, Box | None]]:
    streams = {chroma: with_chroma(SCENE, chroma) for chroma in CHROMA} | {"gray": saved(GRAY, "JPEG"), "plain": PLAIN}
    streams |= {f"hand {chroma}": by_hand(chroma, restart=3) for chroma in FACTORS} | {"small": SMALL}
    streams |= {"optimised": saved(SCENE, "JPEG", quality=20, optimize=True)}
    sizes: list[tuple[Size, Box | None]] = [
        ((300, 250), None),
        ((64, 48), None),
        ((21, 17), (2.3, 1.2, 39.1, 31.7)),
        ((3, 2), None),
    ]
    return {f"{name} {size}": (stream, size, box) for name, stream in streams.items() for size, box in sizes}


CORPUS = corpus()


@pytest.fixture
def _library_loaded_anew() -> Iterator[None]:
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.mark.usefixtures("_library_loaded_anew")
def test_all_variants_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[bytes]] = {}
    for name in runnable():
        monkeypatch.setenv(VARIABLE, name)
        library.cache_clear()
        codec = Codec()
        assert module.variant() == name
        found[name] = []
        for stream, size, box in CORPUS.values():
            pixels = resized(stream, size, box, codec)
            assert pixels is not None
            found[name].append(pixels.tobytes())
    first, *others = found.values()
    assert all(other == first for other in others)


def test_nothing_of_earlier_images_shows() -> None:
    """Neither of their tables, which are kept, nor of their pixels, nor of what scratch memory holds or how much there is."""
    alone = {name: resized(*case) for name, case in CORPUS.items()}
    codec, rng = Codec(), np.random.default_rng(3)
    damaged = [NOT_TAKEN["half"], NOT_TAKEN["too many codes"], NOT_TAKEN["missing quantizer"]]
    names = [*CORPUS] * 3
    rng.shuffle(names)
    for turn, name in enumerate(names):
        found = resized(*CORPUS[name], codec)
        np.testing.assert_array_equal(found, alone[name])
        if turn % 5 == 0:
            assert resized(damaged[turn // 5 % 3], codec=codec) is None
        if turn % 3 == 0:
            codec._scratch[:] = 0xFF if turn % 2 else rng.integers(0, 256, codec._scratch.size, np.uint8)
