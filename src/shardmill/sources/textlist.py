"""Rows of a plain text list."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS
from shardmill.sources.names import to_text
from shardmill.storage import Store

_LOOKED_AT: Final = 1000
_LABELLED: Final = re.compile(r"(.*\S)\s+(\d+)\s*", re.DOTALL)


class TextRows:
    """One location a line, and behind it its class number where each of the first thousand lines ends in one.

    Blank lines and those that begin with `#` are counted as ignored. Bytes that are not UTF-8 are kept as in file names.
    """

    class_names: tuple[str, ...] | None = None

    def __init__(self, store: Store, name: str) -> None:
        self.where = name
        self.ignored: Counter[str] = Counter()
        self._store, self._name = store, name
        first = [line for _, line in islice(self._lines(), _LOOKED_AT)]
        self._labelled = bool(first) and all(_LABELLED.fullmatch(line) for line in first)
        self.schema = pa.schema([("file_name", pa.string())] + [("label", pa.string())] * self._labelled)

    def batches(self) -> Iterator[tuple[pa.RecordBatch, str | None]]:
        self.ignored.clear()
        lines = self._lines()
        while some := list(islice(lines, BATCH_ROWS)):
            columns = zip(*map(self._split, some), strict=True) if self._labelled else [[line for _, line in some]]
            arrays = [pa.array(map(to_text, column), pa.string()) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema), None

    def _split(self, numbered: tuple[int, str]) -> tuple[str, str]:
        number, line = numbered
        match = _LABELLED.fullmatch(line)
        if match is None:
            raise UsageError(
                f"{self._name}, line {number} ends in no class number, though the lines before it do; "
                "give every line one, or use a CSV list."
            )
        return match[1], match[2]

    def _lines(self) -> Iterator[tuple[int, str]]:
        with self._store.open(self._name) as file:
            for number, raw in enumerate(file, start=1):
                line = raw.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").decode("utf-8", "surrogateescape")
                line = line.removesuffix("\n").removesuffix("\r")
                if not line.strip():
                    self.ignored["blank line"] += 1
                elif line.startswith("#"):
                    self.ignored["comment line"] += 1
                else:
                    yield number, line
