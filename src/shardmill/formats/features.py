"""Finds image, label and names among features, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shardmill.formats.base import Sample
from shardmill.formats.example import Feature
from shardmill.image.header import sniff

IMAGE_NAMES: Final[tuple[str, ...]] = (
    *("image/encoded", "image", "jpg", "jpeg", "png", "webp", "gif", "bmp", "tiff", "img"),
    *("image_bytes", "image_raw", "image/raw", "encoded", "image_encoded", "encoded_image", "bytes", "data"),
)
LABEL_NAMES: Final[tuple[str, ...]] = (
    *("image/class/label", "label", "cls", "class", "class_id", "label_id", "class_label", "labels", "target"),
    *("image/label", "image/class/index", "image/object/class/label"),
)
TEXT_NAMES: Final[tuple[str, ...]] = (
    *("image/class/text", "txt", "text", "caption", "class_name", "label_name", "label_text", "class/text"),
    *("label", "cls", "class", "image/class/synset"),
)
KEY_NAMES: Final[tuple[str, ...]] = ("image/key", "key", "__key__", "image/source_id", "image/id", "image_id", "id")
FILE_NAMES: Final[tuple[str, ...]] = (
    "image/filename",
    "file_name",
    "filename",
    "image/file_name",
    "fname",
    "image/filename/text",
    "path",
)
WIDTH_NAMES: Final[tuple[str, ...]] = ("image/width", "width", "image_width")
HEIGHT_NAMES: Final[tuple[str, ...]] = ("image/height", "height", "image_height")
FORMAT_NAMES: Final[tuple[str, ...]] = ("image/format", "format", "image_format")
_WEAK: Final = frozenset({"bmp", "ico", "jxl", "ppm"})  # signatures so short that texts begin with them, as "BMW" does
_LONGEST_TEXT: Final = 1024 * 1024


def find_image(features: Mapping[str, Feature]) -> str | None:
    """Name of the feature that holds the image: first of those that look like one, known names before others.

    Where none looks like an image, a known name that holds one bytes value is still taken: its bytes are the damage.
    """
    single = {name: value[0] for name, value in features.items() if len(value) == 1 and isinstance(value[0], bytes)}
    known = [name for name in IMAGE_NAMES if name in single]
    for name in known:
        if sniff(single[name]):
            return name
    for name in sorted(single):
        if sniff(single[name]) not in _WEAK | {None}:
            return name
    return known[0] if known else None


def to_sample(features: Mapping[str, Feature]) -> Sample | None:
    """The sample in `features`, or None where there is no image.

    What the features do not say is -1 for the label, 0 for width and height, and empty for texts.
    """
    image_name = find_image(features)
    if image_name is None:
        return None
    image = features[image_name][0]
    assert isinstance(image, bytes)
    filename = _text(features, FILE_NAMES)
    key = _text(features, KEY_NAMES) or filename
    exif = features.get("image/exif", [])
    return Sample(
        key=key,
        image=image,
        label=_number(features, LABEL_NAMES, -1),
        text=_text(features, TEXT_NAMES),
        width=_number(features, WIDTH_NAMES, 0),
        height=_number(features, HEIGHT_NAMES, 0),
        filename=filename or key.rpartition("/")[2],
        image_format=(_text(features, FORMAT_NAMES) or sniff(image) or "").upper(),
        exif=exif[0] if exif and isinstance(exif[0], bytes) else None,
    )


def _number(features: Mapping[str, Feature], names: Iterable[str], default: int) -> int:
    for name in names:
        value = features.get(name)
        if value and len(value) == 1 and isinstance(value[0], int):
            return value[0]
    return default


def _text(features: Mapping[str, Feature], names: Iterable[str]) -> str:
    for name in names:
        value = features.get(name)
        if value and len(value) == 1 and isinstance(value[0], bytes) and len(value[0]) < _LONGEST_TEXT:
            return value[0].decode(errors="backslashreplace")
    return ""
