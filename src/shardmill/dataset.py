"""Opens a data set: one that `prepare` wrote, or shards that others wrote."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Damage, Format, FormatName, FormatOptions, Placement, Sample
from shardmill.formats.choose import make_format
from shardmill.formats.file_names import shard_kind, split_of
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.layout import INDEX_SUFFIX, LABELS, MANIFEST, MANIFEST_FORMAT, SUCCESS, samples_name
from shardmill.sources.globs import matcher
from shardmill.storage import StorageSettings, Store, UnreadableError, open_store, scheme_of


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard file. What only a manifest can tell is None without one."""

    number: int
    """Place in the data set, from 0."""
    name: str
    """Relative to the data set's root."""
    split: str
    count: int | None = None
    listed: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    index_bytes: int | None = None
    index_sha256: str | None = None
    samples_sha256: str | None = None

    @property
    def index_name(self) -> str:
        return self.name + INDEX_SUFFIX

    @property
    def samples_name(self) -> str:
        return samples_name(self.number)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as its manifest, or the names of its files, describe it. Pickles."""

    store: Store
    shards: tuple[Shard, ...]
    labels: tuple[str, ...] = ()
    """Class names; the place is the label. Empty where nobody says."""
    manifest: Mapping[str, Any] | None = None
    """The whole manifest, or None for files that others wrote."""
    complete: bool = True
    """`_SUCCESS` is there; always true for files that others wrote, of whom nobody can tell."""
    shard_format: Format = field(default_factory=TFRecordFormat)
    chosen: bool = False
    """The caller named files, so that neighbours may well be left out."""

    @property
    def root(self) -> str:
        return self.store.root

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(sorted({shard.split for shard in self.shards}))

    def of_split(self, split: str) -> tuple[Shard, ...]:
        """The shards of one split, in order."""
        return tuple(shard for shard in self.shards if shard.split == split)

    def records(self, shard: Shard) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every record of `shard`, damage in place; a sample without a class name gets the one of its label."""
        with self.store.open(shard.name) as file:
            for record in self.shard_format.read(file):
                if isinstance(record, tuple) and not record[1].text and 0 <= record[1].label < len(self.labels):
                    placement, sample = record
                    yield placement, replace(sample, text=self.labels[sample.label])
                else:
                    yield record

    @classmethod
    def open(cls, dest: str, *, allow_incomplete: bool = False, storage: StorageSettings | None = None) -> Dataset:
        """The data set at `dest`: a folder, a shard, or a pattern with `*` that matches shards.

        Args:
            dest: a path, or the URL of an object store.
            allow_incomplete: take one that `prepare` has not finished.
            storage: how object stores are reached.

        Raises:
            DamageError: `prepare` has not finished it (unless `allow_incomplete`), or its manifest cannot be read.
            UsageError: there is no shard, or there are shards of several kinds.
        """
        store, chosen = _located(dest) if scheme_of(dest) in ("", "file") else _located_in_store(dest, storage)
        if chosen is None:
            if store.size(MANIFEST) is not None:
                return _open_prepared(store, allow_incomplete)
            if _has_plan(store):
                return _open_unfinished(store, allow_incomplete)
        names = [entry.path for entry in store.list() if shard_kind(entry.path)] if chosen is None else chosen
        kind, names = _of_one_kind(dest, names)
        if not names:
            raise UsageError(
                f"{dest} holds no shard (TFRecord, WebDataset tar or Parquet); name a data set of ours, or the files "
                "themselves with a pattern."
            )
        labels = _labels(store) or _labels_inside(store, kind, names[0])
        return cls(store, _unnamed_shards(names), labels, shard_format=make_format(kind), chosen=chosen is not None)


def _located(dest: str) -> tuple[Store, list[str] | None]:
    """The store and the files in it that `dest` names; None: it names a folder."""
    local = Path(dest.removeprefix("file://")).expanduser()
    if local.is_dir():
        return open_store(dest), None
    if local.is_file():
        return open_store(str(local.parent)), [local.name]
    if glob.has_magic(dest):
        return _matches(str(local))
    raise _nothing_at(dest)


def _located_in_store(dest: str, storage: StorageSettings | None) -> tuple[Store, list[str] | None]:
    """As `_located`, for a URL of an object store, where a folder is there as long as it holds something."""
    store = open_store(dest, storage)
    if store.size("") is not None:
        return store, None
    parent, _, name = dest.rstrip("/").rpartition("/")
    if scheme_of(parent) and open_store(parent, storage).size(name) is not None:
        return open_store(parent, storage), [name]
    if glob.has_magic(dest):
        base, pattern = _split_pattern(dest)
        matches, store = matcher([f"/{pattern}"], "DEST"), open_store(base, storage)
        paths = (entry.path for entry in store.list() if not entry.path.endswith(INDEX_SUFFIX))
        return store, [path for path in paths if matches(path)]
    raise _nothing_at(dest)


def _nothing_at(dest: str) -> UsageError:
    return UsageError(f"there is nothing at {dest}; name a folder, a shard or a pattern such as 'train-*'.")


def _has_plan(store: Store) -> bool:
    try:
        first = next(iter(store.list("_plan")), None)
    except UnreadableError:
        return False
    return first is not None or not scheme_of(store.root)  # a folder of this machine is there though it is empty


def _of_one_kind(dest: str, names: list[str]) -> tuple[FormatName, list[str]]:
    """The format of the shards among `names`, and these; what nobody calls like a shard and was named is a TFRecord.

    Tables beside other shards (as img2dataset writes them) tell about those and are no shards.
    """
    by_kind: dict[FormatName | None, list[str]] = {}
    for name in names:
        by_kind.setdefault(shard_kind(name), []).append(name)
    unknown = by_kind.pop(None, [])
    if len(by_kind) > 1:
        by_kind.pop("parquet", None)
    if len(by_kind) > 1:
        raise UsageError(
            f"{dest} holds shards of several kinds ({', '.join(sorted(map(str, by_kind)))}); name those of one kind with a "
            "pattern, such as '*.tar'."
        )
    for kind, members in by_kind.items():
        assert kind is not None
        return kind, members
    return "tfrecord", unknown


def _open_prepared(store: Store, allow_incomplete: bool) -> Dataset:
    complete = store.size(SUCCESS) is not None
    if not complete and not allow_incomplete:
        raise _unfinished(store)
    try:
        manifest = json.loads(store.read(MANIFEST))
        if manifest["format"] != MANIFEST_FORMAT:
            raise DamageError(
                f"{store.root}/{MANIFEST} is of format {manifest['format']!r}; read it with the shardmill that wrote it."
            )
        data = manifest["data"]
        shards = tuple(_shard(number, values) for number, values in enumerate(data["shards"]))
        labels = tuple(str(entry["name"]) for entry in data["classes"])
        options = FormatOptions(data["feature_keys"], data.get("compression", "none"), labels)
        shard_format = make_format(data["shard_format"], options)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(
            f"{store.root}/{MANIFEST} is damaged ({type(error).__name__}: {error}); delete it and run the same prepare command again."
        ) from error
    return Dataset(store, shards, labels, manifest, complete, shard_format)


def _open_unfinished(store: Store, allow_incomplete: bool) -> Dataset:
    if not allow_incomplete:
        raise _unfinished(store)
    kind, names = _of_one_kind(store.root, [entry.path for entry in store.list() if shard_kind(entry.path)])
    return Dataset(store, _unnamed_shards(names), _labels(store), complete=False, shard_format=make_format(kind))


def _unfinished(store: Store) -> DamageError:
    return DamageError(
        f"{store.root} is not finished (no {SUCCESS}); run the same prepare command again to complete it."
    )


def _shard(number: int, values: dict[str, Any]) -> Shard:
    name = str(values["name"])
    if "/" in name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} cannot be the name of a shard")
    digests = {
        key: str(values[key]) for key in ("sha256", "index_sha256", "samples_sha256") if values.get(key) is not None
    }
    counts = {key: int(values[key]) for key in ("count", "listed", "bytes", "index_bytes")}
    return Shard(number=number, name=name, split=str(values["split"]), **counts, **digests)  # type: ignore[arg-type]


def _unnamed_shards(names: list[str]) -> tuple[Shard, ...]:
    return tuple(Shard(number, name, split_of(name)) for number, name in enumerate(sorted(names)))


def _split_pattern(pattern: str) -> tuple[str, str]:
    """The folders that the pattern names, and what it says below them."""
    first = next(place for place, character in enumerate(pattern) if character in "*?[")
    end = pattern.rfind("/", 0, first) + 1
    return pattern[:end], pattern[end:]


def _matches(pattern: str) -> tuple[Store, list[str]]:
    fixed, rest = _split_pattern(pattern)
    base = Path(fixed or ".")
    files = base.glob(rest)
    names = [str(path.relative_to(base)) for path in files if path.is_file() and not path.name.endswith(INDEX_SUFFIX)]
    return open_store(str(base)), names


def _labels_inside(store: Store, kind: FormatName, name: str) -> tuple[str, ...]:
    """Class names that the shard itself tells."""
    if kind != "parquet":
        return ()
    from shardmill.formats.parquet import class_names  # only where there is Parquet

    with store.open(name) as file:
        return class_names(file)


def _labels(store: Store) -> tuple[str, ...]:
    """Names from `labels.txt` (ours, or `0:daisy` lines as the slim scripts write) or tfds' `label.labels.txt`."""
    for name in (LABELS, "label.labels.txt"):
        if store.size(name) is not None:
            lines = store.read(name).decode(errors="replace").splitlines()
            numbered = [line.partition(":") for line in lines]
            if lines and all(
                number.isdecimal() and int(number) == place for place, (number, _, _) in enumerate(numbered)
            ):
                return tuple(text for _, _, text in numbered)
            return tuple(lines)
    return ()
