"""Measured traces made into others: what a search must also cope with, and what nobody has chosen a setting on.

Each change is drawn anew for each workload, by a fixed seed. The answers change with it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from shardmill.search.shapes import shape_of
from shardmill.traces import TraceRow

Change = Callable[[Sequence[TraceRow], np.random.Generator], list[TraceRow]]


def _timed(row: TraceRow, factor: float) -> TraceRow:
    if row.runtime_s is None:
        return row
    seconds = row.runtime_s * factor
    return replace(row, runtime_s=seconds, cost_usd=seconds * shape_of(row).usd_per_s)


def _failed(row: TraceRow) -> TraceRow:
    return replace(row, status="failed", runtime_s=None, cost_usd=None)


def _time_limit(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """The slowest runs, 15 to 40 % of them, pass a time limit."""
    times = [row.runtime_s for row in rows if row.runtime_s is not None]
    limit = float(np.quantile(times, 1.0 - rng.uniform(0.15, 0.40)))
    return [_failed(row) if (row.runtime_s or 0.0) > limit else row for row in rows]


def _memory_floor(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """The clusters with the least memory, 10 to 30 % of them, die of it."""
    floor = float(np.quantile([shape_of(row).memory_gb for row in rows], rng.uniform(0.10, 0.30)))
    return [_failed(row) if shape_of(row).memory_gb < floor else row for row in rows]


def _core_memory_floor(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """The family with the least memory a core dies on all but its largest clusters."""
    per_core = min(row.memory_gb_per_node / row.vcpus_per_node for row in rows)
    own = [row for row in rows if row.memory_gb_per_node / row.vcpus_per_node < per_core * 1.01]
    enough = float(np.quantile([shape_of(row).memory_gb for row in own], rng.uniform(0.5, 0.8)))
    keys = {id(row) for row in own if shape_of(row).memory_gb < enough}
    return [_failed(row) if id(row) in keys else row for row in rows]


def _chance(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """One run in ten fails for no reason."""
    return [_failed(row) if rng.random() < 0.1 else row for row in rows]


def _noise(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """Run times differ by another 8 % from one shape to the next."""
    return [_timed(row, math.exp(rng.normal(0.0, 0.08))) for row in rows]


def _prices(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """Another price list: each family dearer or cheaper by up to half."""
    factors = {family: math.exp(rng.uniform(-0.4, 0.4)) for family in sorted({shape_of(row).family for row in rows})}
    dearer = [
        replace(row, usd_per_node_hour=row.usd_per_node_hour * factors[shape_of(row).family], cost_usd=None)
        for row in rows
    ]
    return [_timed(row, 1.0) for row in dearer]


def _cliff(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """Another memory cliff: two to five times as slow below a size anywhere in the middle."""
    memory = [shape_of(row).memory_gb for row in rows]
    need = float(np.quantile(memory, rng.uniform(0.2, 0.8)))
    slower = rng.uniform(2.0, 5.0)
    return [_timed(row, slower if shape_of(row).memory_gb < need else 1.0) for row in rows]


def _speeds(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """Other machines: each family faster or slower by up to half."""
    factors = {family: math.exp(rng.uniform(-0.4, 0.4)) for family in sorted({shape_of(row).family for row in rows})}
    return [_timed(row, factors[shape_of(row).family]) for row in rows]


def _hard(rows: Sequence[TraceRow], rng: np.random.Generator) -> list[TraceRow]:
    """A cliff, then a time limit, then noise."""
    return _noise(_time_limit(_cliff(rows, rng), rng), rng)


CHANGES: Final[dict[str, Change]] = {
    "time limit": _time_limit,
    "memory floor": _memory_floor,
    "core memory floor": _core_memory_floor,
    "failures by chance": _chance,
    "noise": _noise,
    "prices": _prices,
    "cliff": _cliff,
    "speeds": _speeds,
    "hard": _hard,
}


def perturbed(name: str, rows: Sequence[TraceRow]) -> tuple[TraceRow, ...]:
    """The rows of one workload after the change called `name`."""
    seed = [zlib.crc32(name.encode()), zlib.crc32(rows[0].workload.encode())]
    return tuple(CHANGES[name](rows, np.random.default_rng(seed)))
