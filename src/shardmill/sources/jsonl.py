"""Rows of JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS
from shardmill.sources.columns import JSON_TEXT
from shardmill.storage import Store

_TYPES: Final = {"none": pa.null(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


class JsonlRows:
    """One JSON object a line; blank lines are no rows.

    The first pass, on opening, finds the columns in order of appearance and a type that holds all values of each: what is
    neither truth value nor number becomes text, lists and objects as JSON.
    """

    class_names: tuple[str, ...] | None = None

    def __init__(self, store: Store, name: str) -> None:
        self.where = name
        self.ignored: Counter[str] = Counter()
        self._store, self._name = store, name
        kinds: dict[str, str] = {}
        for row in self._objects():
            for column, value in row.items():
                kinds[column] = _join(kinds.get(column, "none"), _kind(value))
        if not kinds:
            raise UsageError(
                f'{name} holds no rows; write one JSON object a line, such as: {{"file_name": "a.jpg", "label": "cat"}}'
            )
        self._kinds = kinds
        self.schema = pa.schema([_field(column, kind) for column, kind in kinds.items()])

    def batches(self) -> Iterator[tuple[pa.RecordBatch, str | None]]:
        rows = self._objects()
        while some := list(islice(rows, BATCH_ROWS)):
            columns = [_column(some, column, kind) for column, kind in self._kinds.items()]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema), None

    def _objects(self) -> Iterator[dict[str, Any]]:
        with self._store.open(self._name) as file:
            for number, line in enumerate(file, start=1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    if not text.strip():
                        continue
                    row = json.loads(text)
                    if "\\u" in text:
                        json.dumps(row, ensure_ascii=False).encode()  # half a surrogate pair is no text
                except (ValueError, RecursionError) as error:
                    raise UsageError(
                        f"{self._name}, line {number} is not JSON in UTF-8 ({error}); write one object a line."
                    ) from error
                if not isinstance(row, dict):
                    raise UsageError(f"{self._name}, line {number} holds no JSON object; write one object a line.")
                yield row


def _kind(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "bool"
        case int():
            return "int" if -(2**63) <= value < 2**63 else "text"
        case float():
            return "float"
        case str():
            return "text"
        case _:
            return "json"


def _join(one: str, other: str) -> str:
    if one == other or other == "none":
        return one
    if one == "none":
        return other
    if "json" in (one, other):
        return "json"
    return "float" if {one, other} == {"int", "float"} else "text"


def _field(column: str, kind: str) -> pa.Field:
    return pa.field(column, _TYPES.get(kind, pa.string()), metadata=JSON_TEXT if kind == "json" else None)


def _column(rows: list[dict[str, Any]], column: str, kind: str) -> pa.Array:
    values = [row.get(column) for row in rows]
    if kind in ("text", "json"):
        values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    elif kind == "float":
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, _TYPES.get(kind, pa.string()))
