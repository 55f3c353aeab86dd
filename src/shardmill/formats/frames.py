"""Finds the records of a TFRecord file, and the next good one behind damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from shardmill.formats.base import Damage, Placement
from shardmill.formats.framing import FOOTER, HEADER, OVERHEAD, header_length, masked_crc
from shardmill.formats.stream import ByteStream

MAX_RECORD: Final = 256 * 1024 * 1024
"""Bytes; a header that states more is taken for damage, so that memory stays bounded whatever a file claims."""
_SCAN: Final = 1024 * 1024


def frames(file: BinaryIO) -> Iterator[tuple[Placement, bytes] | Damage]:
    """Every payload of a TFRecord file, compressed or not, front to back; damage in place.

    Behind a payload whose checksum fails, reading goes on at the next record. Behind a header that fails, and where the
    next record is not where it should be, the bytes are searched for the next place at which a record begins; what lies
    between counts as one damaged record. Memory: one record, at most `MAX_RECORD` bytes.
    """
    stream = ByteStream(file)
    number = 0
    while True:
        offset = stream.offset
        header = stream.read(HEADER.size)
        if not header and not stream.problem:
            return
        length = header_length(header) if len(header) == HEADER.size else None
        if length is None or length > MAX_RECORD or not stream.has(length + FOOTER.size):
            yield _bad_header(stream, number, offset, header, length)
            stream.unread(header[1:])
            if not _resync(stream):
                return
            number += 1
            continue
        payload = stream.read(length)
        footer = stream.read(FOOTER.size)
        if len(footer) < FOOTER.size:
            yield _cut_short(stream, number, offset, length + OVERHEAD)
            stream.unread(payload + footer)
            if not _resync(stream):
                return
        elif FOOTER.unpack(footer)[0] == masked_crc(payload):
            yield Placement(offset, length + OVERHEAD), payload
        else:
            yield Damage(number, offset, "data_crc", _second_look(stream, offset, header + payload + footer))
            end = stream.offset
            if not _at_header(stream):
                following = stream.read(HEADER.size)
                stream.unread(following)
                stream.unread(payload + footer)
                found = _resync(stream)
                if following and (stream.offset > end or not found):  # more than this record is damaged
                    number += 1
                    yield _bad_header(stream, number, end, following, None)
                if not found:
                    return
        number += 1


def _bad_header(stream: ByteStream, number: int, offset: int, header: bytes, length: int | None) -> Damage:
    if len(header) < HEADER.size:
        return _cut_short(stream, number, offset, HEADER.size)
    if length is None:
        return Damage(number, offset, "length_crc", _second_look(stream, offset, header))
    if length > MAX_RECORD and stream.has(length + FOOTER.size):
        return Damage(number, offset, "too_large", f"the record states {length} bytes; at most {MAX_RECORD} are read")
    return _cut_short(stream, number, offset, length + OVERHEAD)


def _cut_short(stream: ByteStream, number: int, offset: int, expected: int) -> Damage:
    if stream.problem:
        return Damage(number, offset, "bad_compression", stream.problem)
    return Damage(number, offset, "truncated", f"the file ends inside this record of {expected} bytes or more")


def _second_look(stream: ByteStream, offset: int, first: bytes) -> str:
    second = stream.read_again(offset, len(first))
    if second is None:
        return "the stored checksum differs"
    if second == first:
        return "the stored checksum differs, and a second read gave the same bytes: the file itself is damaged"
    return "a second read gave other bytes: suspect this machine's memory or the way to its disk before the file"


def _at_header(stream: ByteStream) -> bool:
    """True at a header whose checksum agrees, and at the end."""
    header = stream.read(HEADER.size)
    stream.unread(header)
    return not header or (len(header) == HEADER.size and header_length(header) is not None)


def _resync(stream: ByteStream) -> bool:
    """Move on to the next place where a record begins; False, and at the end, where there is none."""
    while True:
        window = stream.read(_SCAN)
        if len(window) < HEADER.size:
            return False
        for at in _candidates(window):
            length = header_length(window[at : at + HEADER.size])
            if length is not None and length <= MAX_RECORD:
                stream.unread(window[at:])
                if _confirmed(stream, length):
                    return True
                window = stream.read(HEADER.size)  # a chance hit: go on one byte behind it
                break
        stream.unread(window[1 - HEADER.size :])


def _candidates(window: bytes) -> list[int]:
    """Where a header may begin: the upper half of its length is zero, and it is no part of a hole of zeros."""
    zero = np.frombuffer(window, np.uint8) == 0
    pairs = zero[1:] & zero[:-1]
    fours = pairs[2:] & pairs[:-2]  # [i]: the four bytes from i on are zero
    places = np.flatnonzero(fours[4:-4] & ~(fours[:-8] & fours[8:]))
    return places.tolist()


def _confirmed(stream: ByteStream, length: int) -> bool:
    """True where the record that begins here has a good payload or is followed by another header or the end."""
    if not stream.has(length + OVERHEAD):
        return False
    header, payload, footer = stream.read(HEADER.size), stream.read(length), stream.read(FOOTER.size)
    whole = len(footer) == FOOTER.size
    confirmed = whole and (FOOTER.unpack(footer)[0] == masked_crc(payload) or _at_header(stream))
    stream.unread(header + payload + footer)
    return confirmed
