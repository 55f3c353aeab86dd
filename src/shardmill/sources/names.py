"""What names mean: image suffixes, splits, and file names that are not text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from shardmill.errors import UsageError

# fmt: off
IMAGE_SUFFIXES: Final = frozenset((
    ".apng", ".avif", ".avifs", ".bmp", ".cur", ".dcx", ".dds", ".dib", ".flc", ".fli", ".gif", ".icns", ".ico",
    ".im", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".msp", ".pbm",
    ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga",
    ".tif", ".tiff", ".webp", ".xbm", ".xpm",
))
# fmt: on
"""Lower case. Pictures that Pillow reads without a plug-in or a helper program."""

HIDDEN: Final = ".hidden"
"""What files whose path has a part with a leading dot are counted under."""

SPLITS: Final = ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "evaluation")
"""How people call the parts of a data set."""

_SPLIT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")
_NUMBERED_FILE: Final = re.compile(rf"({'|'.join(SPLITS)})([-_.]?\d+(?:-of-\d+)?)?\.[a-z]+$", re.IGNORECASE)
_SURROGATE: Final = re.compile("[\udc80-\udcff]")
_ESCAPE_BASE: Final = 0x10FE00  # private use, plane 16: byte 0x80 becomes U+10FE80, and so on
_ESCAPED: Final = re.compile("[\U0010fe80-\U0010feff]")


def suffix_of(path: str) -> str:
    """The file name's last suffix in lower case with its dot, `.hidden` for a hidden file, or empty."""
    if path.startswith(".") or "/." in path:
        return HIDDEN
    name = path[path.rfind("/") + 1 :]
    stem, dot, suffix = name.rpartition(".")
    return (dot + suffix).lower() if stem else ""


def known_split(name: str) -> str | None:
    """`name` in lower case, where it is one of `SPLITS`."""
    lower = name.lower()
    return lower if lower in SPLITS else None


def split_name(name: str) -> str:
    """The split called `name`: the usual names in lower case, others as they are.

    Raises:
        UsageError: `name` cannot begin the name of a shard.
    """
    known = known_split(name)
    if known is not None:
        return known
    if _SPLIT_NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot name a split; use letters, digits and underscores, such as train or fold_1.")
    return name


def splits_of_files(paths: Sequence[str]) -> dict[str, str | None]:
    """The split that each file's path says: `train/07.tar`, `train-00000-of-00002.parquet`, `val_3.tar`.

    A plain `train.tar` says so only beside others. All of the files say one, or none is taken to.
    """
    said = {path: _split_of_file(path, alone=len(paths) == 1) for path in paths}
    return said if all(said.values()) else dict.fromkeys(paths)


def _split_of_file(path: str, *, alone: bool) -> str | None:
    *folders, name = path.split("/")
    if folders and (known := known_split(folders[0])) is not None:
        return known
    match = _NUMBERED_FILE.match(name)
    return match[1].lower() if match is not None and (match[2] or not alone) else None


def to_text(path: str) -> str:
    """`path` as text that UTF-8 can hold, different for different paths.

    Bytes of a file name that are not UTF-8 (surrogates in Python) become private-use characters; a name that holds such a
    character of its own has it taken for bytes as well, so that `to_path` gives every name back.
    """
    if path.isascii():
        return path
    escaped = _ESCAPED.sub(lambda match: "".join(chr(0xDC00 + byte) for byte in match[0].encode()), path)
    return _SURROGATE.sub(lambda match: chr(_ESCAPE_BASE + ord(match[0]) - 0xDC00), escaped)


def to_path(text: str) -> str:
    """The path that `to_text` made `text` from: call it on a uri before handing it to a store."""
    if text.isascii():
        return text
    raw = _ESCAPED.sub(lambda match: chr(0xDC00 + ord(match[0]) - _ESCAPE_BASE), text)
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
