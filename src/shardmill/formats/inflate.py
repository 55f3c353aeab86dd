"""Compressed shards: told by their first bytes, inflated in bounded memory, every whole byte before damage kept."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from shardmill.formats.framing import HEADER, header_length

if TYPE_CHECKING:
    from zlib import _Decompress  # exists for type checkers alone

_IN: Final = 64 * 1024
_OUT: Final = 1024 * 1024
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_EFFORTS: Final = frozenset({0, 2, 4})
_GZIP_SYSTEMS: Final = frozenset({*range(14), 255})
_ZLIB: Final = frozenset({b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"})


def is_compressed(head: bytes) -> bool:
    """True where the first bytes of a file begin a gzip or zlib stream rather than a record.

    A record may by chance state a length that looks like either signature, so its checksum and what else the signature entails are asked too.
    """
    if len(head) < HEADER.size or header_length(head[: HEADER.size]) is not None:
        return False
    if head[:3] == _GZIP:
        return head[8] in _GZIP_EFFORTS and head[9] in _GZIP_SYSTEMS
    return head[:2] in _ZLIB and head[4:8] != bytes(4)


class Inflated:
    """The content of a gzip or zlib stream, several gzip members included. Reads front to back; one thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._input = b""
        self._ready = b""
        self._at = 0
        self._ended = False
        self.problem: str | None = None
        """Why the stream ended before its time, once all that came before it has been read."""

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer where the stream ends or breaks."""
        parts = []
        while size > 0 and (self._at < len(self._ready) or self._fill()):
            part = self._ready[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _fill(self) -> bool:
        """Inflate the next block into `_ready`; False at the end."""
        while not self._ended:
            if not self._input:
                self._input = self._file.read(_IN)
                if not self._input:
                    self._end(None if self._inflate.eof else "the compressed stream ends early")
                    return False
            if self._inflate.eof and not self._next_member():
                continue
            before, given = self._inflate.copy(), self._input
            try:
                block = self._inflate.decompress(given, _OUT)
                self._input = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            except zlib.error as error:
                block = _salvage(before, given)
                self._end(f"the compressed stream is damaged ({error})")
            if block:
                self._ready, self._at = block, 0
                return True
        return False

    def _next_member(self) -> bool:
        self._input = self._input.lstrip(b"\0")  # gzip allows padding behind a member
        if self._input:
            self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        return bool(self._input)

    def _end(self, problem: str | None) -> None:
        self._ended = True
        self.problem = problem


def _salvage(inflate: _Decompress, given: bytes) -> bytes:
    """What `given` inflates to before the byte at which it breaks."""
    blocks = []
    for at in range(len(given)):
        try:
            blocks.append(inflate.decompress(given[at : at + 1]))
        except zlib.error:
            break
    return b"".join(blocks)
