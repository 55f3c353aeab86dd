"""A list of images: rows with a location and what else is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import LISTING
from shardmill.sources.columns import (
    JSON_TEXT,
    Columns,
    as_labels,
    as_sizes,
    as_splits,
    as_text,
    find_columns,
    holds_bytes,
)
from shardmill.sources.locations import given_keys, uris_and_keys
from shardmill.sources.spec import SourceSpec


class Rows(Protocol):
    """The rows of a list, whatever its file format.

    `batches` yields record batches of at most `BATCH_ROWS` rows of `schema`, each with the split that its file's name
    says, the same on every call.
    """

    where: str
    """How messages call the list."""
    schema: pa.Schema
    class_names: tuple[str, ...] | None
    """What numbers in the label column stand for, where the file says so."""
    ignored: Counter[str]

    def batches(self) -> Iterator[tuple[pa.RecordBatch, str | None]]: ...


class ListSource:
    """The images that a list names.

    Locations are relative to the list's folder, or absolute (a path or a URL) and then kept so in the uri. The key is the
    key column, else the location, as a relative path that leads nowhere else; a row without either is called by its
    number. Columns without a meaning are carried through, except bytes.

    Raises:
        UsageError: the columns are not there, or their types make no sense.
    """

    unique_keys = False
    numeric_labels = True

    def __init__(self, root: str, rows: Rows, spec: SourceSpec) -> None:
        self.root = root
        self.ignored: Counter[str] = rows.ignored
        self.class_names = rows.class_names
        self._rows = rows
        self._columns, self._schema = listing_of(rows.schema, spec, rows.where)

    def batches(self) -> Iterator[pa.RecordBatch]:
        row = 0
        for batch, split in self._rows.batches():
            if batch.num_rows:
                yield self._listed(batch, split, row)
            row += batch.num_rows

    def _listed(self, batch: pa.RecordBatch, split: str | None, first_row: int) -> pa.RecordBatch:
        columns, where = self._columns, self._rows.where
        nothing = pa.nulls(batch.num_rows, pa.string())
        location = as_text(batch.column(columns.location), columns.location, where)
        uris, keys = uris_and_keys(location, first_row)
        if columns.key is not None:
            keys = given_keys(as_text(batch.column(columns.key), columns.key, where), first_row)
        sizes = pa.nulls(batch.num_rows, pa.int64())
        if columns.size is not None:
            sizes = as_sizes(batch.column(columns.size))
        meanings = told_columns(batch, columns, split, self.class_names, where)
        carried = [batch.column(name) for name in columns.carried]
        arrays = [keys, uris, pa.nulls(batch.num_rows, pa.int64()), sizes, *meanings, *carried]
        return pa.RecordBatch.from_arrays(
            [nothing if array is None else array for array in arrays], schema=self._schema
        )


def listing_of(schema: pa.Schema, spec: SourceSpec, where: str) -> tuple[Columns, pa.Schema]:
    """What the columns of a list mean, and the schema of the listing that comes of it, carried columns included.

    Raises:
        UsageError: the columns are not there, or their types make no sense.
    """
    columns = find_columns(schema, spec, where)
    _check_types(schema, columns, where)
    carried = [pa.field(f"col:{name}", _plain_type(schema.field(name).type)) for name in columns.carried]
    return columns, pa.schema([*LISTING, *carried])


def _check_types(schema: pa.Schema, columns: Columns, where: str) -> None:
    """Refuse a location that is no text and a label that is no single value."""
    kind = schema.field(columns.location).type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value)
    if not (text or holds_bytes(value)):
        raise UsageError(
            f"column {columns.location!r} of {where} holds {kind}; name a column of paths with --image-col."
        )
    for name in (columns.label, columns.key, columns.split, columns.group):
        if name is None:
            continue
        field = schema.field(name)
        if (
            pa.types.is_nested(field.type)
            or holds_bytes(field.type)
            or (field.metadata or {}).items() >= JSON_TEXT.items()
        ):
            raise UsageError(f"column {name!r} of {where} holds no single values; name a column of text or numbers.")


def told_columns(
    batch: pa.RecordBatch, columns: Columns, split: str | None, class_names: tuple[str, ...] | None, where: str
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Split, label and group of each row, as `LISTING` wants them; `split` is for rows that say none."""
    nothing = pa.nulls(batch.num_rows, pa.string())
    splits = pa.repeat(pa.scalar(split, pa.string()), batch.num_rows)
    if columns.split is not None:
        splits = as_splits(batch.column(columns.split), columns.split, where)
    labels = groups = nothing
    if columns.label is not None:
        labels = as_labels(batch.column(columns.label), class_names, columns.label, where)
    if columns.group is not None:
        groups = as_text(batch.column(columns.group), columns.group, where)
    return splits, labels, groups


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values, where `kind` is a dictionary: dictionaries differ between batches."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
