"""Gathers the findings of one shard; the first hundred in full, the rest by number."""

from __future__ import annotations

from typing import Final

from shardmill.operations.verify.result import Finding

MOST_KEPT: Final = 100


class Collector:
    """Findings about one shard."""

    def __init__(self, file: str, *, keep_all: bool = False) -> None:
        self._file = file
        self._most = None if keep_all else MOST_KEPT
        self.findings: list[Finding] = []
        self.total = 0

    def __call__(
        self,
        kind: str,
        detail: str,
        record: int | None = None,
        offset: int | None = None,
        key: str | None = None,
        file: str | None = None,
    ) -> None:
        self.total += 1
        if self._most is None or len(self.findings) < self._most:
            self.findings.append(Finding(file or self._file, kind, detail, record, offset, key or None))
