"""What people call the files of a data set, and what that says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from shardmill.formats.base import FormatName

_NUMBERED: Final = r"-(?P<number>\d{4,6})-of-(?P<of>\d{4,6})"
_TFRECORD: Final = (
    rf"(?P<name>.+)-(?P<split>[^-]+)\.(?:tfrecord|tfrecords){_NUMBERED}",
    rf"(?P<split>.+?)(?:\.tfrecords?)?{_NUMBERED}(?:\.tfrecords?|\.tfrec)?(?:\.gz|\.zz|\.zlib)?",
    r"(?P<split>.+?)(?:[-_]?\d+)?\.(?:tfrecords?|tfrec)(?:\.gz|\.zz|\.zlib)?",
)
_NUMBER: Final = rf"(?:{_NUMBERED}|[-_]?\d+)?"
_PATTERNS: Final[dict[FormatName, tuple[re.Pattern[str], ...]]] = {
    "tfrecord": tuple(map(re.compile, _TFRECORD)),
    "webdataset": (re.compile(rf"(?P<split>.+?){_NUMBER}\.tar(?:\.gz)?"),),
    "parquet": (re.compile(rf"(?P<split>.+?){_NUMBER}\.parquet"),),
}


def shard_kind(path: str) -> FormatName | None:
    """The format whose shards are called like that: `train-00000-of-01024`, `x-train.tfrecord-00000-of-00004`,
    `00012.tar`, `data/train-00000-of-00003.parquet` ... Hidden files and those that begin with `_` are none."""
    name = path.rpartition("/")[2]
    if path.startswith(("_", ".")) or name.startswith(("_", ".")):
        return None
    return next((kind for kind in _PATTERNS if _match(kind, name)), None)


def split_of(path: str) -> str:
    """The split that a file's name tells, or the whole name; `train` for a mere number."""
    name = path.rpartition("/")[2]
    if name.partition(".")[0].isdecimal():
        return "train"
    kind = shard_kind(path)
    match = _match(kind, name) if kind else None
    return match["split"] if match else name


def _match(kind: FormatName, name: str) -> re.Match[str] | None:
    return next(filter(None, (pattern.fullmatch(name) for pattern in _PATTERNS[kind])), None)


def missing_siblings(names: Sequence[str]) -> list[str]:
    """The names that `-00000-of-00016` promises and that are not among `names`."""
    present = set(names)
    promised: set[str] = set()
    for name in names:
        match = re.search(_NUMBERED, name)
        if match and 0 < int(match["of"]) <= 10**5:
            width, before, behind = len(match["number"]), name[: match.start()], name[match.end() :]
            first = f"{before}-{0:0{width}d}-of-{match['of']}{behind}"
            if first not in promised:
                promised.update(
                    f"{before}-{number:0{width}d}-of-{match['of']}{behind}" for number in range(int(match["of"]))
                )
    return sorted(promised - present)
