"""What a prepared data set holds, for comparing two of them byte by byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def contents(dest: Path) -> dict[str, str]:
    """SHA-256 of each file that must be the same whenever the images and the spec are."""
    digests = {
        str(path.relative_to(dest)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dest.rglob("*"))
        if path.is_file() and not str(path.relative_to(dest)).startswith(("_plan/", "_lock", "_manifest.json"))
    }
    digests["manifest data"] = json.dumps(manifest(dest)["data"], sort_keys=True)
    assert len(digests) > 4, f"{dest} holds next to nothing"
    return digests


def manifest(dest: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((dest / "_manifest.json").read_text())
    return parsed


def samples(dest: Path) -> list[dict[str, Any]]:
    """The rows of all samples tables."""
    parts = sorted((dest / "_samples").glob("part-*.parquet"))
    rows: list[dict[str, Any]] = pa.concat_tables([pq.read_table(part) for part in parts]).to_pylist()
    return rows


def outcomes(dest: Path) -> dict[str, str]:
    """Status of each input by key."""
    rows = samples(dest)
    by_key = {row["key"]: row["status"] for row in rows}
    assert len(by_key) == len(rows), "a key stands twice"
    return by_key
