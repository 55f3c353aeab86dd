"""Rows of CSV and its kin."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS
from shardmill.storage import Store

_DELIMITERS: Final = ",\t;|"


class CsvRows:
    """A text table with a header, delimited by comma, tab, semicolon or bar, whichever splits the header most.

    Quoting as in RFC 4180, UTF-8 with or without a byte order mark; every column is text, blank lines are no rows.
    """

    class_names: tuple[str, ...] | None = None

    def __init__(self, store: Store, name: str) -> None:
        self.where = name
        self.ignored: Counter[str] = Counter()
        self._store, self._name = store, name
        header, self._delimiter = self._sniff()
        if not header:
            raise UsageError(f"{name} is empty; give a list with a header line, such as: file_name,label")
        self.schema = pa.schema([(column.strip(), pa.string()) for column in header])

    def batches(self) -> Iterator[tuple[pa.RecordBatch, str | None]]:
        width = len(self.schema)
        with self._records(self._delimiter) as reader:
            next(reader)
            while records := list(islice(reader, BATCH_ROWS)):
                yield self._batch([record for record in records if record], width), None

    def _batch(self, records: list[list[str]], width: int) -> pa.RecordBatch:
        columns = zip(*records, strict=True) if records else [()] * width
        return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=self.schema)

    def _sniff(self) -> tuple[list[str], str]:
        """The header and the delimiter that splits it most."""
        found: list[tuple[list[str], str]] = []
        errors: list[UsageError] = []
        for delimiter in _DELIMITERS:
            try:
                with self._records(delimiter) as reader:
                    found.append((next(reader, []), delimiter))
            except UsageError as error:  # quotes that make no sense with this delimiter
                errors.append(error)
        if not found:
            raise errors[0]
        return max(found, key=lambda candidate: len(candidate[0]))

    @contextmanager
    def _records(self, delimiter: str) -> Iterator[Iterator[list[str]]]:
        with self._store.open(self._name) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            yield self._checked(csv.reader(text, delimiter=delimiter, strict=True))

    def _checked(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        line = 1
        width = 0
        try:
            for record in reader:
                width = width or len(record)
                if record and len(record) != width:
                    raise UsageError(
                        f"{self._name}, line {line}: {len(record)} values where the header names {width} columns; "
                        "quote values that hold the delimiter, and give every row all columns."
                    )
                yield record
                line = reader.line_num + 1  # type: ignore[attr-defined]  # of csv.reader, whose type has no public name
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{self._name} is not UTF-8 text (near line {line}); convert it, for example with iconv."
            ) from error
        except csv.Error as error:
            raise UsageError(
                f"{self._name}, line {line}: {error}; put the value in double quotes and double those inside it."
            ) from error
