"""What is asked of an image, what comes of it, and the seam behind which the decoders sit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

ResizeMode = Literal["center_crop", "border", "keep_ratio", "keep_ratio_largest", "no"]
Chroma = Literal["444", "422", "420"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What becomes of each image. Every field changes the bytes that are written."""

    width: int = 256
    """Target width in pixels."""
    height: int = 256
    """Target height in pixels."""
    resize_mode: ResizeMode = "center_crop"
    """`center_crop`: fill the target, cut the rest off evenly. `border`: fit inside, pad with the background.
    `keep_ratio`: shorter side to the target, nothing cut. `keep_ratio_largest`: fit inside, nothing padded. `no`: as is."""
    resize_only_if_bigger: bool = False
    """Never enlarge: an image smaller than the target keeps its own scale."""
    quality: int = 95
    """JPEG quality, 1 to 100."""
    chroma: Chroma = "444"
    """Chroma subsampling of the JPEG written."""
    skip_reencode: bool = False
    """Keep the source's own JPEG stream where neither size, crop, colour nor orientation would change."""
    background: tuple[int, int, int] = (255, 255, 255)
    """RGB under transparent pixels and in borders."""
    ignore_exif: bool = False
    """Leave the EXIF orientation unapplied."""
    keep_exif: bool = False
    """Hand the source's EXIF block on (it may hold a place, a name, a serial number)."""
    min_size: int = 0
    """Skip images whose shorter side is below this, in pixels."""
    max_area: int | None = None
    """Skip images of more pixels than this."""
    max_aspect: float | None = None
    """Skip images whose longer side is more than this many times the shorter."""
    max_pixels: int = 100_000_000
    """Refuse (as a failure, before decoding) images that claim more pixels than this."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What the source image was. Width and height are upright: after the EXIF orientation, in pixels."""

    format: str
    """Lower case, from the bytes: `jpeg`, `png`, `gif`, `webp`, `bmp`, `tiff` ..."""
    width: int
    height: int
    conversions: tuple[str, ...] = ()
    """What had to be done, sorted: `alpha`, `animation`, `cmyk`, `exif_orientation`, `gray`, `icc`, `lab`, `palette`,
    `stray_bytes`, `16bit`. An orientation of 1, an sRGB profile and the like are not conversions."""


@dataclass(frozen=True, slots=True)
class PixelSums:
    """Exact integer sums over every fourth row and column of the result, so that any order of adding agrees."""

    count: int
    """Pixels summed."""
    total: tuple[int, int, int]
    """Per channel, R G B, of values 0 to 255."""
    total_of_squares: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JPEG that decodes, ready to be written."""

    jpeg: bytes
    width: int
    height: int
    source: SourceFacts
    crop: tuple[float, float, float, float]
    """Left, top, right, bottom of what was kept, in upright source pixels."""
    sums: PixelSums
    exif: bytes | None = None
    """The source's EXIF block (TIFF header onwards), only with `keep_exif`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An image that yields no sample, and why."""

    status: Literal["failed", "skipped"]
    """`failed`: the content is bad. `skipped`: it is good but filtered out by the request."""
    reason: str
    """A stable code: `empty`, `not_an_image`, `truncated`, `corrupt`, `too_many_pixels`, `too_many_bytes`,
    `decompression_bomb`, `no_pixels`, `unsupported`, `below_min_size`, `above_max_area`, `above_max_aspect` ..."""
    detail: str
    """One sentence for people; holds no location and nothing that differs between machines."""
    source: SourceFacts | None = None
    """What the header said, where it could be read."""


Outcome = Encoded | Refused


class Transform(Protocol):
    """Turns encoded images into samples.

    One outcome per image, in the order of the images, whatever they hold: content never raises. Reads ahead a bounded
    number of images and pulls the next only when it has room. The outcome depends on the image's bytes, the spec and
    the fingerprint alone, never on its neighbours. Holds no state between calls; used from one thread at a time.
    """

    def fingerprint(self) -> str:
        """Library versions and a digest of the outcome for a small built-in image: equal means equal bytes."""
        ...

    def run(self, images: Iterable[bytes]) -> Iterator[Outcome]:
        """Yield one outcome per image, in order."""
        ...
