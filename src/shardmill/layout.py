"""What the files of a data set are called, beside its shards."""

from __future__ import annotations

from typing import Final

MANIFEST: Final = "_manifest.json"
SUCCESS: Final = "_SUCCESS"
LABELS: Final = "labels.txt"
DUPLICATES: Final = "_duplicates.parquet"
INDEX_SUFFIX: Final = ".idx"
MANIFEST_FORMAT: Final = "shardmill/1"
SUMMARY_KEY: Final = b"shardmill.shard"
"""Of the Parquet metadata of a samples table: the summary of its shard, as JSON."""


def samples_name(number: int) -> str:
    """The table of the inputs of shard `number`; its presence commits the shard."""
    return f"_samples/part-{number:05d}.parquet"
