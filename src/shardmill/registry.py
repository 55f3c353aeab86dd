"""The one table of plug-ins. A heavy package is imported only when its row is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from shardmill.errors import MissingExtraError, UsageError


@dataclass(frozen=True, slots=True)
class Plugin:
    """Where a plug-in lives and which pip extra it needs."""

    target: str
    """`module:attribute`."""
    extra: str | None = None


TRANSFORMS: Final[Mapping[str, Plugin]] = {
    "native": Plugin("shardmill.image.native:NativeTransform"),
    "tensorflow": Plugin("shardmill.image.tensorflow:TensorFlowTransform", extra="tf"),
}
FORMATS: Final[Mapping[str, Plugin]] = {
    "tfrecord": Plugin("shardmill.formats.tfrecord:TFRecordFormat"),
    "webdataset": Plugin("shardmill.formats.webdataset:WebDatasetFormat"),
    "parquet": Plugin("shardmill.formats.parquet:ParquetFormat"),
}
READERS: Final[Mapping[str, Plugin]] = {
    "native": Plugin("shardmill.speedtest.native:NativeReader"),
    "loader": Plugin("shardmill.speedtest.loader:LoaderReader"),
    "tf.data": Plugin("shardmill.speedtest.tf_data:TfDataReader", extra="tf"),
}
ENGINES: Final[Mapping[str, Plugin]] = {
    "local": Plugin("shardmill.engines.local:LocalEngine"),
    "spark": Plugin("shardmill.engines.spark:SparkEngine", extra="spark"),
}
PROVIDERS: Final[Mapping[str, Plugin]] = {
    "local": Plugin("shardmill.clusters.local.provider:LocalProvider", extra="spark"),
}
SECTIONS: Final[Mapping[str, Plugin]] = {
    "model": Plugin("shardmill.report.sections.model:section"),
    "pick": Plugin("shardmill.report.sections.pick:section"),
    "speedtest": Plugin("shardmill.report.sections.speedtest:section"),
}
"""What a report tells of each kind of run: a function that takes the opened `Run` and returns a `report.section.Section`."""
STORES: Final[Mapping[str, Plugin]] = {
    "gs": Plugin("shardmill.storage.gcs:GcsClient", extra="gcp"),
    "s3": Plugin("shardmill.storage.s3:S3Client", extra="aws"),
}
SEARCH_STRATEGIES: Final[Mapping[str, Plugin]] = {
    "shardmill": Plugin("shardmill.search.physical:PhysicalStrategy"),
    "cherrypick": Plugin("shardmill.search.cherrypick:CherryPickStrategy"),
    "ernest": Plugin("shardmill.search.ernest:ErnestStrategy"),
    "coordinate": Plugin("shardmill.search.simple:CoordinateStrategy"),
    "random": Plugin("shardmill.search.simple:RandomStrategy"),
    "exhaustive": Plugin("shardmill.search.simple:ExhaustiveStrategy"),
}


def load(table: Mapping[str, Plugin], kind: str, name: str) -> Callable[..., Any]:
    """Import and return the class called `name` in `table`; `kind` is the word for it in messages.

    Raises:
        UsageError: no such plug-in.
        MissingExtraError: its package is not installed.
    """
    if name not in table:
        raise UsageError(f"unknown {kind} {name!r}; choose one of: {', '.join(sorted(table))}")
    plugin = table[name]
    module, _, attribute = plugin.target.partition(":")
    try:
        factory: Callable[..., Any] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if plugin.extra is None or (error.name or "").startswith("shardmill"):
            raise  # our own bug, not a package that is missing
        message = (
            f"{kind} {name!r} needs the package {error.name}; install it with: pip install 'shardmill[{plugin.extra}]'"
        )
        raise MissingExtraError(message) from error
    return factory
