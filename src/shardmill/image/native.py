"""The fast, light transform: the package's own codec for common JPEGs, libraries for everything else.

Measurements behind the choices: docs/decisions/0045-a-codec-of-our-own.md, and 0001 for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Final

import numpy as np
from cykooz_resizer import CropBox, FilterType, ImageData, PixelType, ResizeAlg, ResizeOptions, Resizer
from numpy.typing import NDArray

from shardmill.image.base import Encoded, ImageSpec, Outcome, Refused, SourceFacts
from shardmill.image.fingerprint import transform_fingerprint
from shardmill.image.geometry import Box
from shardmill.image.intake import Intake, passed_through, take_in
from shardmill.image.jpeg.codec import Codec
from shardmill.image.jpeg.library import codec_version
from shardmill.image.libjpeg import decode
from shardmill.image.normalise import normalise
from shardmill.image.orientation import stored_box, swaps_sides, upright
from shardmill.image.profile import to_srgb

_OVERSAMPLING: Final = 1.3  # of the coarse decode over the result: below it the 5th percentile of PSNR falls to 35 dB
_SUPPORT: Final = 3  # of Lanczos: result pixels that the filter reaches to each side
_KEPT_BUFFER: Final = 48 * 2**20  # bytes; a larger image gets a buffer of its own


@dataclass(frozen=True, slots=True)
class _Resized:
    pixels: NDArray[np.uint8]
    facts: SourceFacts


class NativeTransform:
    """Decodes and resizes common JPEGs with the codec; others, and whatever it finds fault with, with simplejpeg
    (libjpeg-turbo) or Pillow and then cykooz-resizer.

    Pulls an image only after the outcome of the one before it was taken.
    """

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._codec = Codec()
        self._resizer = Resizer()
        self._filter = ResizeAlg.convolution(FilterType.lanczos3)
        self._buffer: NDArray[np.uint8] = np.empty(0, np.uint8)  # scratch; fresh pages cost more than the decode

    def fingerprint(self) -> str:
        """See `Transform`."""
        versions = {"codec": codec_version(), "cykooz-resizer": version("cykooz-resizer")}
        return transform_fingerprint("native", NativeTransform, versions)

    def run(self, images: Iterable[bytes]) -> Iterator[Outcome]:
        """See `Transform`."""
        for image in images:
            yield self._outcome(image)

    def pixels(self, image: bytes) -> NDArray[np.uint8] | Refused:
        """The result before it is encoded, shape (height, width, 3) RGB: for measurements."""
        intake = take_in(image, self._spec)
        if isinstance(intake, Refused):
            return intake
        resized = self._resized(image, intake)
        if isinstance(resized, Refused):
            return resized
        return resized.pixels if intake.geometry.resized else resized.pixels.copy()  # else a view of the scratch buffer

    def _outcome(self, image: bytes) -> Outcome:
        intake = take_in(image, self._spec)
        if isinstance(intake, Refused):
            return intake
        resized = self._resized(image, intake)
        if isinstance(resized, Refused):
            return resized
        pixels = resized.pixels
        jpeg = passed_through(image, intake, resized.facts, self._spec)
        if jpeg is None:
            jpeg = self._codec.encoded(pixels, self._spec.quality, self._spec.chroma)
        return Encoded(
            jpeg=jpeg,
            width=intake.geometry.width,
            height=intake.geometry.height,
            source=resized.facts,
            crop=intake.geometry.crop,
            sums=self._codec.sums(pixels),
            exif=intake.exif if self._spec.keep_exif else None,
        )

    def _resized(self, image: bytes, intake: Intake) -> _Resized | Refused:
        if intake.jpeg is None or not intake.jpeg.plain:
            normalised = normalise(image, intake, self._spec)
            if isinstance(normalised, Refused):
                return normalised
            content, facts = self._content(normalised.pixels, intake, 8), normalised.facts
        else:
            made = self._from_jpeg(image, intake)
            if isinstance(made, Refused):
                return made
            content, facts = made
            if intake.icc is not None:
                content, converted = to_srgb(content, intake.icc, gray=intake.jpeg.components == 1)
                if converted:
                    facts = replace(facts, conversions=tuple(sorted((*facts.conversions, "icc"))))
        return _Resized(bordered(content, intake, self._spec), facts)

    def _from_jpeg(self, image: bytes, intake: Intake) -> tuple[NDArray[np.uint8], SourceFacts] | Refused:
        """The content of a plain JPEG, in its own colours."""
        quick = self._by_codec(image, intake)
        if quick is not None:
            return quick, intake.facts
        eighths = _decode_eighths(intake)
        decoded = self._decoded(image, intake, eighths)
        if isinstance(decoded, Refused):
            return decoded
        pixels, facts = decoded
        return self._content(pixels, intake, eighths), facts

    def _by_codec(self, image: bytes, intake: Intake) -> NDArray[np.uint8] | None:
        if not intake.geometry.resized or intake.jpeg is None:
            return None
        stored = intake.stored_width, intake.stored_height
        box, size = _stored_crop(intake)
        content = self._codec.resized(intake.clean(image), stored, box, size, _OVERSAMPLING)
        return None if content is None else upright(content, intake.orientation)

    def _decoded(self, image: bytes, intake: Intake, eighths: int) -> tuple[NDArray[np.uint8], SourceFacts] | Refused:
        """A plain JPEG as stored, at that many eighths of its size."""
        height, width = -(-intake.stored_height * eighths // 8), -(-intake.stored_width * eighths // 8)
        size = height * width * 3
        buffer = self._buffer
        if buffer.size < size:
            buffer = np.empty(size, np.uint8)
            if size <= _KEPT_BUFFER:
                self._buffer = buffer
        return decode(
            intake.clean(image),
            intake.facts,
            min_height=height if eighths < 8 else 0,
            min_width=width if eighths < 8 else 0,
            fastupsample=intake.geometry.resized and intake.scale * _OVERSAMPLING <= 1,  # averaged away below
            buffer=buffer,  # also keeps a scan that is larger than the header said from being allocated
        )

    def _content(self, source: NDArray[np.uint8], intake: Intake, eighths: int) -> NDArray[np.uint8]:
        """Crop, resize and turn upright `source`, which is that many eighths of the stored image."""
        box, size = _stored_crop(intake)
        if intake.geometry.resized:
            cropped = self._convolved(source, eighths, box, size)
        else:
            left, top, right, bottom = (int(edge) for edge in box)
            cropped = source[top:bottom, left:right]
        return upright(cropped, intake.orientation)

    def _convolved(self, source: NDArray[np.uint8], eighths: int, box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
        """`box`, in whole-size pixels, as `size`. The decoder rounds sizes up, but the box stays on the exact fraction:
        rounded along, everything would shift by part of a pixel. Only what the filter reaches is handed over."""
        left, top, right, bottom = (edge * eighths / 8 for edge in box)
        columns = _reached(left, right, size[0], source.shape[1])
        rows = _reached(top, bottom, size[1], source.shape[0])
        reached = source[rows, columns]
        target = ImageData(*size, PixelType.U8x3)
        self._resizer.resize(
            ImageData(reached.shape[1], reached.shape[0], PixelType.U8x3, reached.tobytes()),
            target,
            ResizeOptions(
                resize_alg=self._filter,
                crop_box=CropBox(left - columns.start, top - rows.start, right - left, bottom - top),
            ),
        )
        return np.frombuffer(target.get_buffer(), np.uint8).reshape(size[1], size[0], 3)


def _stored_crop(intake: Intake) -> tuple[Box, tuple[int, int]]:
    """The crop box as the image is stored, and the size of its content before that is turned upright."""
    geometry = intake.geometry
    size = geometry.content_width, geometry.content_height
    box = stored_box(geometry.crop, intake.orientation, *intake.upright_size)
    return box, size[::-1] if swaps_sides(intake.orientation) else size


def _reached(start: float, stop: float, result: int, length: int) -> slice:
    """The pixels of a side that a filter of `_SUPPORT` reads to make `result` pixels of the span from `start` to `stop`."""
    reach = math.ceil(_SUPPORT * max(1.0, (stop - start) / result)) + 1
    return slice(max(0, math.floor(start) - reach), min(length, math.ceil(stop) + reach))


def _decode_eighths(intake: Intake) -> int:
    """The coarsest power-of-two scale, in eighths, that still leaves the resize something to average."""
    if not intake.geometry.resized or max(intake.stored_height, intake.stored_width) < 8:
        return 8  # below eight pixels several scales give one size, and the decoder picks the smallest
    needed = 8 * _OVERSAMPLING * intake.scale
    return next((eighths for eighths in (1, 2, 4) if eighths >= needed), 8)


def bordered(content: NDArray[np.uint8], intake: Intake, spec: ImageSpec) -> NDArray[np.uint8]:
    """`content` on the background, contiguous; as it is where the geometry has no border."""
    geometry = intake.geometry
    if not geometry.bordered:
        return np.ascontiguousarray(content)
    result = np.empty((geometry.height, geometry.width, 3), np.uint8)
    result[:] = spec.background
    rows = slice(geometry.top, geometry.top + geometry.content_height)
    result[rows, geometry.left : geometry.left + geometry.content_width] = content
    return result
