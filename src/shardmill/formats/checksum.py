"""A checksum over all of a sample, for formats that have none of their own."""

from __future__ import annotations

from typing import Final

import google_crc32c

from shardmill.formats.base import Sample

CHECKSUM: Final = "crc32c"
"""Name of the field that holds it."""


def sample_checksum(sample: Sample) -> int:
    """The crc32c of the image, of the EXIF block behind it, and of the other fields as lines of text."""
    fields = (sample.key, sample.label, sample.text, sample.width, sample.height, sample.filename, sample.image_format)
    crc: int = google_crc32c.value(sample.image)
    crc = google_crc32c.extend(crc, sample.exif or b"")
    return int(google_crc32c.extend(crc, "\n".join(map(str, fields)).encode()))
