"""The reference page of the files that shardmill writes: tables from the code, and what no table can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from shardmill import layout, runs
from shardmill.operations.prepare.samples import COLUMNS
from shardmill.speedtest.record import RESULTS, Measurement
from shardmill.traces import COLUMNS as TRACE_COLUMNS
from shardmill.traces import TraceRow
from tools.reference.markdown import field_texts, table

MANIFEST_DATA: Final[Mapping[str, str]] = {
    "shard_format": "tfrecord, webdataset or parquet",
    "feature_keys": "names of the features in a record: imagenet or tfds",
    "compression": "of the shards: none, gzip, zstd …, as the format knows it",
    "plan": "digest of the plan: same digest, same bytes",
    "transform": "native or tensorflow",
    "fingerprint": "versions of the codecs, and a digest of what they make of built-in images",
    "spec": "the request, as far as bytes depend on it",
    "splits": "for each split its shards, and its inputs listed, written, skipped, failed",
    "shards": "for each shard its name, split, records, inputs, bytes and SHA-256; also of its index and its table",
    "totals": "inputs listed = written + skipped + failed",
    "classes": "for each class its label, name and records, in label order",
    "unlabelled": "records without a class",
    "channels": "mean and standard deviation of R, G and B on the scale 0 to 1, and over how many pixels",
    "conversions": "how many images were changed on the way, by kind",
    "reasons": "how many inputs were skipped or failed, by reason",
    "duplicates": "exact copies among the records, and how many of them lie across splits",
    "numbered_keys": "keys that came more than once and got ~2, ~3",
    "ignored_files": "files in SOURCE that were not taken, by suffix",
}

_DATA_SET: Final = f"""\
## A prepared data set

| file | |
|---|---|
| `train-00000-of-00016.tfrecord`, or `.tar`, `.parquet` | a shard; numbering is dense, and shards of a split differ by at most one input |
| `train-00000-of-00016.tfrecord{layout.INDEX_SUFFIX}` | its index, where the format has one: not Parquet, whose footer is one, and not a gzipped TFRecord |
| `{layout.LABELS}` | a class name a line; the line's number, from 0, is the label |
| `{layout.samples_name(0)}` | a row for every input of shard 0; it is written last, and commits the shard |
| `{layout.DUPLICATES}` | exact copies among the records, where there are any |
| `_plan/` | the listing that was planned and the request; never taken again on resume |
| `{layout.MANIFEST}` | facts of the data apart from facts of the run |
| `{layout.SUCCESS}` | written last: the set is whole |

Names that begin with `_` are left out by Spark, TensorFlow and Hugging Face readers. A file that has its final name is whole.
"""
_RUN: Final = f"""\
## Run folders

What `speedtest`, `sweep` and `pick` write to `--out`: `{runs.RUN_FILE}` says which kind of run it is, what was asked and on which
machine; the results lie beside it. The same request on the same folder continues the run.
"""


def page() -> str:
    """The whole page, without its first line."""
    return "\n".join(
        [
            "# Files on disk\n",
            _DATA_SET,
            f"### {layout.samples_name(0)}\n",
            table(
                ("column", "type", ""), ((name, f"`{column.type}`", column.meaning) for name, column in COLUMNS.items())
            ),
            "Columns that a list carries along follow under their own names.\n",
            f"### {layout.MANIFEST}\n",
            f"`format` is `{layout.MANIFEST_FORMAT}`. `data` repeats for the same input and request; `run` does not.\n",
            table(("in `data`", ""), MANIFEST_DATA.items()),
            _RUN,
            f"### {RESULTS} of a speed test: a row for each timed pass\n",
            _fields(Measurement),
            "### trace.csv of a sweep: a row for each run\n",
            "The columns below come first; more may follow.\n",
            _fields(TraceRow, TRACE_COLUMNS),
        ]
    )


def _fields(record: type, names: tuple[str, ...] | None = None) -> str:
    texts = field_texts(record)
    chosen = [field for field in dataclasses.fields(record) if names is None or field.name in names]
    rows = ((field.name, f"`{field.type}`".replace("|", "\\|"), texts.get(field.name, "")) for field in chosen)
    return table(("column", "type", ""), rows)
