"""Ways to make small sources and to look at what they list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shardmill.sources.base import BATCH_ROWS, LISTING, Source, StagedSource
from shardmill.sources.open import open_source
from shardmill.sources.spec import SourceSpec

Row = dict[str, Any]
Listing = Callable[..., list[Row]]


def rows_of(batches: Iterable[pa.RecordBatch]) -> list[Row]:
    """All rows, after checking what every source promises of its batches."""
    rows: list[Row] = []
    schemas = set()
    for batch in batches:
        batch.validate(full=True)
        assert 0 < batch.num_rows <= BATCH_ROWS
        assert pa.schema(list(batch.schema)[: len(LISTING)]).equals(LISTING)
        assert all(name.startswith("col:") for name in batch.schema.names[len(LISTING) :])
        schemas.add(str(batch.schema))
        rows += batch.to_pylist()
    assert len(schemas) <= 1
    return rows


@pytest.fixture
def open_plain() -> Callable[..., Source]:
    """`open_source` with the spec's fields as arguments, for sources that are not staged."""

    def opened(source: str | Path, **spec: Any) -> Source:
        found = open_source(str(source), SourceSpec(**spec))
        assert not isinstance(found, StagedSource)
        return found

    return opened


@pytest.fixture
def listing(open_plain: Callable[..., Source]) -> Listing:
    """The rows of the source at a path; taken twice, to see that they are the same."""

    def listed(source: str | Path, **spec: Any) -> list[Row]:
        opened = open_plain(source, **spec)
        first, ignored = rows_of(opened.batches()), opened.ignored.copy()
        assert rows_of(opened.batches()) == first
        assert opened.ignored == ignored
        return first

    return listed


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """Makes files below a fresh folder; each holds its own path."""

    def made(*paths: str) -> Path:
        root = tmp_path / "source"
        root.mkdir()
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(path.encode("utf-8", "surrogateescape"))
        return root

    return made
