"""Cluster shapes as numbers: what a search may choose between, and what it may know of each before a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.traces import TraceRow

SHAPE_EXTRAS: Final = ("partitions", "disk_kind", "disk_gb", "disk_mb_per_s", "network_gbit_per_s")
"""Further columns of a trace that belong to the shape; all others are measurements."""
_NUMERIC_EXTRAS: Final = ("partitions", "disk_gb", "disk_mb_per_s", "network_gbit_per_s")


@dataclass(frozen=True)
class Shape:
    """One candidate: so many nodes of one machine type at one price."""

    machine_type: str
    node_count: int
    vcpus_per_node: float
    memory_gb_per_node: float
    usd_per_node_hour: float
    extra: tuple[tuple[str, str], ...] = ()
    """Further properties, of those in `SHAPE_EXTRAS`, sorted by name."""

    @property
    def cores(self) -> float:
        return self.node_count * self.vcpus_per_node

    @property
    def memory_gb(self) -> float:
        return self.node_count * self.memory_gb_per_node

    @property
    def usd_per_s(self) -> float:
        """Of the whole cluster."""
        return self.node_count * self.usd_per_node_hour / 3600

    @property
    def family(self) -> str:
        """`c4` of `c4.xlarge`, `n2-highmem` of `n2-highmem-8`, with the kind of disk: machines that differ in size alone."""
        disk = dict(self.extra).get("disk_kind", "")
        return re.sub(r"[-._]?(\d*x?large|medium|small|micro|\d+)$", "", self.machine_type) + (
            f" {disk}" if disk else ""
        )

    @property
    def label(self) -> str:
        """`4 x c4.xlarge`, with partitions and the like behind it; a share of this machine says how large it is."""
        rest = "".join(f", {name.replace('_', ' ')} {value}" for name, value in self.extra)
        cores = f"{self.vcpus_per_node:g} core{'' if self.vcpus_per_node == 1 else 's'}"
        size = f" ({cores}, {self.memory_gb_per_node:g} GB)" if self.machine_type == "local" else ""
        return f"{self.node_count} x {self.machine_type}{size}{rest}"


def shape_of(row: TraceRow) -> Shape:
    """The shape that `row` was run on."""
    extra = tuple(sorted((name, value) for name, value in row.extra.items() if name in SHAPE_EXTRAS))
    return Shape(
        row.machine_type,
        row.node_count,
        row.vcpus_per_node,
        row.memory_gb_per_node,
        row.usd_per_node_hour,
        extra,
    )


def told_apart(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """The same shapes without the further properties that all of them share: these tell nothing, and fill their labels."""
    shared = set.intersection(*(set(shape.extra) for shape in shapes)) if len(shapes) > 1 else set()
    return tuple(
        replace(shape, extra=tuple(pair for pair in shape.extra if pair not in shared)) if shared else shape
        for shape in shapes
    )


@dataclass(frozen=True)
class ShapeTable:
    """Candidates as columns, each of shape (k,)."""

    shapes: tuple[Shape, ...]

    @cached_property
    def nodes(self) -> NDArray[np.float64]:
        return np.array([float(shape.node_count) for shape in self.shapes])

    @cached_property
    def node_cores(self) -> NDArray[np.float64]:
        return np.array([shape.vcpus_per_node for shape in self.shapes])

    @cached_property
    def node_memory_gb(self) -> NDArray[np.float64]:
        return np.array([shape.memory_gb_per_node for shape in self.shapes])

    @cached_property
    def usd_per_s(self) -> NDArray[np.float64]:
        return np.array([shape.usd_per_s for shape in self.shapes])

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The names of the families, sorted."""
        return tuple(sorted({shape.family for shape in self.shapes}))

    @cached_property
    def family_index(self) -> NDArray[np.intp]:
        return np.array([self.families.index(shape.family) for shape in self.shapes])

    @cached_property
    def extras(self) -> NDArray[np.float64]:
        """Log2 of the numeric extras that differ between shapes and that all shapes have; shape (k, number of them)."""
        columns = []
        for name in _NUMERIC_EXTRAS:
            texts = [dict(shape.extra).get(name) for shape in self.shapes]
            if None in texts or len(set(texts)) < 2:
                continue
            try:
                values = np.array([float(text or "") for text in texts])
            except ValueError as error:
                raise UsageError(f"{name} of a shape is no number ({error}); mend the trace.") from error
            if not (np.isfinite(values).all() and (values > 0).all()):
                raise UsageError(f"{name} of a shape is not above 0; mend the trace.")
            columns.append(np.log2(values))
        return np.column_stack(columns) if columns else np.zeros((len(self.shapes), 0))

    def __len__(self) -> int:
        return len(self.shapes)


def family_distance(table: ShapeTable) -> NDArray[np.float64]:
    """1 where two shapes are of different families, else 0; shape (k, k)."""
    different: NDArray[np.float64] = (table.family_index[:, None] != table.family_index[None, :]).astype(float)
    return different


def distinct(rows: Sequence[TraceRow]) -> dict[Shape, list[TraceRow]]:
    """The runs of each shape, in the order in which the shapes first come up."""
    runs: dict[Shape, list[TraceRow]] = {}
    for row in rows:
        runs.setdefault(shape_of(row), []).append(row)
    return runs
