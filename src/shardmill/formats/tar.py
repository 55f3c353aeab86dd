"""Members of a tar, and the next good one behind damage. Headers of ustar, GNU and pax are read; GNU ones are written."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import Final

from shardmill.formats.stream import ByteStream

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""What stands behind the last member."""
MAX_MEMBER: Final = 256 * 1024 * 1024
"""Bytes; a header that states more is taken for damage, so that memory stays bounded whatever a file claims."""
_FILE: Final = frozenset(b"0\0007")
_LONG_NAME: Final = ord("L")
_PAX: Final = ord("x")
_CHECKSUM: Final = slice(148, 156)
_MAX_EXTENSION: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar."""

    name: str
    start: int
    """Of its first header, in bytes."""
    offset: int
    """Of its content."""
    size: int

    @property
    def end(self) -> int:
        """Where the next header stands."""
        return self.offset + padded(self.size)


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that is no member."""

    offset: int
    kind: str
    """`header`, `truncated`, `too_large`, `bad_compression` or `behind_end`."""
    detail: str


def padded(size: int) -> int:
    """`size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def header(name: str, size: int) -> bytes:
    """The header of a file with fixed times, rights and owners, so that equal content gives equal bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def first_content(block: bytes) -> tuple[int, int] | None:
    """Where the content of the first file of a tar lies; None where its header is not whole."""
    at = 0
    while (fields := _fields(block[at : at + BLOCK])) is not None:
        kind, _, size = fields
        at += BLOCK
        if kind in _FILE:
            return (at, at + size) if at + size <= len(block) else None
        at += padded(size)
    return None


class TarReader:
    """Walks over the members of a tar. After each, `data` or `skip` must be called once."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.ended = False
        """The end mark was seen."""

    def next(self) -> Member | Broken | None:
        """The next regular file; what stands in its place where that is damaged; None at the end."""
        if self.ended:
            return None
        start: int | None = None
        name: str | None = None
        size: int | None = None
        while True:
            at = self._stream.offset
            start = at if start is None else start
            block = self._stream.read(BLOCK)
            if not any(block):
                return self._end(block, start)
            fields = _fields(block)
            if fields is None:
                self._stream.unread(block)
                return self._broken(start, "header" if len(block) == BLOCK else "truncated")
            kind, own_name, own_size = fields
            if kind in (_LONG_NAME, _PAX):
                content = self._stream.read(padded(own_size))[:own_size] if own_size <= _MAX_EXTENSION else b""
                if len(content) < own_size:
                    return self._broken(start, "truncated")
                if kind == _LONG_NAME:
                    name = _text(content.rstrip(b"\0"))
                else:
                    records = _pax_records(content)
                    name, size = records.get("path", name), _number(records.get("size"), size)
                continue
            if kind not in _FILE:
                self._stream.skip(padded(own_size))
                start = name = size = None
                continue
            member = Member(name or own_name, start, self._stream.offset, own_size if size is None else size)
            if not self._stream.has(member.size):
                return self._broken(start, "truncated")
            if member.size > MAX_MEMBER:
                self.skip(member)
                return Broken(
                    start, "too_large", f"{member.name} has {member.size} bytes; at most {MAX_MEMBER} are read"
                )
            return member

    def data(self, member: Member) -> bytes | None:
        """The content of the member that `next` gave last; None where the file ends before that."""
        block = self._stream.read(padded(member.size))
        return block[: member.size] if len(block) == padded(member.size) else None

    def skip(self, member: Member) -> None:
        """Pass over the content."""
        self._stream.skip(padded(member.size))

    def resync(self) -> bool:
        """Move on, by at least a block, to the next place where a member begins; False at the end."""
        self._stream.skip(BLOCK)
        while True:
            block = self._stream.read(BLOCK)
            if len(block) < BLOCK:
                return False
            if _fields(block) is not None:
                self._stream.unread(block)
                return True

    def _end(self, block: bytes, start: int) -> Broken | None:
        if self._stream.problem:
            return self._broken(start, "bad_compression")
        self.ended = len(block) == BLOCK
        if not self.ended:
            return self._broken(start, "truncated")
        rest = self._stream.read(BLOCK)
        if len(rest) < BLOCK:
            return self._broken(start, "truncated")
        while rest:
            if any(rest):
                return Broken(start, "behind_end", f"the tar goes on behind its end mark at byte {start}")
            rest = self._stream.read(1 << 20)
        return None

    def _broken(self, start: int, kind: str) -> Broken:
        if self._stream.problem:
            return Broken(start, "bad_compression", self._stream.problem)
        details = {
            "header": "the header's checksum is not that of its bytes",
            "truncated": "the file ends here, before the end mark of the tar",
        }
        return Broken(start, kind, details[kind])


def _fields(block: bytes) -> tuple[int, str, int] | None:
    """Type, name and size in a header, or None where its checksum does not agree."""
    if len(block) < BLOCK:
        return None
    said = _octal(block[_CHECKSUM])
    if said is None or said != sum(block) - sum(block[_CHECKSUM]) + 8 * 0x20:
        return None
    size = int.from_bytes(block[125:136]) if block[124] == 0x80 else _octal(block[124:136])
    if size is None:
        return None
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return block[156], _text(name), size


def _octal(field: bytes) -> int | None:
    digits = field.partition(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return None


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def _pax_records(content: bytes) -> dict[str, str]:
    """`length key=value\\n` over and over; what is malformed is left out."""
    records: dict[str, str] = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(content):
            break
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        records[_text(key)] = _text(value)
        content = content[int(length) :]
    return records


def _number(text: str | None, default: int | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else default
