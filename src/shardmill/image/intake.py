"""What is decided about an image before any of it is decoded: refusals by name, its facts, its geometry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shardmill.image.base import ImageSpec, Refused, SourceFacts
from shardmill.image.geometry import Geometry, filtered_out, plan_geometry, too_large
from shardmill.image.header import JpegHeader, read_jpeg_header, sniff, with_upright_orientation, without_metadata
from shardmill.image.lazy_open import OtherHeader, read_other_header
from shardmill.image.orientation import swaps_sides


@dataclass(frozen=True, slots=True)
class Intake:
    """An image that passed the checks of its header."""

    stored_width: int
    """In pixels, before the orientation is applied."""
    stored_height: int
    orientation: int
    """That is still to be applied, 1 to 8."""
    geometry: Geometry
    facts: SourceFacts
    """Holds the conversions that the header shows; decoding may add more."""
    jpeg: JpegHeader | None
    icc: bytes | None
    exif: bytes | None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.facts.width, self.facts.height

    @property
    def scale(self) -> float:
        """Result pixels per source pixel, along the side where that is larger."""
        left, top, right, bottom = self.geometry.crop
        return max(self.geometry.content_width / (right - left), self.geometry.content_height / (bottom - top))

    def clean(self, data: bytes) -> bytes:
        """The JPEG stream without bytes between its header's segments, over which a strict decoder stumbles."""
        return data if self.jpeg is None or not self.jpeg.junk else self.jpeg.rebuilt(data)


def take_in(data: bytes, spec: ImageSpec) -> Intake | Refused:
    """Read the header of `data` and apply every check and filter that needs no pixels."""
    kind = sniff(data)
    if kind is None:
        if not data:
            return Refused("failed", "empty", "the file holds no bytes")
        return Refused("failed", "not_an_image", "the first bytes are not those of a known image format")
    header: JpegHeader | OtherHeader | Refused
    header = read_jpeg_header(data) if kind == "jpeg" else read_other_header(data, kind, spec.max_pixels)
    if isinstance(header, Refused):
        return header
    orientation = 1 if spec.ignore_exif else header.orientation
    width, height = header.width, header.height
    if swaps_sides(orientation):
        width, height = height, width
    jpeg = header if isinstance(header, JpegHeader) else None
    facts = SourceFacts(kind, width, height, _conversions(jpeg, orientation))
    if width == 0 or height == 0:
        return Refused("failed", "no_pixels", f"the header claims {width}x{height} pixels", facts)
    if width * height > spec.max_pixels:
        detail = f"the header claims {width}x{height} pixels, above the limit of {spec.max_pixels}"
        return Refused("failed", "too_many_pixels", detail, facts)
    refused = filtered_out(width, height, spec)
    geometry = plan_geometry(width, height, spec)
    refused = refused or too_large(geometry, spec)
    if refused is not None:
        return Refused(refused.status, refused.reason, refused.detail, facts)
    return Intake(
        stored_width=header.width,
        stored_height=header.height,
        orientation=orientation,
        geometry=geometry,
        facts=facts,
        jpeg=jpeg,
        icc=header.icc,
        exif=with_upright_orientation(header.exif) if header.exif and not spec.ignore_exif else header.exif,
    )


def may_pass_through(intake: Intake, spec: ImageSpec) -> bool:
    """Whether `skip_reencode` applies, as far as the header tells.

    Only to YCbCr JPEGs that nothing is done to. A grey one is encoded anew: every sample has three channels.
    """
    jpeg, geometry = intake.jpeg, intake.geometry
    if not spec.skip_reencode or jpeg is None or not jpeg.plain or jpeg.rgb or intake.facts.conversions:
        return False
    whole = (geometry.width, geometry.height) == intake.upright_size
    return whole and not geometry.resized and not geometry.bordered


def passed_through(data: bytes, intake: Intake, facts: SourceFacts, spec: ImageSpec) -> bytes | None:
    """The source's own stream without its metadata where `may_pass_through` holds and decoding converted nothing.

    Call it once `data` has been decoded: what does not decode is never handed on.
    """
    if facts.conversions or intake.jpeg is None or not may_pass_through(intake, spec):
        return None
    return without_metadata(data, intake.jpeg)


_TRUNCATED: Final = re.compile("premature end of jpeg|truncated", re.IGNORECASE)
_UNSUPPORTED: Final = re.compile("unsupported|not supported|not implemented", re.IGNORECASE)


def jpeg_refusal(error: ValueError, facts: SourceFacts) -> Refused:
    """What libjpeg-turbo's complaint comes to."""
    message = str(error)
    if _TRUNCATED.search(message):
        return Refused("failed", "truncated", "the JPEG stream ends before its last pixel", facts)
    if _UNSUPPORTED.search(message):
        return Refused("failed", "unsupported", f"libjpeg-turbo cannot decode it: {message}", facts)
    if "buffer is too small" in message:
        return Refused(
            "failed", "corrupt", "the JPEG stream holds an image of another size than its header says", facts
        )
    return Refused("failed", "corrupt", f"libjpeg-turbo stops at it: {message}", facts)


def _conversions(jpeg: JpegHeader | None, orientation: int) -> tuple[str, ...]:
    found = []
    if jpeg is not None and jpeg.components == 4:
        found.append("cmyk")
    if orientation != 1:
        found.append("exif_orientation")
    if jpeg is not None and jpeg.components == 1:
        found.append("gray")
    return tuple(found)
