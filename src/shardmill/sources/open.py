"""From what the user calls SOURCE to the source that lists it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from shardmill.errors import UsageError
from shardmill.sources.base import Source, StagedSource
from shardmill.sources.columns import find_columns, holds_bytes
from shardmill.sources.delimited import CsvRows
from shardmill.sources.embedded import EmbeddedSource
from shardmill.sources.files import files_with, find_files
from shardmill.sources.folder import FolderSource
from shardmill.sources.globs import matcher
from shardmill.sources.image_root import find_image_root
from shardmill.sources.jsonl import JsonlRows
from shardmill.sources.names import IMAGE_SUFFIXES, suffix_of
from shardmill.sources.parquet import ParquetRows
from shardmill.sources.spec import SourceSpec
from shardmill.sources.table import ListSource, Rows
from shardmill.sources.textlist import TextRows
from shardmill.sources.webdataset import WebDatasetSource
from shardmill.storage import StorageSettings, Store, open_store

_KINDS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".lst": "text",
    ".list": "text",
    ".tar": "webdataset",
}
_LISTS: Final[dict[str, Callable[[Store, str], Rows]]] = {"csv": CsvRows, "jsonl": JsonlRows, "text": TextRows}
_SUFFIXES: Final = {"parquet": (".parquet", ".pq"), "webdataset": (".tar",)}
_COMPRESSED: Final = {
    ".gz": "gunzip",
    ".tgz": "gunzip",
    ".bz2": "bunzip2",
    ".xz": "unxz",
    ".zst": "unzstd",
    ".zip": "unzip",
}
_FLAGS: Final = {
    "image_col": "--image-col",
    "label_col": "--label-col",
    "key_col": "--key-col",
    "split_col": "--split-col",
    "group_col": "--group-col",
    "include": "--include",
    "layout": "--layout",
}
_MEANT_FOR: Final = {
    "folder": ("include", "layout"),
    "text": (),
    "webdataset": ("image_col", "label_col"),
}
_COLUMN_FLAGS: Final = ("image_col", "label_col", "key_col", "split_col", "group_col")


def open_source(
    source: str,
    spec: SourceSpec,
    *,
    image_root: str | None = None,
    exclude: str | None = None,
    settings: StorageSettings | None = None,
) -> Source | StagedSource:
    """The source at the path, URL or pattern `source`, of the kind that `spec.input_format` names or that it turns out to be.

    A list is read as far as its first rows, JSON lines once through. A `StagedSource` comes of Parquet that holds images.

    Args:
        image_root: folder or URL where the relative locations of a list begin; None: found as `find_image_root` says.
        exclude: a folder whose files are not listed, wherever it lies.
        settings: how object stores are reached.

    Raises:
        UsageError: nothing is there, it is not what the spec says, or the spec asks what such a source cannot tell.
    """
    files = find_files(source, settings)
    kind: str = spec.input_format
    if kind == "auto":
        kind = (
            _kind_of_folder(source, files.store, spec) if files.names is None else _kind_of_files(source, files.names)
        )
    _check_flags(source, kind, spec)
    if kind == "folder":
        if files.names is not None:
            raise UsageError(
                f"{source} is no folder; give the folder that holds the images, or leave --input-format out."
            )
        return FolderSource(files.store, spec, exclude)
    names, beside = files.names, Counter[str]()
    if names is None and kind in _SUFFIXES:
        names, beside = files_with(files.store, _SUFFIXES[kind])
    if not names:
        raise UsageError(f"{source} holds no {kind} file; give the file itself as SOURCE, or leave --input-format out.")
    if kind == "webdataset":
        return WebDatasetSource(files.store, names, spec, beside)
    if kind == "parquet":
        rows = ParquetRows(files.store, names, names[0] if len(names) == 1 else source, spec.label_col, beside)
        location = find_columns(rows.schema, spec, rows.where).location
        embedded = holds_bytes(rows.schema.field(location).type)
        if embedded:
            return EmbeddedSource(files.store.root, rows, spec)
        return _rooted(ListSource(files.store.root, rows, spec), files.store, names[0], image_root, settings)
    if len(names) > 1:
        raise UsageError(f"{source} means {len(names)} lists; join them, or prepare them one by one.")
    rows_of_list = _LISTS[kind](files.store, names[0])
    return _rooted(ListSource(files.store.root, rows_of_list, spec), files.store, names[0], image_root, settings)


def _rooted(
    source: ListSource, store: Store, list_name: str, image_root: str | None, settings: StorageSettings | None
) -> ListSource:
    given = None if image_root is None else open_store(image_root, settings).root
    source.root = find_image_root(source, store, list_name) if given is None else given
    return source


def _kind_of_files(source: str, names: Sequence[str]) -> str:
    suffixes = {suffix_of(name.removeprefix(".")) for name in names}
    kinds = {_KINDS.get(suffix) for suffix in suffixes}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is not None:
        return kind
    if command := next((_COMPRESSED[suffix] for suffix in suffixes if suffix in _COMPRESSED), None):
        raise UsageError(
            f"{source} is compressed, and images in it cannot be read one by one; run {command} on it first."
        )
    if suffixes <= IMAGE_SUFFIXES:
        raise UsageError(
            f"{source} is an image; give the folder that holds it, with --include to choose among its files."
        )
    raise UsageError(
        f"{source} is of no kind known by its suffix ({', '.join(sorted(_KINDS))}); say what it is with --input-format."
    )


def _kind_of_folder(source: str, store: Store, spec: SourceSpec) -> str:
    """`folder` where it holds an image; looks no further than the first."""
    included = matcher(spec.include) if spec.include else None
    found: dict[str, str] = {}
    for entry in store.list():
        suffix = suffix_of(entry.path)
        if included(entry.path) if included else suffix in IMAGE_SUFFIXES:
            return "folder"
        if suffix in _KINDS:
            found.setdefault(_KINDS[suffix], entry.path)
    shards = sorted(set(found) & set(_SUFFIXES))
    if len(shards) == 1:
        return shards[0]
    if shards:
        raise UsageError(f"{source} holds both tar and Parquet files; say which are meant with --input-format.")
    lists = sorted(path for kind, path in found.items() if kind != "text")
    if lists:
        raise UsageError(
            f"{source} holds no images but a list; give the list itself as SOURCE: {source.rstrip('/')}/{lists[0]}"
        )
    return "folder"


def _check_flags(source: str, kind: str, spec: SourceSpec) -> None:
    meant = _MEANT_FOR.get(kind, _COLUMN_FLAGS)
    unset = SourceSpec()
    for name, flag in _FLAGS.items():
        if getattr(spec, name) != getattr(unset, name) and name not in meant and tuple(getattr(spec, name)) != ():
            allowed = f"what fits it: {', '.join(_FLAGS[other] for other in meant)}" if meant else "none of these flags"
            raise UsageError(f"{flag} means nothing for {source}, which is read as {kind}; give {allowed}.")
