"""What an image's first bytes say, read without decoding and whatever the file was called."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from shardmill.image.base import Refused

_SIGNATURES: Final = (  # offset, bytes found there, format
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"BM", "bmp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"MM\x00+", "tiff"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypavis", "avif"),
    (4, b"ftypheic", "heic"),
    (4, b"ftypheix", "heic"),
    (4, b"ftypmif1", "heic"),
    (0, b"\x00\x00\x01\x00", "ico"),
    (0, b"8BPS", "psd"),
    (0, b"\xff\x0a", "jxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
    *((0, b"P%d" % kind + space, "ppm") for kind in range(1, 7) for space in (b"\n", b"\r", b" ", b"\t")),
)
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_METADATA: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
_NEXT_SEGMENT: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded data, where 0xff is stuffed
_EXIF: Final = b"Exif\x00\x00"
_ICC: Final = b"ICC_PROFILE\x00"


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """A JPEG stream up to its first scan. Width and height are as stored, in pixels."""

    width: int
    height: int
    components: int
    component_ids: bytes
    precision: int
    """Bits per component."""
    process: int
    """Low byte of the frame marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive."""
    adobe_transform: int | None
    """Of the APP14 segment: 0 none, 1 YCbCr, 2 YCCK; None without one."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 where there is none or it is malformed."""
    exif: bytes | None
    """From the TIFF header on."""
    icc: bytes | None
    segments: tuple[tuple[int, int, int], ...]
    """Marker, start and end of each segment before the scan; the span covers the marker itself."""
    scan: int
    """Where the first start-of-scan marker lies."""
    junk: bool
    """Bytes that belong to no segment lie between them; decoders skip them."""

    @property
    def plain(self) -> bool:
        """8-bit grey, YCbCr or RGB in a process that every libjpeg-turbo reads."""
        return self.components in (1, 3) and self.precision == 8 and self.process <= 0xC2

    @property
    def rgb(self) -> bool:
        """Three components that are not YCbCr, or may not be in the eyes of some decoder."""
        return self.adobe_transform == 0 or self.component_ids == b"RGB"

    def rebuilt(self, data: bytes, dropped: frozenset[int] = frozenset()) -> bytes:
        """The stream without junk between segments and without the segments of the `dropped` markers."""
        kept = [data[start:end] for marker, start, end in self.segments if marker not in dropped]
        return b"".join((b"\xff\xd8", *kept, data[self.scan :]))


def sniff(data: bytes) -> str | None:
    """The format that the first bytes of `data` are of, lower case, or None."""
    if data.startswith(b"\xff\xd8\xff"):  # nearly all
        return "jpeg"
    for offset, signature, name in _SIGNATURES:
        if data.startswith(signature, offset) and (name != "webp" or data.startswith(b"RIFF")):
            return name
    return None


def read_jpeg_header(data: bytes) -> JpegHeader | Refused:
    """Walk the markers of a JPEG stream up to its first scan. A malformed EXIF block or profile counts as none."""
    segments: list[tuple[int, int, int]] = []
    exif = adobe = frame = None
    profile: list[bytes] = []
    process = 0
    junk = False
    at, size = 2, len(data)
    while True:
        start = data.find(b"\xff", at)
        if start < 0 or start + 4 > size:
            return _truncated()
        junk = junk or start != at
        marker = data[start + 1]
        if marker == 0xFF:  # fill byte
            at = start + 1
            continue
        if marker == 0xDA:
            break
        if marker == 0:
            at = start + 2
            junk = True
            continue
        if marker in _BARE:
            at = start + 2
            continue
        if marker in (0xD8, 0xD9):
            return Refused("failed", "corrupt", "the JPEG stream ends or begins again before its first scan")
        end = start + 2 + (data[start + 2] << 8 | data[start + 3])
        if end > size:
            return _truncated()
        if end < start + 4:
            return Refused("failed", "corrupt", "a JPEG segment claims a length below two bytes")
        segments.append((marker, start, end))
        if marker == 0xE1:
            if exif is None and data.startswith(_EXIF, start + 4):
                exif = data[start + 10 : end]
        elif marker == 0xE2:
            if data.startswith(_ICC, start + 4):
                profile.append(data[start + 16 : end])
        elif marker == 0xEE:
            if data.startswith(b"Adobe", start + 4) and end - start >= 16:
                adobe = data[start + 15]
        elif marker in _FRAMES and frame is None:
            if end - start < 10:
                return Refused("failed", "corrupt", "the JPEG frame header is too short")
            process, frame = marker, data[start + 4 : end]
        at = end
    if frame is None:
        return Refused("failed", "corrupt", "the JPEG stream has a scan but no frame header before it")
    return JpegHeader(
        width=frame[3] << 8 | frame[4],
        height=frame[1] << 8 | frame[2],
        components=frame[5],
        component_ids=frame[6::3],
        precision=frame[0],
        process=process,
        adobe_transform=adobe,
        orientation=1 if exif is None else exif_orientation(exif),
        exif=exif,
        icc=_join_profile(profile) if profile else None,
        segments=tuple(segments),
        scan=start,
        junk=junk,
    )


def exif_orientation(exif: bytes) -> int:
    """Orientation in an EXIF block (from its TIFF header on), 1 to 8; 1 where there is none or the block is malformed."""
    place = _orientation_place(exif)
    if place is None:
        return 1
    value: int = struct.unpack_from(place[0], exif, place[1])[0]
    return value if 1 <= value <= 8 else 1


def with_upright_orientation(exif: bytes) -> bytes:
    """The EXIF block of an image that has been turned upright: its orientation, where it has one, is 1."""
    place = _orientation_place(exif)
    if place is None:
        return exif
    changed = bytearray(exif)
    struct.pack_into(place[0], changed, place[1], 1)
    return bytes(changed)


def _orientation_place(exif: bytes) -> tuple[str, int] | None:
    """Format and offset of the orientation's value; None where there is none or the block is malformed."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == 0x0112:
                value = order + ("I" if kind == 4 else "H")
                struct.unpack_from(value, exif, entry + 8)
                return value, entry + 8
    except struct.error:
        pass  # cut short: promise of the docstring
    return None


def without_metadata(data: bytes, header: JpegHeader) -> bytes:
    """The first image of the stream, whole, without what is not needed to decode it; the pixels stay the same.

    APP1 to APP13 and APP15 (EXIF, XMP, profiles, IPTC), comments, junk between segments and whatever follows the end
    of the image are left out; APP0 and APP14, which say how to read the colours, stay.
    """
    kept = [header.rebuilt(data[: header.scan], _METADATA)]
    at = header.scan
    while True:  # progressive streams have segments between their scans
        start, marker = at, data[at + 1]
        if marker == 0xD9:
            kept.append(data[at : at + 2])
            return b"".join(kept)
        length = data[at + 2] << 8 | data[at + 3]
        following = _NEXT_SEGMENT.search(data, at + 2 + length)
        at = following.start() if following else len(data)
        if marker not in _METADATA:
            kept.append(data[start:at])
        if following is None:
            return b"".join(kept)


def _join_profile(chunks: list[bytes]) -> bytes | None:
    """Each chunk begins with its number, from 1, and how many there are."""
    if any(len(chunk) < 2 for chunk in chunks):
        return None
    chunks = sorted(chunks, key=lambda chunk: chunk[0])
    if [chunk[0] for chunk in chunks] != list(range(1, chunks[0][1] + 1)):
        return None
    return b"".join(chunk[2:] for chunk in chunks)


def _truncated() -> Refused:
    return Refused("failed", "truncated", "the JPEG stream ends within its header")
