"""The framing of TFRecord files: length, its checksum, payload, its checksum; all little endian.

uint64 length | uint32 masked crc32c(length) | byte payload[length] | uint32 masked crc32c(payload)
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import google_crc32c

HEADER: Final = Struct("<QI")
FOOTER: Final = Struct("<I")
LENGTH: Final = Struct("<Q")
OVERHEAD: Final = HEADER.size + FOOTER.size
"""Bytes of framing around each payload."""


def masked_crc(data: bytes) -> int:
    """The crc32c of `data`, rotated and shifted as TensorFlow does, so that checksums can be checksummed again."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFF_FFFF


def frame_header(length: int) -> bytes:
    """The twelve bytes before a payload of `length` bytes."""
    return HEADER.pack(length, masked_crc(LENGTH.pack(length)))


def frame_footer(payload: bytes) -> bytes:
    """The four bytes behind `payload`."""
    return FOOTER.pack(masked_crc(payload))


def header_length(header: bytes) -> int | None:
    """The payload length that a twelve-byte header states, or None where its checksum does not agree."""
    length, crc = HEADER.unpack(header)
    return int(length) if crc == masked_crc(header[:8]) else None
