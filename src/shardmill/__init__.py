"""Turn piles of images into training-ready shards, prove them whole, and see what is in them."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from shardmill.dataset import Dataset
    from shardmill.loading.images import Images, open
    from shardmill.operations.cluster.init import ClusterInitResult, cluster_init
    from shardmill.operations.cluster.lifecycle import (
        ClusterDeleted,
        ClusterInfo,
        ClusterList,
        cluster_down,
        cluster_list,
        cluster_up,
    )
    from shardmill.operations.cluster.metrics import ClusterMetrics, cluster_metrics
    from shardmill.operations.cluster.render import ClusterCommands, cluster_render
    from shardmill.operations.cluster.submit import JobResult, cluster_submit
    from shardmill.operations.convert.run import ConvertResult, convert
    from shardmill.operations.demo.images import draw_images
    from shardmill.operations.demo.run import DemoResult, demo
    from shardmill.operations.doctor import DoctorReport, doctor
    from shardmill.operations.fetch import FetchResult, fetch
    from shardmill.operations.model.result import ModelResult
    from shardmill.operations.model.run import model
    from shardmill.operations.pick.bench import BenchPickResult, bench_pick
    from shardmill.operations.pick.result import PickResult
    from shardmill.operations.pick.run import pick
    from shardmill.operations.prepare.result import PrepareResult
    from shardmill.operations.prepare.run import prepare
    from shardmill.operations.report.advise import AdviseResult, advise
    from shardmill.operations.report.run import ReportResult, report
    from shardmill.operations.show.result import ShowResult
    from shardmill.operations.show.run import show
    from shardmill.operations.speedtest.result import SpeedtestResult
    from shardmill.operations.speedtest.run import speedtest
    from shardmill.operations.sweep.result import SweepResult
    from shardmill.operations.sweep.run import sweep
    from shardmill.operations.verify.result import VerifyResult
    from shardmill.operations.verify.run import verify

from shardmill.errors import (
    ClusterError,
    DamageError,
    MissingExtraError,
    ResumableError,
    ShardmillError,
    TooManyFailuresError,
    UsageError,
)

__version__ = "0.1.0"
__all__ = [
    "AdviseResult",
    "BenchPickResult",
    "ClusterCommands",
    "ClusterDeleted",
    "ClusterError",
    "ClusterInfo",
    "ClusterInitResult",
    "ClusterList",
    "ClusterMetrics",
    "ConvertResult",
    "DamageError",
    "Dataset",
    "DemoResult",
    "DoctorReport",
    "FetchResult",
    "Images",
    "JobResult",
    "MissingExtraError",
    "ModelResult",
    "PickResult",
    "PrepareResult",
    "ReportResult",
    "ResumableError",
    "ShardmillError",
    "ShowResult",
    "SpeedtestResult",
    "SweepResult",
    "TooManyFailuresError",
    "UsageError",
    "VerifyResult",
    "__version__",
    "advise",
    "bench_pick",
    "cluster_down",
    "cluster_init",
    "cluster_list",
    "cluster_metrics",
    "cluster_render",
    "cluster_submit",
    "cluster_up",
    "convert",
    "demo",
    "doctor",
    "draw_images",
    "fetch",
    "model",
    "open",
    "pick",
    "prepare",
    "report",
    "show",
    "speedtest",
    "sweep",
    "verify",
]

_HOMES: Final = {
    "ClusterCommands": "operations.cluster.render",
    "cluster_render": "operations.cluster.render",
    "ClusterDeleted": "operations.cluster.lifecycle",
    "ClusterInitResult": "operations.cluster.init",
    "ClusterInfo": "operations.cluster.lifecycle",
    "ClusterList": "operations.cluster.lifecycle",
    "ClusterMetrics": "operations.cluster.metrics",
    "JobResult": "operations.cluster.submit",
    "SweepResult": "operations.sweep.result",
    "cluster_down": "operations.cluster.lifecycle",
    "cluster_init": "operations.cluster.init",
    "cluster_list": "operations.cluster.lifecycle",
    "cluster_metrics": "operations.cluster.metrics",
    "cluster_submit": "operations.cluster.submit",
    "cluster_up": "operations.cluster.lifecycle",
    "sweep": "operations.sweep.run",
    "ConvertResult": "operations.convert.run",
    "Dataset": "dataset",
    "DemoResult": "operations.demo.run",
    "DoctorReport": "operations.doctor",
    "FetchResult": "operations.fetch",
    "Images": "loading.images",
    "ModelResult": "operations.model.result",
    "BenchPickResult": "operations.pick.bench",
    "PickResult": "operations.pick.result",
    "bench_pick": "operations.pick.bench",
    "pick": "operations.pick.run",
    "PrepareResult": "operations.prepare.result",
    "AdviseResult": "operations.report.advise",
    "advise": "operations.report.advise",
    "ReportResult": "operations.report.run",
    "ShowResult": "operations.show.result",
    "SpeedtestResult": "operations.speedtest.result",
    "VerifyResult": "operations.verify.result",
    "convert": "operations.convert.run",
    "demo": "operations.demo.run",
    "doctor": "operations.doctor",
    "draw_images": "operations.demo.images",
    "fetch": "operations.fetch",
    "model": "operations.model.run",
    "open": "loading.images",
    "prepare": "operations.prepare.run",
    "report": "operations.report.run",
    "show": "operations.show.run",
    "speedtest": "operations.speedtest.run",
    "verify": "operations.verify.run",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps public names for what is public: some are also names of packages, `speedtest` and `report` for two, to which
    importing these would bind them."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


if not TYPE_CHECKING:  # to a type checker, only what stands above is there, so that it sees a misspelt name

    def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever the name stands for
        """Import a public name when it is first used, so that `import shardmill` costs nothing."""
        if name not in _HOMES:
            raise AttributeError(f"module 'shardmill' has no attribute {name!r}")
        return getattr(import_module(f"shardmill.{_HOMES[name]}"), name)
