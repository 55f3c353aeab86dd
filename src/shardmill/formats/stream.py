"""The bytes of a shard front to back, whether compressed or not, with a way to take bytes back."""

from __future__ import annotations

from typing import BinaryIO, Final

from shardmill.formats.framing import HEADER
from shardmill.formats.inflate import Inflated, is_compressed

_CHUNK: Final = 4 * 1024 * 1024


class ByteStream:
    """Reads `file` from where it stands. A size asked for is never allocated before the bytes are there."""

    def __init__(self, file: BinaryIO) -> None:
        head = _read_up_to(file, HEADER.size)
        self._plain = not is_compressed(head)
        self._file = file
        self._origin: int | None = None
        self._left: int | None = None
        if self._plain and file.seekable():
            here = file.tell()
            self._origin = here - len(head)
            self._left = file.seek(0, 2) - here
            file.seek(here)
        self._inflated = None if self._plain else Inflated(_Prefixed(head, file))  # type: ignore[arg-type]
        self._pending: list[memoryview] = [memoryview(head)] if self._plain and head else []
        self.offset = 0
        """Of the next byte, from where the stream began, in uncompressed bytes."""

    @property
    def compressed(self) -> bool:
        """Nothing of it can be skipped."""
        return not self._plain

    @property
    def problem(self) -> str | None:
        """Why a compressed stream broke off, once the bytes before that are read."""
        return self._inflated.problem if self._inflated else None

    def has(self, size: int) -> bool:
        """False where it is certain that fewer than `size` bytes are left."""
        return self._left is None or size <= self._left + sum(map(len, self._pending))

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer where the stream ends."""
        block = self._read_new(size) if not self._pending else self._read_pending(size)
        self.offset += len(block)
        return block

    def unread(self, block: bytes) -> None:
        """Take back what was read last, so that it is read again."""
        if block:
            self._pending.append(memoryview(block))
            self.offset -= len(block)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes, or as many as there are; nothing is read where the file can be sought."""
        while self._pending and size > 0:
            size -= len(self.read(min(size, len(self._pending[-1]))))
        if self._left is not None and self._origin is not None:
            step = min(size, self._left)
            self._file.seek(step, 1)
            self._left -= step
            self.offset += step
            return
        while size > 0 and (block := self.read(min(size, _CHUNK))):
            size -= len(block)

    def read_again(self, offset: int, size: int) -> bytes | None:
        """A second look at bytes already read, past the file's buffer; None where the stream cannot go back."""
        if self._origin is None:
            return None
        here = self._file.tell()
        self._file.seek(0, 2)  # a seek inside the buffer would hand out the same memory again
        self._file.seek(self._origin + offset)
        block = _read_up_to(self._file, size)
        self._file.seek(here)
        return block

    def _read_pending(self, size: int) -> bytes:
        parts: list[bytes | memoryview] = []
        while self._pending and size > 0:
            block = self._pending.pop()
            if len(block) > size:
                self._pending.append(block[size:])
                block = block[:size]
            parts.append(block)
            size -= len(block)
        if size > 0:
            parts.append(self._read_new(size))
        return b"".join(parts)

    def _read_new(self, size: int) -> bytes:
        if self._inflated:
            return self._inflated.read(size)
        block = self._file.read(size) if size <= _CHUNK else _read_up_to(self._file, size)
        if self._left is not None:
            self._left -= len(block)
        return block


class _Prefixed:
    """`file` with the bytes put back that were read to sniff it."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file = head, file

    def read(self, size: int) -> bytes:
        head, self._head = self._head, b""
        return head or self._file.read(size)


def _read_up_to(file: BinaryIO, size: int) -> bytes:
    parts = []
    while size > 0:
        part = file.read(min(size, _CHUNK))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
