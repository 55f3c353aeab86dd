"""What limited a run: where the time of its cores went, and which part of it is worth going after.

The cores of a cluster are there from the driver's start to its end. That time, cores x elapsed, is shared out without a rest:

    start-up     before and after the longest stage: driver and executors coming up, other stages, publishing
    too few      cores that the stage had no task for, since it has fewer tasks than there are cores
    uneven       cores idle although there were tasks enough: a last wave that does not fill them, stragglers
    processor    computing
    waiting      in a task, and not computing: on storage, network, disk, the driver, or a core that others use
    in tasks     the last two together, where no sample tells them apart

The largest part is what limits: halving it gains the most. Of two that are alike, a loss comes before computing, since it
can be had back without a faster machine. Where the stage is what takes the time (the last two), network or disk are named
instead if they ran close to what the machine can carry.

Source of the order: the utilisation of every resource first, then what is queued or lost (Gregg, "Thinking Methodically
about Performance", Communications of the ACM 56(2), 2013: the USE method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shardmill.clusters.base import ClusterSpec, UsageSample
from shardmill.clusters.machine_types import machine_type
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.row import SweepRow, UsageSummary, summarise_usage
from shardmill.sweep.simulation.caps import disk_bytes_per_s

Part = Literal["start-up", "too few tasks", "uneven tasks", "waiting", "processor", "in tasks"]
Limit = Literal["start-up", "too few tasks", "uneven tasks", "waiting", "processor", "network", "disk", "not known"]

PARTS: Final[tuple[Part, ...]] = ("start-up", "too few tasks", "uneven tasks", "waiting", "processor", "in tasks")
"""In the order in which a tie is decided."""

AT_CAP: Final = 0.8
"""Of what a machine can carry: from here on, network or disk is the limit. Usage is a mean over seconds to a minute, and a
queue that is on average four fifths full was full for much of that time."""
_LEAST_COVERED: Final = 0.5
"""Of the stage, what samples must tell of, so that they can speak for it; and of the samples, what must lie in the stage."""
_BUSY: Final = 0.7
"""Of all cores over a whole run without a log of its tasks: from here on, they are the limit, for start and end are in it."""
_TIE: Final = 0.02
"""Of the time: parts that differ by less are alike, for a log's times and samples meet no better."""


@dataclass(frozen=True, slots=True)
class MachineCaps:
    """What one machine that runs tasks can carry, in bytes a second; None where nobody says, and then no verdict on it."""

    network_in: float | None = None
    network_out: float | None = None
    disk_read: float | None = None
    disk_write: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What limited one run, or one cell of them."""

    limit: Limit
    share: float
    """The verdict's number: its part of the cores' time; for network and disk the share of what they can carry. 0 to 1."""
    parts: Mapping[Part, float]
    """Parts of the cores' time; they add up to 1. Empty without a log of tasks; without samples of their processors,
    `in tasks` stands for `waiting` and `processor`."""
    network_bytes_per_s: float | None
    """In and out, all machines that run tasks together, during the longest stage. None: no source could tell."""
    disk_bytes_per_s: float | None
    """Read and written, the same."""
    network_share: float | None
    """Of what the machines can carry, the fuller direction. None: not known."""
    disk_share: float | None


def limits_of(row: SweepRow, run: RunSeen, caps: MachineCaps | None = None) -> Limits:
    """What limited `run`, whose row is `row`, on machines that can carry `caps`."""
    tasks, usage = row.tasks, row.usage
    if tasks is not None:
        seconds = tasks.finished_at - tasks.started_at
        stage = summarise_usage(run.usage, tasks.started_at, tasks.finished_at, row.cores)
        told = stage is not None and stage.covered_s >= _LEAST_COVERED * seconds
        usage = stage if told and _inside(run.usage, tasks.started_at, tasks.finished_at) >= _LEAST_COVERED else None
    network, disk = _flows(usage, row.nodes, caps or MachineCaps())
    parts = _parts(row, usage)
    limit, share = _verdict(parts, row.usage if tasks is None else None, network, disk)
    return Limits(limit, share, parts, network.rate, disk.rate, network.share, disk.share)


def known_caps(spec: ClusterSpec) -> MachineCaps:
    """What the machines of `spec` carry, as far as their provider says it outright: what they send (not what they receive),
    what local SSDs move, and what a standard disk of their size does; other disks have a share beyond their size that no
    source could be found for."""
    node = spec.task_node
    kind = machine_type(node.machine_type)
    sends = None if kind is None or kind.egress_gbit_s is None else kind.egress_gbit_s * 1e9 / 8
    read, write = disk_bytes_per_s(node)
    if not node.local_ssds and node.boot_disk_type != "pd-standard":
        read = write = math.inf
    return MachineCaps(
        network_out=sends,
        disk_read=read if math.isfinite(read) else None,
        disk_write=write if math.isfinite(write) else None,
    )


def typical(several: Sequence[Limits]) -> Limits:
    """What limited repetitions of a cell: of those with the verdict most of them have, the one in the middle."""
    verdicts = [one.limit for one in several]
    common = max(dict.fromkeys(verdicts), key=verdicts.count)
    ranked = sorted((one for one in several if one.limit == common), key=lambda one: one.share)
    return ranked[(len(ranked) - 1) // 2]


@dataclass(frozen=True, slots=True)
class _Flow:
    rate: float | None
    share: float | None


def _flows(usage: UsageSummary | None, nodes: int, caps: MachineCaps) -> tuple[_Flow, _Flow]:
    if usage is None or not usage.covered_s:
        return _Flow(None, None), _Flow(None, None)
    seconds = usage.covered_s

    def flow(pairs: Sequence[tuple[float | None, float | None]]) -> _Flow:
        known = [moved / seconds for moved, _ in pairs if moved is not None]
        shares = [moved / seconds / (cap * nodes) for moved, cap in pairs if moved is not None and cap]
        return _Flow(sum(known) if known else None, max(shares, default=None))

    network = flow(((usage.network_in_bytes, caps.network_in), (usage.network_out_bytes, caps.network_out)))
    disk = flow(((usage.disk_read_bytes, caps.disk_read), (usage.disk_write_bytes, caps.disk_write)))
    return network, disk


def _parts(row: SweepRow, stage: UsageSummary | None) -> dict[Part, float]:
    tasks = row.tasks
    if tasks is None or row.elapsed_s <= 0:
        return {}
    inside = min((tasks.finished_at - tasks.started_at) / row.elapsed_s, 1.0)
    few = min(max(1 - tasks.tasks / tasks.slots, 0.0), tasks.idle_share)
    worked = 1 - tasks.idle_share
    parts: dict[Part, float] = {
        "start-up": 1 - inside,
        "too few tasks": inside * few,
        "uneven tasks": inside * (tasks.idle_share - few),
    }
    if stage is None:
        return parts | {"in tasks": inside * worked}
    computed = min(stage.cpu_share, worked)  # what executors do beside their tasks takes no time from these
    return parts | {"waiting": inside * (worked - computed), "processor": inside * computed}


def _inside(samples: Sequence[UsageSample], start: float, end: float) -> float:
    """Of the samples that tell of a stretch, the part that lies in it: one of a minute says little of ten seconds in it."""
    told = [sample for sample in samples if sample.start < end and sample.start + sample.seconds > start]
    whole = sum(sample.seconds for sample in told)
    within = sum(min(sample.start + sample.seconds, end) - max(sample.start, start) for sample in told)
    return within / whole if whole else 0.0


def _verdict(
    parts: Mapping[Part, float], whole: UsageSummary | None, network: _Flow, disk: _Flow
) -> tuple[Limit, float]:
    full: list[tuple[float, Limit]] = []
    if network.share is not None and network.share >= AT_CAP:
        full.append((network.share, "network"))
    if disk.share is not None and disk.share >= AT_CAP:
        full.append((disk.share, "disk"))
    if not parts:
        if full:
            share, limit = max(full)
            return limit, share
        if whole is not None and whole.cpu_share >= _BUSY:
            return "processor", min(whole.cpu_share, 1.0)
        return "not known", 0.0
    most = max(parts.values())
    part = next(name for name in PARTS if parts.get(name, 0.0) >= most - _TIE)
    if full and part in ("processor", "waiting"):
        share, limit = max(full)
        return limit, share
    return ("not known", 0.0) if part == "in tasks" else (part, parts[part])
