"""What a shard's digest is taken from while it is written."""

from __future__ import annotations

import hashlib
from typing import BinaryIO


class HashingFile:
    """Passes writes on and keeps their digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)
