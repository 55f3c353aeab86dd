"""The same as `plants`, for what a sweep says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.base import ClusterSpec
from shardmill.report.finding import Finding
from shardmill.sweep.evidence import RunSeen
from tests.report.sections.test_sweep import SHAPES, disk, noisy, predicted, steady, sweep
from tests.sweep.made import run_of, shape

Case = Callable[[], Sequence[Finding]]

_BIG, _SMALL = shape("big", workers=4, usd_per_hour=40.0), shape("small", workers=1, usd_per_hour=2.0)
_DISKS: Final = (disk("hdd", "pd-standard"), disk("ssd", "pd-ssd"))


def swept(elapsed: Any = steady, **options: Any) -> Case:
    """What the sweep says in which each run takes what `elapsed` says."""

    def case() -> Sequence[Finding]:
        with tempfile.TemporaryDirectory() as folder:
            return sweep(Path(folder), elapsed, **options).findings

    return case


def simulated(*, checked: bool = True, counts: Sequence[int] = (4,)) -> Case:
    def case() -> Sequence[Finding]:
        with tempfile.TemporaryDirectory() as folder:
            return predicted(Path(folder), checked=checked, counts=counts).findings

    return case


def by_name(**seconds: float) -> Callable[[ClusterSpec, int | None, int], float]:
    """Each shape takes its own time, and repetitions differ by a tenth of a second."""
    return lambda spec, count, repetition: seconds[spec.name] + 0.1 * repetition


def uneven(**seconds: float) -> Callable[[ClusterSpec, int | None, int], float]:
    """Each shape takes its own time, and repetitions differ by a tenth or more."""
    return lambda spec, count, repetition: seconds[spec.name] * (1.0, 1.15, 0.9)[repetition]


def limited(elapsed_s: float = 10.0, **of_run: Any) -> Case:
    return swept(specs=[shape("2x1")], elapsed_s=elapsed_s, **of_run)


def on_disks(**of_run: Any) -> Case:
    """A shape whose disks and network are known to carry so much and no more."""
    return swept(specs=_DISKS[:1], elapsed_s=10.0, before_s=1.0, cpu_share=0.3, tasks=[8.5] * 4, **of_run)


def broken(run: RunSeen) -> RunSeen:
    first = run.cell.shape == "1x1" and run.cell.partitions == 1
    return run_of(SHAPES[2], 1, name=run.name, position=run.position, state="failed") if first else run


def first(run: RunSeen) -> RunSeen:
    return replace(run, first=True) if run.repetition == 0 and run.cell.partitions == 4 else run


def slow_at_first(spec: ClusterSpec, count: int | None, repetition: int) -> float:
    return steady(spec, count, repetition) * (1.5 if repetition == 0 and count == 4 else 1.0)


_APART: Final = swept(by_name(big=10.0, small=30.0), specs=(_BIG, _SMALL))
_ALIKE: Final = swept(noisy, specs=(_BIG, replace(_BIG, name="also-big")))
_BUSY: Final[dict[str, Any]] = {"before_s": 1.0, "cpu_share": 1.0, "tasks": [4.5] * 4}
_RENT: Final = (replace(_BIG, usd_per_hour=36.0), replace(_SMALL, usd_per_hour=18.0))

SWEEP_PLANTS: Final[dict[str, tuple[Case, Case]]] = {
    "fastest": (_APART, _ALIKE),
    "fastest-not-told": (_ALIKE, _APART),
    "cheapest": (_APART, _ALIKE),
    "cheapest-not-told": (_ALIKE, _APART),
    "cheapest-job": (swept(by_name(big=10.0, small=24.0), specs=_RENT), _APART),
    "cheapest-job-not-told": (swept(uneven(big=10.0, small=21.0), specs=_RENT), _APART),
    "partitions-matter": (swept(steady), swept(noisy)),
    "partitions-alike": (swept(noisy), swept(steady)),
    "partitions-once": (swept(steady, repetitions=1), swept(steady)),
    "partitions-predicted": (simulated(counts=(1, 4)), simulated()),
    "limit-processor": (limited(**_BUSY), limited(**{**_BUSY, "cpu_share": 0.2})),
    "limit-waiting": (limited(**{**_BUSY, "cpu_share": 0.2}), limited(**_BUSY)),
    "limit-too-few-tasks": (limited(**{**_BUSY, "tasks": [9.0]}), limited(**_BUSY)),
    "limit-uneven-tasks": (limited(**{**_BUSY, "cpu_share": 0.5, "tasks": [8.5, 1.0]}), limited(**_BUSY)),
    "limit-start-up": (limited(**{**_BUSY, "before_s": 6.0, "tasks": [3.0] * 2}), limited(**_BUSY)),
    "limit-disk": (on_disks(disk=110e6), on_disks(disk=1e6)),
    "limit-network": (on_disks(network=2.2e9), on_disks(network=1e6)),
    "disk-matters": (swept(by_name(hdd=15.0, ssd=10.0), specs=_DISKS), swept(noisy, specs=_DISKS)),
    "disks-alike": (swept(noisy, specs=_DISKS), swept(by_name(hdd=15.0, ssd=10.0), specs=_DISKS)),
    "repetition": (swept(steady), swept(steady, repetitions=1)),
    "no-repetition": (swept(steady, repetitions=1), swept(steady)),
    "first-run": (swept(slow_at_first, change=first), swept(steady)),
    "failed-runs": (swept(steady, change=broken), swept(steady)),
    "fastest-predicted": (simulated(), _APART),
    "cheapest-predicted": (simulated(), _APART),
    "prediction-error": (simulated(), simulated(checked=False)),
    "prediction-unchecked": (simulated(checked=False), simulated()),
}
