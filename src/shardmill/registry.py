"""The one table of plug-ins. A heavy package is imported only when its row is asked for, others' packages only by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from shardmill.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


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
    "dataproc": Plugin("shardmill.clusters.dataproc.provider:DataprocProvider", extra="gcp"),
    "local": Plugin("shardmill.clusters.local.provider:LocalProvider", extra="spark"),
}
SECTIONS: Final[Mapping[str, Plugin]] = {
    "model": Plugin("shardmill.report.sections.model:section"),
    "pick": Plugin("shardmill.report.sections.pick:section"),
    "speedtest": Plugin("shardmill.report.sections.speedtest:section"),
    "sweep": Plugin("shardmill.report.sections.sweep:section"),
}
"""What a report tells of each kind of run: a function that takes the opened `Run` and returns a `report.section.Section`."""
DISPLAYS: Final[Mapping[str, Plugin]] = {
    "AdviseResult": Plugin("shardmill.display.pages:advised"),
    "BenchPickResult": Plugin("shardmill.display.shapes:bench_picked"),
    "ModelResult": Plugin("shardmill.display.speeds:modelled"),
    "PickResult": Plugin("shardmill.display.shapes:picked"),
    "PrepareResult": Plugin("shardmill.display.sets:prepared"),
    "ReportResult": Plugin("shardmill.display.pages:reported"),
    "ShowResult": Plugin("shardmill.display.sets:shown"),
    "SpeedtestResult": Plugin("shardmill.display.speeds:measured"),
    "SweepResult": Plugin("shardmill.display.shapes:swept"),
    "VerifyResult": Plugin("shardmill.display.sets:verified"),
}
"""What a notebook shows of each result, by its class: a function that takes it and returns HTML; see `shown.Shown`."""
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


GROUPS: Final[Mapping[str, str]] = {
    "format": "shardmill.formats",
    "engine": "shardmill.engines",
    "cluster provider": "shardmill.providers",
    "strategy": "shardmill.search",
}
"""By the kind that `load` is told: the group of entry points under which installed packages offer plug-ins of their own."""


def load(table: Mapping[str, Plugin], kind: str, name: str) -> Callable[..., Any]:
    """Import and return the class called `name` in `table`, or that an installed package offers under this name.

    Packages are looked at only for a name that the table lacks, so that none can replace a plug-in of ours.

    Args:
        kind: the word for it in messages.

    Raises:
        UsageError: no such plug-in, or that of another package cannot be loaded.
        MissingExtraError: its package is not installed.
    """
    if name not in table:
        return _load_offer(_offer(table, kind, name), kind)
    plugin = table[name]
    module, _, attribute = plugin.target.partition(":")
    try:
        factory: Callable[..., Any] = getattr(import_module(module), attribute)
    except ImportError as error:  # of a package of which another part is there, it is no ModuleNotFoundError
        if plugin.extra is None or (error.name or "").startswith("shardmill"):
            raise  # our own bug, not a package that is missing
        message = (
            f"{kind} {name!r} needs the package {error.name}; install it with: pip install 'shardmill[{plugin.extra}]'"
        )
        raise MissingExtraError(message) from error
    return factory


def maker(table: Mapping[str, Plugin], kind: str, name: str) -> str:
    """Package and version that brings the plug-in called `name`; empty for one of ours.

    Raises:
        UsageError: no such plug-in.
    """
    return "" if name in table else _package(_offer(table, kind, name))


def offers(kind: str) -> Sequence[tuple[str, str]]:
    """Names of the plug-ins that installed packages offer, and the packages with their versions; sorted."""
    return sorted((entry.name, _package(entry)) for entry in _entries(kind))


def _offer(table: Mapping[str, Plugin], kind: str, name: str) -> EntryPoint:
    found = [entry for entry in _entries(kind) if entry.name == name]
    if not found:
        known = sorted({*table, *(other for other, _ in offers(kind))})
        raise UsageError(f"unknown {kind} {name!r}; choose one of: {', '.join(known)}")
    if len(found) > 1:
        packages = ", ".join(sorted(map(_package, found)))
        raise UsageError(f"{kind} {name!r} is offered by several packages ({packages}); uninstall all but one.")
    return found[0]


def _entries(kind: str) -> Sequence[EntryPoint]:
    if kind not in GROUPS:
        return ()
    from importlib.metadata import entry_points  # half of what `import shardmill.registry` would take

    return tuple(entry_points(group=GROUPS[kind]))


def _load_offer(entry: EntryPoint, kind: str) -> Callable[..., Any]:
    try:
        factory: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{kind} {entry.name!r} of the package {_package(entry)} cannot be loaded ({error}); "
            "install what it lacks, or uninstall it."
        ) from error
    return factory


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value
