"""Shards of text: a line for each record, its CRC-32 and then JSON, with the image in Base64."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import BinaryIO

from shardmill.errors import UsageError
from shardmill.formats.base import Damage, FormatOptions, Placement, Sample

LONGEST_LINE = 1 << 30


class LinesFormat:
    """See `shardmill.formats.base.Format`."""

    suffix = ".lines"
    index_suffix = ""
    random_access = True

    @classmethod
    def from_options(cls, options: FormatOptions) -> LinesFormat:
        if options.compression != "none":
            raise UsageError("--format lines has no compression; leave --compression out.")
        return cls()

    def writer(self, file: BinaryIO) -> LinesWriter:
        return LinesWriter(file)

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        for number, (placement, line) in enumerate(_lines(file)):
            record = _parsed(line, number, placement.offset)
            yield record if isinstance(record, Damage) else (placement, record)

    def locate(self, file: BinaryIO) -> list[Placement] | None:
        file.seek(0)
        return [placement for placement, _ in _lines(file)]

    def read_at(self, file: BinaryIO, placement: Placement) -> Sample | Damage:
        file.seek(placement.offset)
        return _parsed(file.read(placement.length), 0, placement.offset)

    def image_in(self, record: bytes) -> bytes | None:
        sample = _parsed(record, 0, 0)
        return None if isinstance(sample, Damage) else sample.image

    def index(self, file: BinaryIO) -> bytes:
        return b""

    def parse_index(self, content: bytes) -> list[Placement] | int:
        return []

    def salvage(self, source: BinaryIO, target: BinaryIO, bad: Collection[int]) -> tuple[int, int]:
        kept = lost = 0
        for placement, line in _lines(source):
            if placement.offset in bad or isinstance(_parsed(line, 0, 0), Damage):
                lost += 1
            else:
                target.write(line)
                kept += 1
        return kept, lost


class LinesWriter:
    """See `shardmill.formats.base.ShardWriter`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.placements: list[Placement] = []

    def add(self, sample: Sample) -> None:
        values = asdict(sample) | {name: _text(getattr(sample, name)) for name in ("image", "exif")}
        body = json.dumps(values).encode()
        line = b"%08x %b\n" % (zlib.crc32(body), body)
        last = self.placements[-1] if self.placements else Placement(0, 0)
        self.placements.append(Placement(last.offset + last.length, len(line)))
        self._file.write(line)

    def finish(self) -> bytes:
        return b""


def _lines(file: BinaryIO) -> Iterator[tuple[Placement, bytes]]:
    offset = 0
    while line := file.readline(LONGEST_LINE):
        yield Placement(offset, len(line)), line
        offset += len(line)


def _parsed(line: bytes, number: int, offset: int) -> Sample | Damage:
    if not line.endswith(b"\n"):
        return Damage(number, offset, "truncated", "the line has no end")
    checksum, _, body = line[:-1].partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return Damage(number, offset, "data_crc", "the checksum is not that of the line")
    values = json.loads(body)
    return Sample(**values | {name: _bytes(values[name]) for name in ("image", "exif")})


def _text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
