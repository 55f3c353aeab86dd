"""What is asked of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

InputFormat = Literal["auto", "folder", "csv", "jsonl", "parquet", "text", "webdataset"]
Layout = Literal["auto", "flat", "class", "split"]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """How to read SOURCE. Every field is text, a tuple of text or None, so that it can be stored as JSON."""

    input_format: InputFormat = "auto"
    """`csv` covers every delimiter; `parquet` both lists of locations and image bytes."""
    image_col: str | None = None
    """Column of a list that holds the location of the image, or its bytes. None: found among the usual names."""
    label_col: str | None = None
    """Column that holds the class. None: found among the usual names, if there."""
    key_col: str | None = None
    """Column that holds the key. None: the location."""
    split_col: str | None = None
    """Column that holds the split. None: found under the name `split`, if there."""
    group_col: str | None = None
    """Column whose equal values stay on one side of a split."""
    include: tuple[str, ...] = ()
    """Globs that name the images of a folder, instead of the known suffixes; one without `/` is about the file name."""
    layout: Layout = "auto"
    """What the folders mean. `flat`: nothing. `class`: the first is the class. `split`: the first is the split, the second
    the class. `auto`: `split` where every first folder that holds images is called like one, else `class`."""
