"""A folder of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from shardmill.sources.base import BATCH_ROWS, LISTING
from shardmill.sources.globs import matcher
from shardmill.sources.names import HIDDEN, IMAGE_SUFFIXES, known_split, split_name, suffix_of, to_text
from shardmill.sources.spec import Layout, SourceSpec
from shardmill.storage import Store


class FolderSource:
    """Images below a folder; the folders above each say its class, its split, or nothing.

    Files with an image's suffix, or those that `spec.include` names; hidden ones never. The key is the relative path.
    """

    unique_keys = True
    numeric_labels = False
    class_names: tuple[str, ...] | None = None

    def __init__(self, store: Store, spec: SourceSpec, exclude: str | None = None) -> None:
        """`exclude`: a folder whose files are neither listed nor counted, wherever it lies."""
        self.root = store.root
        inside = exclude is not None and exclude.startswith(f"{store.root}/")
        self._excluded = f"{exclude.removeprefix(store.root).strip('/')}/" if inside and exclude else None
        self.ignored: Counter[str] = Counter()
        self._store = store
        self._layout: Layout = spec.layout
        self._included = matcher(spec.include) if spec.include else None

    def batches(self) -> Iterator[pa.RecordBatch]:
        layout = self._layout if self._layout != "auto" else self._find_layout()
        self.ignored.clear()
        images = self._images()
        while rows := list(islice(images, BATCH_ROWS)):
            yield _batch(rows, layout)

    def _images(self) -> Iterator[tuple[str, int | None]]:
        included = self._included
        for entry in self._store.list():
            if self._excluded is not None and entry.path.startswith(self._excluded):
                continue
            suffix = suffix_of(entry.path)
            if suffix != HIDDEN and (included(entry.path) if included else suffix in IMAGE_SUFFIXES):
                yield to_text(entry.path), entry.size
            else:
                self.ignored[to_text(suffix)] += 1

    def _find_layout(self) -> Layout:
        """Stops at the first image whose folder is not called like a split: usually at the first image of all."""
        folders = (path.partition("/")[0] for path, _ in self._images() if "/" in path)
        none = True
        for folder in folders:
            if known_split(folder) is None:
                return "class"
            none = False
        return "flat" if none else "split"


def _batch(rows: list[tuple[str, int | None]], layout: Layout) -> pa.RecordBatch:
    paths = [path for path, _ in rows]
    keys = pa.array(paths, pa.string())
    nothing = pa.nulls(len(rows), pa.string())
    splits = labels = nothing
    if layout == "class":
        labels = pa.array([_folder(path, 0) for path in paths], pa.string())
    elif layout == "split":
        splits = pa.array(
            [None if (name := _folder(path, 0)) is None else split_name(name) for path in paths], pa.string()
        )
        labels = pa.array([_folder(path, 1) for path in paths], pa.string())
    sizes = pa.array([size for _, size in rows], pa.int64())
    columns = [keys, keys, pa.nulls(len(rows), pa.int64()), sizes, splits, labels, nothing]
    return pa.RecordBatch.from_arrays(columns, schema=LISTING)


def _folder(path: str, depth: int) -> str | None:
    parts = path.split("/", depth + 1)
    return parts[depth] if len(parts) > depth + 1 else None
