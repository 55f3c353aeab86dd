from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from shardmill.image.base import Encoded, ImageSpec, Refused
from shardmill.image.native import NativeTransform
from shardmill.operations.demo.images import draw_images, picture
from shardmill.operations.demo.scenes import CLASSES, photograph
from shardmill.operations.demo.wide_gamut import to_wide_gamut, wide_gamut_profile

COUNT = 45


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw_images(folder, COUNT)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.*"))
    }


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


def opened(path: Path) -> Image.Image:
    return Image.open(BytesIO(path.read_bytes()))


def upright(path: Path) -> Image.Image:
    return ImageOps.exif_transpose(opened(path)).convert("RGB")


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


def test_same_bytes_again(folder: Path, tmp_path: Path) -> None:
    draw_images(tmp_path, COUNT)
    assert digests(tmp_path) == digests(folder)
    assert len(digests(folder)) == COUNT + 2


def test_another_seed_makes_others(folder: Path, tmp_path: Path) -> None:
    draw_images(tmp_path, 5, seed=1)
    assert not set(digests(tmp_path).values()) & set(digests(folder).values())


def test_a_folder_a_class(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(CLASSES)
    assert all(any(path.iterdir()) for path in folder.iterdir())


def test_few_pictures_are_mostly_plain(tmp_path: Path) -> None:
    draw_images(tmp_path, 6)
    assert sum(path.stem.count("-") > 1 for path in tmp_path.rglob("*.*")) == 2


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_turned_pictures_are_upright_once_turned(folder: Path, orientation: int) -> None:
    path = only(folder, f"*-orientation-{orientation}.jpg")
    stored = opened(path)
    assert stored.getexif()[0x0112] == orientation
    _, drawn = picture(int(path.stem.split("-")[1]), 0)
    assert distance(upright(path), drawn) < 8
    if stored.size == drawn.size:
        assert distance(stored.convert("RGB"), drawn) > 12


@pytest.mark.parametrize(
    ("pattern", "mode", "format"),
    [
        ("*-cmyk.jpg", "CMYK", "JPEG"),
        ("*-gray.jpg", "L", "JPEG"),
        ("*-alpha.png", "RGBA", "PNG"),
        ("*-16bit.png", "I;16", "PNG"),
    ],
)
def test_modes(folder: Path, pattern: str, mode: str, format: str) -> None:
    image = opened(only(folder, pattern))
    image.load()
    assert (image.mode, image.format) == (mode, format)


def test_16_bits_are_used(folder: Path) -> None:
    values = np.asarray(opened(only(folder, "*-16bit.png")))
    assert values.max() > 30_000


def test_copies_are_exact(folder: Path) -> None:
    copies = list(folder.rglob("*-copy.jpg"))
    assert len(copies) == 2
    for copy in copies:
        assert copy.read_bytes() == copy.with_name(copy.name.replace("-copy", "")).read_bytes()


def test_every_file_is_taken_or_refused_as_its_name_says(folder: Path) -> None:
    spec = ImageSpec(width=64, height=64)
    paths = sorted(folder.rglob("*.*"))
    refused = {"truncated": "truncated", "text": "not_an_image", "empty": "empty"}
    done = {
        "cmyk": "cmyk",
        "gray": "gray",
        "16bit": "16bit",
        "alpha": "alpha",
        "orientation": "exif_orientation",
        "gamut": "icc",
    }
    seen = set()
    for path, outcome in zip(paths, NativeTransform(spec).run(path.read_bytes() for path in paths), strict=True):
        words = set(path.stem.split("-")[2:])
        if reasons := {refused[word] for word in words if word in refused}:
            assert isinstance(outcome, Refused), path
            assert {outcome.reason} == reasons, path
        else:
            assert isinstance(outcome, Encoded), path
            expected = {done[word] for word in words if word in done}
            assert expected <= set(outcome.source.conversions), path
            if not expected:
                assert outcome.source.conversions == (), path
        seen |= words
    assert {*refused, *done} <= seen


def test_wide_gamut_profile_is_read_and_is_not_srgb(folder: Path) -> None:
    image = opened(only(folder, "*-wide-gamut.jpg"))
    assert image.info["icc_profile"] == wide_gamut_profile()
    profile = ImageCms.ImageCmsProfile(BytesIO(wide_gamut_profile()))
    assert ImageCms.getProfileDescription(profile).strip() == "Wide gamut"
    for colour, expected in (((255, 0, 0), (219, 0, 0)), ((0, 255, 0), (144, 255, 60)), ((0, 0, 255), (0, 0, 250))):
        picture = Image.new("RGB", (1, 1), colour)
        stored, _ = to_wide_gamut(picture)
        assert np.abs(np.asarray(stored, np.int16)[0, 0] - expected).max() < 8, colour  # of Adobe RGB (1998)
        back = ImageCms.profileToProfile(stored, profile, ImageCms.createProfile("sRGB"))
        assert back is not None
        assert distance(back, picture) < 3


def test_pictures_are_lively_and_of_their_size() -> None:
    for number, name in enumerate(CLASSES):
        picture = photograph(name, (300, 220), np.random.default_rng(number))
        assert (picture.mode, picture.size) == ("RGB", (300, 220))
        values = np.asarray(picture, np.float64)
        assert values.std() > 25, name
        assert np.ptp(values) > 150, name


def test_large_and_narrow_pictures_have_their_size() -> None:
    for size in ((1200, 900), (90, 700), (640, 48)):
        assert photograph("tulip", size, np.random.default_rng(1)).size == size
