"""The files beside shards from which `tfds.builder_from_directory` learns what they hold, written without tfds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shardmill.errors import UsageError
from shardmill.formats.framing import OVERHEAD

_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_FEATURES: Final = "tensorflow_datasets.core.features"


_INFO: Final = "dataset_info.json"
_FEATURES_FILE: Final = "features.json"
_LABELS: Final = "label.labels.txt"
TFDS_FILES: Final = (_INFO, _FEATURES_FILE, _LABELS)
"""Names of the files that `tfds_files` may give."""


@dataclass(frozen=True, slots=True)
class TfdsSplit:
    """One split, shards in order."""

    name: str
    shard_counts: tuple[int, ...]
    """Records in each shard."""
    shard_bytes: tuple[int, ...]
    """Size of each file, framing included."""


def check_tfds_name(name: str) -> str:
    """`name`, if tfds can call a data set that.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a tfds data set; use letters, digits and underscores, a letter first")
    return name


def tfds_files(
    name: str,
    version: str,
    splits: Sequence[TfdsSplit],
    class_names: Sequence[str],
    image_shape: tuple[int, int] | None = None,
) -> dict[str, bytes]:
    """Contents, by file name, of what must lie beside shards called `{name}-{split}.tfrecord-{i:05d}-of-{n:05d}`.

    The features are `image` (JPEG in RGB), `label` and `file_name`. Without class names the label is a plain number.

    Args:
        name: Data set name.
        version: Like `1.0.0`.
        splits: In the order to be listed.
        class_names: Line number = label.
        image_shape: Height and width in pixels where all images share them, else None.

    Raises:
        UsageError: tfds accepts no such name or version.
    """
    check_tfds_name(name)
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is not a version; write it like 1.0.0")
    files = {
        _INFO: _json(_dataset_info(name, version, splits)),
        _FEATURES_FILE: _json(_features(len(class_names), image_shape)),
    }
    if class_names:
        files[_LABELS] = "".join(f"{class_name}\n" for class_name in class_names).encode()
    return files


def _dataset_info(name: str, version: str, splits: Sequence[TfdsSplit]) -> dict[str, Any]:
    return {
        "description": "Images prepared by shardmill.",
        "fileFormat": "tfrecord",
        "name": name,
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split.name,
                "numBytes": str(sum(split.shard_bytes) - OVERHEAD * sum(split.shard_counts)),
                "shardLengths": [str(count) for count in split.shard_counts],
            }
            for split in splits
        ],
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}},
        "version": version,
    }


def _features(num_classes: int, image_shape: tuple[int, int] | None) -> dict[str, Any]:
    height, width = image_shape or (-1, -1)
    image = {"dtype": "uint8", "encodingFormat": "jpeg", "shape": {"dimensions": [str(height), str(width), "3"]}}
    label: dict[str, Any]
    if num_classes:
        label = {
            "classLabel": {"numClasses": str(num_classes)},
            "pythonClassName": f"{_FEATURES}.class_label_feature.ClassLabel",
        }
    else:
        tensor = {"dtype": "int64", "encoding": "none", "shape": {}}
        label = {"tensor": tensor, "pythonClassName": f"{_FEATURES}.scalar.Scalar"}
    features = {
        "file_name": {"pythonClassName": f"{_FEATURES}.text_feature.Text", "text": {}},
        "image": {"image": image, "pythonClassName": f"{_FEATURES}.image_feature.Image"},
        "label": label,
    }
    return {"featuresDict": {"features": features}, "pythonClassName": f"{_FEATURES}.features_dict.FeaturesDict"}


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=2, sort_keys=True).encode()
