"""Which column of a list means what, and labels from whatever type they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from shardmill.errors import UsageError
from shardmill.sources.names import IMAGE_SUFFIXES, split_name, suffix_of
from shardmill.sources.spec import SourceSpec

LOCATION_NAMES: Final = (
    *("file_name", "filename", "file", "path", "filepath", "file_path", "image", "image_path", "image_file", "img"),
    *("img_path", "uri", "url", "image_uri", "image_url", "location"),
)
LABEL_NAMES: Final = ("label", "labels", "class", "class_name", "class_id", "category", "target", "y")
SIZE_NAMES: Final = ("bytes", "file_size", "filesize", "size_bytes", "size_in_bytes")
"""Not `size`, which as often means pixels: a wrong size would make every image look cut off."""
JSON_TEXT: Final = {b"holds": b"json"}
"""Metadata of a field whose text is JSON, because the list holds lists or objects there."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a list by what they mean."""

    location: str
    label: str | None
    key: str | None
    split: str | None
    group: str | None
    size: str | None
    carried: tuple[str, ...]


def find_columns(schema: pa.Schema, spec: SourceSpec, where: str) -> Columns:
    """The columns that `spec` names, or the usual names mean; `where` is how messages call the list.

    Raises:
        UsageError: a column named is not there, or the names fit more than one column, or none for the location.
    """
    names = list(schema.names)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(f"{where} has more than one column called {', '.join(twice)}; rename all but one.")
    location = _named(names, spec.image_col, "--image-col", where) or _location(schema, where)
    label = _named(names, spec.label_col, "--label-col", where) or _usual(
        [name for name in names if name != location], LABEL_NAMES, "--label-col", where
    )
    key = _named(names, spec.key_col, "--key-col", where)
    split = _named(names, spec.split_col, "--split-col", where) or _usual(names, ("split",), "--split-col", where)
    group = _named(names, spec.group_col, "--group-col", where)
    size = next((field.name for field in schema if field.name.lower() in SIZE_NAMES and _holds_sizes(field.type)), None)
    used = {location, label, key, split, group}
    carried = tuple(field.name for field in schema if field.name not in used and not holds_bytes(field.type))
    return Columns(location, label, key, split, group, size, carried)


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds images themselves: binary, or the struct that Hugging Face writes."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def as_text(column: pa.Array, name: str, where: str) -> pa.Array:
    """`column` as strings.

    Raises:
        UsageError: it holds lists, structs or bytes.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type) or holds_bytes(column.type):
        raise UsageError(f"column {name!r} of {where} holds {column.type}; choose one with a single value in each row.")
    return column if column.type == pa.string() else column.cast(pa.string())


def as_labels(column: pa.Array, class_names: Sequence[str] | None, name: str, where: str) -> pa.Array:
    """Labels as strings: whole numbers by their digits, truth values as 0 and 1, empty text and NaN as null.

    Args:
        class_names: what numbers stand for, where the list says so; -1 is no label then.

    Raises:
        UsageError: a label is no single value, a fraction, or a number without a name.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            message = f"column {name!r} of {where} holds fractions; choose a column of classes with --label-col."
            raise UsageError(message) from error
    if class_names is not None and pa.types.is_integer(column.type):
        column = column.cast(pa.int64())
        column = pc.if_else(pc.equal(column, -1), None, column)
        if pc.any(pc.or_(pc.less(column, 0), pc.greater_equal(column, len(class_names)))).as_py():
            raise UsageError(
                f"column {name!r} of {where} holds a number that has no name among its {len(class_names)} classes; "
                "write the list again with the right names."
            )
        return pa.array(class_names, pa.string()).take(column)
    text = pc.utf8_trim_whitespace(as_text(column, name, where))
    text = pc.replace_substring_regex(text, r"^(\d+)\.0+$", r"\1")  # what pandas makes of whole numbers beside gaps
    return pc.if_else(pc.equal(text, ""), None, text)


def as_splits(column: pa.Array, name: str, where: str) -> pa.Array:
    """Names of splits, empty ones as null."""
    encoded = pc.utf8_trim_whitespace(as_text(column, name, where)).dictionary_encode()
    names = [split_name(text) if text else None for text in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def as_sizes(column: pa.Array) -> pa.Array:
    """Bytes as int64; null where the text is no number."""
    if pa.types.is_string(column.type):
        column = pc.if_else(pc.match_substring_regex(column, r"^\d{1,18}$"), column, None)
    return column.cast(pa.int64())


def _holds_sizes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind))


def _named(names: Sequence[str], name: str | None, flag: str, where: str) -> str | None:
    if name is not None and name not in names:
        raise UsageError(f"{where} has no column {name!r}; it has: {_shown(names)}. Name one of them with {flag}.")
    return name


def _location(schema: pa.Schema, where: str) -> str:
    images = [field.name for field in schema if pa.types.is_struct(field.type) and holds_bytes(field.type)]
    if len(images) == 1:
        return str(images[0])
    found = _usual(schema.names, LOCATION_NAMES, "--image-col", where)
    if found is not None:
        return found
    binary = [field.name for field in schema if holds_bytes(field.type)]
    if len(binary) == 1:
        return str(binary[0])
    if any(suffix_of(name) in IMAGE_SUFFIXES for name in schema.names):
        raise UsageError(
            f"{where} has no header; put a first line with the names of its columns, such as: file_name,label"
        )
    raise UsageError(
        f"{where} has no column with a usual name for the location of images; it has: {_shown(schema.names)}. "
        "Name one of them with --image-col."
    )


def _usual(names: Sequence[str], usual: Sequence[str], flag: str, where: str) -> str | None:
    found = [name for name in names if name.lower() in usual]
    if len(found) > 1:
        raise UsageError(
            f"{where} has several columns that could be meant: {_shown(found)}. Name one of them with {flag}."
        )
    return found[0] if found else None


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") if names else "none"
