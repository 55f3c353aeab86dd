"""Tar files of images, in the WebDataset layout or plain."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, Final

import pyarrow as pa

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS, LISTING
from shardmill.sources.columns import LABEL_NAMES
from shardmill.sources.locations import safe_key
from shardmill.sources.names import HIDDEN, IMAGE_SUFFIXES, splits_of_files, suffix_of, to_text
from shardmill.sources.spec import SourceSpec
from shardmill.storage import Store

_BLOCK: Final = 512
_SIDECARS: Final = ("cls", "json", "txt")
_MAX_SIDECAR_BYTES: Final = 1 << 24
_COMPRESSED: Final = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
_CAPTION: Final = pa.field("col:txt", pa.string())


@dataclass(frozen=True, slots=True)
class _Image:
    """A member that holds an image, or a link to one, which has no bytes of its own."""

    name: str
    offset: int | None
    size: int | None


@dataclass(slots=True)
class _Sample:
    """Members that stand next to each other and share their path up to the first dot of the file name."""

    tar: str
    prefix: str
    images: dict[str, _Image] = field(default_factory=dict)
    """By extension."""
    others: list[str] = field(default_factory=list)
    """Suffixes of members without a meaning."""
    sidecars: list[str] = field(default_factory=list)
    """Suffixes of those that say something about the image."""
    number: str | None = None
    described: str | None = None
    caption: str | None = None
    extensions: set[str] = field(default_factory=set)

    @property
    def label(self) -> str | None:
        return self.described if self.number is None else self.number


class WebDatasetSource:
    """The images in tar files, each read where it lies in its tar.

    The label is that of `.cls`, else of `.json`; `.txt` is carried as `col:txt`. `spec.image_col` chooses the extension
    where samples hold several images. The key is the member's path.

    Args:
        beside: other files seen beside the tars, by suffix.
    """

    unique_keys = False
    numeric_labels = True
    class_names: tuple[str, ...] | None = None

    def __init__(self, store: Store, paths: Sequence[str], spec: SourceSpec, beside: Counter[str]) -> None:
        self.root = store.root
        self.ignored: Counter[str] = Counter()
        self._beside = beside
        self._store, self._paths = store, tuple(paths)
        self._extension = spec.image_col.lower().lstrip(".") if spec.image_col else None
        self._label_names = (spec.label_col,) if spec.label_col else LABEL_NAMES
        self._splits = splits_of_files(paths)

    def batches(self) -> Iterator[pa.RecordBatch]:
        self.ignored.clear()
        self.ignored.update(self._beside)
        rows = (row for path in self._paths for sample in self._samples(path) for row in self._rows(sample))
        while some := list(islice(rows, BATCH_ROWS)):
            yield pa.RecordBatch.from_pylist(some, schema=pa.schema([*LISTING, _CAPTION]))

    def _rows(self, sample: _Sample) -> Iterator[dict[str, str | int | None]]:
        wanted = self._extension
        chosen = [extension for extension in sample.images if wanted in (None, extension)]
        self.ignored.update(sample.others if chosen else sample.others + sample.sidecars)
        if len(chosen) > 1:
            raise UsageError(
                f"{sample.tar}: sample {sample.prefix} holds {len(chosen)} images ({', '.join(chosen)}); "
                f"choose one with --image-col {chosen[0]}."
            )
        self.ignored.update(suffix_of(f"x.{extension}") for extension in sample.images if extension not in chosen)
        for extension in chosen:
            image = sample.images[extension]
            name = to_text(image.name)
            uri = (
                to_text(sample.tar) if image.offset is not None else f"{to_text(sample.tar)}/{name}"
            )  # cannot be found
            row: dict[str, str | int | None] = {"key": safe_key(name), "uri": uri, "offset": image.offset}
            row |= {"size": image.size, "split": self._splits[sample.tar], "label": sample.label}
            yield row | {_CAPTION.name: sample.caption}

    def _samples(self, path: str) -> Iterator[_Sample]:
        sample: _Sample | None = None
        with self._store.open(path) as file:
            for member in _members(file, path):
                suffix = suffix_of(to_text(member.name).removeprefix("./"))
                if member.isdir():
                    continue
                if not (member.isreg() or member.islnk() or member.issym()) or suffix in ("", HIDDEN):
                    self.ignored[suffix] += 1
                    continue
                prefix, extension = _split_member(member.name)
                if sample is None or sample.prefix != prefix or extension in sample.extensions:
                    if sample is not None:
                        yield sample
                    sample = _Sample(path, prefix)
                sample.extensions.add(extension)
                self._add(sample, extension, suffix, member, file)
        if sample is not None:
            yield sample

    def _add(self, sample: _Sample, extension: str, suffix: str, member: tarfile.TarInfo, file: BinaryIO) -> None:
        if extension == self._extension or (self._extension is None and suffix in IMAGE_SUFFIXES):
            place = (member.offset_data, member.size) if member.isreg() else (None, None)
            sample.images[extension] = _Image(member.name, *place)
        elif extension not in _SIDECARS or not member.isreg():
            sample.others.append(suffix)
        else:
            sample.sidecars.append(suffix)
            self._read_sidecar(sample, extension, member, file)

    def _read_sidecar(self, sample: _Sample, extension: str, member: tarfile.TarInfo, file: BinaryIO) -> None:
        if extension == "cls":
            sample.number = _text(file, member, sample.tar).strip() or None
        elif extension == "json":
            sample.described = self._described(_text(file, member, sample.tar), member, sample.tar)
        else:
            sample.caption = _text(file, member, sample.tar)

    def _described(self, text: str, member: tarfile.TarInfo, tar: str) -> str | None:
        try:
            fields = json.loads(text)
            json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{tar}: {member.name} is not JSON ({error}); write the tar again.") from error
        values = [fields.get(name) for name in self._label_names] if isinstance(fields, dict) else []
        return next((label for value in values if (label := _label(value)) is not None), None)


def _label(value: object) -> str | None:
    match value:
        case bool() | int():
            return str(int(value))
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return value.strip() or None
        case _:
            return None


def _split_member(name: str) -> tuple[str, str]:
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def _text(file: BinaryIO, member: tarfile.TarInfo, tar: str) -> str:
    if member.size > _MAX_SIDECAR_BYTES:
        raise UsageError(
            f"{tar}: {member.name} has {member.size:,} bytes, too many for a label or caption; leave it out."
        )
    file.seek(member.offset_data)
    try:
        return file.read(member.size).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{tar}: {member.name} is not UTF-8 text; write the tar again.") from error


def _members(file: BinaryIO, path: str) -> Iterator[tarfile.TarInfo]:
    """Every member of an uncompressed tar, reading headers only; `UsageError` where it is damaged, cut off or goes on."""
    start = file.read(8)
    for magic, command in _COMPRESSED.items():
        if start.startswith(magic):
            raise UsageError(
                f"{path} is compressed, so that images cannot be read where they lie; run {command} on it first."
            )
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # kept for random access; would grow with the tar
                if member.issparse():
                    raise UsageError(
                        f"{path}: {member.name} is stored as a sparse file; write the tar again without --sparse."
                    )
                yield member
            end = tar.offset
    except tarfile.TarError as error:
        raise UsageError(
            f"{path} is no whole tar ({error}, near byte {file.tell():,}); write or download it again."
        ) from error
    _check_end(file, path, end)


def _check_end(file: BinaryIO, path: str, end: int) -> None:
    """The standard library takes a damaged or missing header for the end of the tar; samples would be lost silently."""
    file.seek(end)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise UsageError(
            f"{path} is cut off at byte {end + len(block):,}, before its end mark; write or download it again."
        )
    if any(block):
        raise UsageError(f"{path} is damaged at byte {end:,}; write or download it again.")
    while block := file.read(1 << 20):
        if block.count(0) < len(block):
            raise UsageError(
                f"{path} goes on behind its end mark at byte {end:,}; write its parts as tars of their own."
            )
