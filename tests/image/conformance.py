"""What every transform must do: subclass it, say `transform`, and run it over the odd images."""

from __future__ import annotations

import functools
import io
import math
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from shardmill.image.base import Encoded, ImageSpec, Outcome, Refused, Transform
from shardmill.registry import TRANSFORMS, load
from tests.image.odd import (
    BACKGROUND,
    SCENE,
    Readable,
    Unreadable,
    exif_with_orientation,
    readable,
    saved,
    srgb_profile,
    unreadable,
)
from tests.pictures import jpeg

SPEC = ImageSpec(width=44, height=40, background=BACKGROUND)
READABLE, UNREADABLE = readable(), unreadable()
TOLERANCE_DB = 33.0
"""Least PSNR against Pillow: two JPEGs lie between, one of them with subsampled chroma."""


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """In dB, of 8-bit arrays of one shape."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def decoded(outcome: Outcome) -> np.ndarray:
    assert isinstance(outcome, Encoded), outcome
    with Image.open(io.BytesIO(outcome.jpeg)) as image:
        assert image.mode == "RGB"
        assert image.size == (outcome.width, outcome.height)
        return np.asarray(image)


@functools.cache
def outcomes_of_all(transform: str) -> dict[str, Outcome]:
    """Of good and bad images mixed, in one run."""
    cases: dict[str, Readable | Unreadable] = {**READABLE, **UNREADABLE}
    names = sorted(cases, key=lambda name: zlib.crc32(name.encode()))
    found = list(load(TRANSFORMS, "transform", transform)(SPEC).run(cases[name].data for name in names))
    assert len(found) == len(names)
    return dict(zip(names, found, strict=True))


class TransformConformance:
    """`name` is what the registry calls the one under test; `window` how many images it may have pulled at its first
    outcome."""

    name: ClassVar[str]
    window: ClassVar[int]

    @classmethod
    def transform(cls, spec: ImageSpec) -> Transform:
        made: Transform = load(TRANSFORMS, "transform", cls.name)(spec)
        return made

    def run(self, spec: ImageSpec, *images: bytes) -> list[Outcome]:
        return list(self.transform(spec).run(images))

    def one(self, spec: ImageSpec, image: bytes) -> Outcome:
        (outcome,) = self.run(spec, image)
        return outcome

    @pytest.mark.parametrize("name", READABLE)
    def test_upright_and_in_true_colours(self, name: str) -> None:
        expected, outcome = READABLE[name], outcomes_of_all(self.name)[name]
        looks = expected.looks.convert("RGB").resize((44, 40), Image.Resampling.LANCZOS, box=(12.0, 0.0, 78.0, 60.0))
        assert psnr(decoded(outcome), np.asarray(looks)) > TOLERANCE_DB
        assert isinstance(outcome, Encoded)
        assert outcome.source.format == expected.format
        assert (outcome.source.width, outcome.source.height) == (90, 60)
        assert outcome.source.conversions == expected.conversions
        assert outcome.crop == (12.0, 0.0, 78.0, 60.0)
        assert outcome.exif is None

    @pytest.mark.parametrize("name", UNREADABLE)
    def test_refused_by_name(self, name: str) -> None:
        outcome = outcomes_of_all(self.name)[name]
        assert isinstance(outcome, Refused)
        assert (outcome.status, outcome.reason) == ("failed", UNREADABLE[name].reason)
        assert " at 0x" not in outcome.detail

    def test_neighbours_do_not_matter(self) -> None:
        for name in ("orientation 7", "plain", "rgba"):
            assert self.one(SPEC, READABLE[name].data) == outcomes_of_all(self.name)[name]

    def test_pulls_no_more_than_its_window(self) -> None:
        pulled = 0

        def endless() -> Iterator[bytes]:
            nonlocal pulled
            while True:
                pulled += 1
                yield READABLE["plain"].data

        run = self.transform(SPEC).run(endless())
        assert isinstance(next(run), Encoded)
        assert pulled <= self.window
        assert isinstance(next(run), Encoded)
        assert pulled <= self.window + 1

    def test_error_of_the_source_is_passed_on(self) -> None:
        def failing() -> Iterator[bytes]:
            yield READABLE["plain"].data
            raise ConnectionResetError("gone")

        with pytest.raises(ConnectionResetError, match="gone"):
            list(self.transform(SPEC).run(failing()))

    def test_no_images(self) -> None:
        assert self.run(SPEC) == []

    def test_border_shows_the_background(self) -> None:
        pixels = decoded(self.one(replace(SPEC, resize_mode="border"), READABLE["orientation 6"].data))
        assert pixels.shape == (40, 44, 3)
        assert psnr(pixels[:4], np.full((4, 44, 3), BACKGROUND)) > TOLERANCE_DB
        looks = np.asarray(SCENE.resize((44, 29), Image.Resampling.LANCZOS))
        assert psnr(pixels[5:34], looks) > TOLERANCE_DB - 3  # the edge rings

    def test_ratio_kept(self) -> None:
        outcome = self.one(replace(SPEC, resize_mode="keep_ratio"), READABLE["orientation 5"].data)
        assert decoded(outcome).shape == (40, 60, 3)
        outcome = self.one(replace(SPEC, resize_mode="keep_ratio_largest"), READABLE["orientation 5"].data)
        assert decoded(outcome).shape == (29, 44, 3)

    def test_not_enlarged_means_not_touched(self) -> None:
        spec = replace(SPEC, width=400, height=20, resize_only_if_bigger=True)
        outcome = self.one(spec, READABLE["png"].data)
        assert isinstance(outcome, Encoded)
        assert outcome.crop == (0.0, 20.0, 90.0, 40.0)
        assert psnr(decoded(outcome), np.asarray(SCENE)[20:40]) > TOLERANCE_DB + 5

    def test_orientation_ignored_on_request(self) -> None:
        outcome = self.one(replace(SPEC, resize_mode="no", ignore_exif=True), READABLE["orientation 6"].data)
        assert decoded(outcome).shape == (90, 60, 3)

    def test_sums_are_of_the_pixels(self) -> None:
        outcome = self.one(replace(SPEC, resize_mode="no"), READABLE["png"].data)
        assert isinstance(outcome, Encoded)
        sampled = np.asarray(SCENE)[::4, ::4].astype(np.int64)
        assert outcome.sums.count == 15 * 23
        assert outcome.sums.total == tuple(sampled.sum(axis=(0, 1)))
        assert outcome.sums.total_of_squares == tuple((sampled**2).sum(axis=(0, 1)))

    def test_filters_skip(self) -> None:
        image = READABLE["plain"].data
        for spec, reason in (
            (replace(SPEC, min_size=61), "below_min_size"),
            (replace(SPEC, max_area=5399), "above_max_area"),
            (replace(SPEC, max_aspect=1.4), "above_max_aspect"),
        ):
            outcome = self.one(spec, image)
            assert isinstance(outcome, Refused)
            assert (outcome.status, outcome.reason) == ("skipped", reason)
        assert isinstance(self.one(replace(SPEC, min_size=60, max_area=5400, max_aspect=1.5), image), Encoded)

    def test_exif_handed_on_only_on_request(self) -> None:
        image = READABLE["orientation 3"].data
        outcome = self.one(replace(SPEC, keep_exif=True), image)
        assert isinstance(outcome, Encoded)
        assert outcome.exif == exif_with_orientation(1).removeprefix(b"Exif\x00\x00")
        assert b"52.37N" not in outcome.jpeg

    def test_own_stream_kept_without_its_metadata(self) -> None:
        spec = ImageSpec(resize_mode="no", skip_reencode=True)
        exif = exif_with_orientation(1)
        for options in ({}, {"progressive": True}, {"subsampling": 2, "quality": 30}):
            bare = jpeg(7, 90, 60, **options)
            loaded = jpeg(7, 90, 60, exif=exif, icc_profile=srgb_profile(), comment=b"private", **options) + exif
            outcome = self.one(spec, loaded)
            assert isinstance(outcome, Encoded)
            assert outcome.jpeg == bare

    @pytest.mark.parametrize("name", ["gray", "cmyk", "other profile", "orientation 2", "png"])
    def test_own_stream_not_kept(self, name: str) -> None:
        outcome = self.one(ImageSpec(resize_mode="no", skip_reencode=True), READABLE[name].data)
        assert psnr(decoded(outcome), np.asarray(READABLE[name].looks.convert("RGB"))) > TOLERANCE_DB

    def test_damaged_stream_not_kept(self) -> None:
        outcome = self.one(ImageSpec(resize_mode="no", skip_reencode=True), UNREADABLE["damaged jpeg"].data)
        assert isinstance(outcome, Refused)

    def test_thin_images(self) -> None:
        thin = saved(SCENE.resize((3000, 1)), "JPEG")
        fitted, filled, grown = (
            self.one(ImageSpec(width=32, height=32, resize_mode=mode), thin)
            for mode in ("keep_ratio_largest", "center_crop", "keep_ratio")
        )
        assert decoded(fitted).shape == (1, 32, 3)
        assert decoded(filled).shape == (32, 32, 3)
        assert isinstance(grown, Refused)
        assert grown.reason == "result_too_large"

    def test_chroma_and_quality(self) -> None:
        image = READABLE["plain"].data
        whole = self.one(SPEC, image)
        coarse = self.one(replace(SPEC, chroma="420", quality=60), image)
        assert isinstance(whole, Encoded)
        assert isinstance(coarse, Encoded)
        assert sampling(whole.jpeg) == [0x11, 0x11, 0x11]
        assert sampling(coarse.jpeg) == [0x22, 0x11, 0x11]
        assert len(coarse.jpeg) < len(whole.jpeg)

    def test_fingerprint_is_the_same_in_another_process(self) -> None:
        code = f"""
from shardmill.image.base import ImageSpec
from shardmill.registry import TRANSFORMS, load
print(load(TRANSFORMS, "transform", {self.name!r})(ImageSpec()).fingerprint(), end="")
"""
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert child.stderr == ""
        assert child.stdout == self.transform(ImageSpec(width=1)).fingerprint()


def sampling(data: bytes) -> list[int]:
    """Sampling factors of the three components of a baseline JPEG."""
    frame = data.index(b"\xff\xc0")
    return [data[frame + 11 + 3 * component] for component in range(3)]
