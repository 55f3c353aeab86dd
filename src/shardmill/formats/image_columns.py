"""The columns of a Parquet shard: what ours are called, how Hugging Face describes them, where images lie among others'."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from shardmill.formats.checksum import CHECKSUM
from shardmill.formats.features import IMAGE_NAMES

IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
COLUMNS: Final = {
    "image": IMAGE,
    "label": pa.int64(),
    "text": pa.string(),
    "key": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "format": pa.string(),
    "exif": pa.binary(),
    CHECKSUM: pa.int64(),
}
IMAGE_LEAF: Final = "image.bytes"
LEAVES: Final = (IMAGE_LEAF, "image.path", *(name for name in COLUMNS if name != "image"))
REPEATING: Final = ["label", "text", "width", "height", "format"]
"""Columns with few different values."""
METADATA: Final = b"huggingface"
_TYPES: Final = {pa.int64(): "int64", pa.int32(): "int32", pa.string(): "string", pa.binary(): "binary"}


def features_metadata(classes: Sequence[str]) -> bytes:
    """What `datasets` reads from the schema's metadata: which column is an image, and what the labels are called."""
    features: dict[str, Any] = {name: {"dtype": _TYPES.get(kind), "_type": "Value"} for name, kind in COLUMNS.items()}
    features["image"] = {"_type": "Image"}
    if classes:
        features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    return json.dumps({"info": {"features": features}}).encode()


def class_names_in(metadata: Mapping[bytes, bytes] | None) -> tuple[str, ...]:
    """The names of the first `ClassLabel` in a schema's metadata, or nothing."""
    try:
        features = json.loads((metadata or {})[METADATA])["info"]["features"].values()
        labels = [feature["names"] for feature in features if feature.get("_type") == "ClassLabel"]
        return tuple(map(str, labels[0]))
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError):
        return ()  # it is not there, or not as `datasets` writes it


def image_leaf(schema: pa.Schema) -> str | None:
    """Path of the column that holds encoded images: known names before others."""
    found: dict[str, str] = {}
    for column in schema:
        if pa.types.is_struct(column.type):
            kinds = {part.name: part.type for part in column.type}
            if _is_binary(kinds.get("bytes")):
                found[column.name] = f"{column.name}.bytes"
        elif _is_binary(column.type):
            found[column.name] = column.name
    known = [name for name in IMAGE_NAMES if name in found]
    return found[known[0]] if known else next(iter(found.values()), None)


def scalar_columns(schema: pa.Schema) -> list[str]:
    """Columns of numbers and texts."""
    tests = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    return [column.name for column in schema if any(test(column.type) for test in tests)]


def _is_binary(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
