"""What our Parquet files say of themselves, beyond what Parquet does: where images lie, and checksums of all the rest.

Readers of Parquet trust its structure, and crash where a damaged footer or page leads them astray. Ours is proved before
they see it: the footer by a checksum inside it, each row group by one over all its bytes but the images. The images
are stored one behind the other, each after its length; a row's own checksum covers its image.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

import google_crc32c

from shardmill.formats.base import Placement

GROUPS: Final = "shardmill.groups"
FOOTER_CHECKSUM: Final = "shardmill.crc32c"
NO_CHECKSUM: Final = "00000000"
_MARK: Final = b"shardmill."
_STORED: Final = re.compile(rb"shardmill\.crc32c\x18\x08([0-9a-f]{8})")
_LENGTH: Final = struct.Struct("<I")
_NEEDLE: Final = 64
_END: Final = struct.Struct("<I4s")
_MAGIC: Final = b"PAR1"
_TAIL: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class GroupMap:
    """Where the images of a row group lie."""

    start: int
    """First byte of the group in the file."""
    length: int
    runs: tuple[tuple[int, int], ...]
    """Offset in the group and number of images that follow each other; page headers stand between runs."""
    checksum: int
    """crc32c of the group without the images."""

    def placements(self, group: bytes) -> list[Placement] | None:
        """Where each image lies in the file, from the bytes of the group; None where these are not as written."""
        if len(group) != self.length:
            return None
        placements = list(self.walk(lambda at: group[at : at + _LENGTH.size]))
        if len(placements) != sum(count for _, count in self.runs) or self._rest(group, placements) != self.checksum:
            return None
        return placements

    def walk(self, read: Callable[[int], bytes]) -> Iterator[Placement]:
        """The same without proof, reading the lengths alone: `read` gives the four bytes at an offset in the group."""
        for offset, count in self.runs:
            at = offset
            for _ in range(count):
                length = read(at)
                if len(length) < _LENGTH.size:
                    return
                (size,) = _LENGTH.unpack(length)
                yield Placement(self.start + at + _LENGTH.size, size)
                at += _LENGTH.size + size

    def _rest(self, group: bytes, placements: Sequence[Placement]) -> int:
        crc, at = 0, 0
        for place in placements:
            offset = place.offset - self.start
            crc, at = google_crc32c.extend(crc, group[at:offset]), offset + place.length
        return int(google_crc32c.extend(crc, group[at:]))


def map_group(group: bytes, start: int, images: Sequence[bytes]) -> GroupMap:
    """The map of a row group that begins at `start`, in which the `images` stand uncompressed, in order."""
    runs: list[list[int]] = []
    at = 0
    for image in images:
        length = _LENGTH.pack(len(image))
        behind = at + _LENGTH.size
        if not runs or group[at:behind] != length or group[behind : behind + len(image)] != image:
            at = group.find(length + image[:_NEEDLE], at)
            while group[at + _LENGTH.size : at + _LENGTH.size + len(image)] != image:
                assert at >= 0, "an image is not stored as it was given"
                at = group.find(length + image[:_NEEDLE], at + 1)
            runs.append([at, 0])
        runs[-1][1] += 1
        at += _LENGTH.size + len(image)
    bare = GroupMap(start, len(group), tuple((offset, count) for offset, count in runs), 0)
    return replace(bare, checksum=bare._rest(group, list(bare.walk(lambda at: group[at : at + _LENGTH.size]))))


def groups_to_json(groups: Sequence[GroupMap]) -> str:
    return json.dumps(
        [[group.start, group.length, group.runs, group.checksum] for group in groups], separators=(",", ":")
    )


def groups_from_json(text: bytes) -> tuple[GroupMap, ...]:
    return tuple(
        GroupMap(start, length, tuple((offset, count) for offset, count in runs), checksum)
        for start, length, runs, checksum in json.loads(text)
    )


def sealed(footer: bytes) -> bytes:
    """The end of a file with the checksum of all of it put in the place kept free for it."""
    place = _STORED.search(footer)
    assert place is not None, "no place was kept free"
    return footer[: place.start(1)] + b"%08x" % google_crc32c.value(footer) + footer[place.end(1) :]


def footer_problem(file: BinaryIO) -> tuple[str, str] | bool:
    """Whether a file is ours and its footer as written; else kind and detail of what is wrong with it."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    if len(tail) < _END.size or not tail.endswith(_MAGIC):
        return "truncated", "it does not end as a Parquet file does"
    length = _END.unpack(tail[-_END.size :])[0] + _END.size
    if size > _TAIL and length <= size:
        file.seek(size - length)
        tail = file.read() if length > _TAIL else tail
    footer = tail[-length:] if length <= len(tail) else b""
    if _MARK not in tail:
        return False
    place = _STORED.search(footer)
    if place is None:
        return "bad_footer", "the footer's own checksum is not where it was written"
    bare = footer[: place.start(1)] + NO_CHECKSUM.encode() + footer[place.end(1) :]
    if int(place[1], 16) != google_crc32c.value(bare):
        return "bad_footer", "the footer's checksum is not that of its bytes"
    return True


@dataclass(slots=True)
class Captured:
    """What was written inside a block."""

    start: int
    """Where in the file it begins."""
    parts: list[bytes] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)


class Tap:
    """A file to write, whose bytes can be looked at as they go by, or held back."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._captured: Captured | None = None
        self._held = False
        self._offset = 0

    def write(self, block: bytes) -> int:
        content = bytes(block)
        if not self._held:
            self._file.write(content)
        self._offset += len(content)
        if self._captured is not None:
            self._captured.parts.append(content)
        return len(content)

    def tell(self) -> int:
        return self._offset

    def flush(self) -> None:
        """The owner of the file flushes it."""

    def close(self) -> None:
        """The owner of the file closes it."""

    @contextmanager
    def capture(self, *, hold: bool = False) -> Iterator[Captured]:
        """Collect what is written inside the block; with `hold`, it is not passed on."""
        self._captured, self._held = Captured(self._offset), hold
        try:
            yield self._captured
        finally:
            self._captured, self._held = None, False
