"""Jobs whose run time over cluster shapes is a formula, so that the answer of a search is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from shardmill.search.shapes import Shape, distinct
from shardmill.traces import TraceRow

FAMILIES = {"c4": (1.875, 0.05), "m4": (4.0, 0.05), "r4": (7.6, 0.066)}
"""GB and USD an hour for each core."""
SIZES = {"large": 2, "xlarge": 4}
COUNTS = (2, 4, 6, 8, 12, 16)


def cpu_bound(shape: Shape) -> float:
    """100,000 core seconds and ten minutes on one core: small clusters are cheapest."""
    return 100_000 / shape.cores + 600


def memory_bound(shape: Shape) -> float:
    """Three times as slow where less than 100 GB are there: the cheapest just holds them."""
    return (60_000 / shape.cores + 900) * (1.0 if shape.memory_gb >= 100 else 3.0)


def rows_of(
    name: str, seconds: Callable[[Shape], float], *, limit_s: float = math.inf, repeats: Sequence[float] = (1.0,)
) -> list[TraceRow]:
    """A run on each shape for each factor of `repeats`; those over `limit_s` failed."""
    rows = []
    for family, (memory, price) in FAMILIES.items():
        for size, cores in SIZES.items():
            for count in COUNTS:
                shape = Shape(f"{family}.{size}", count, cores, memory * cores, price * cores)
                for number, factor in enumerate(repeats, start=1):
                    elapsed = seconds(shape) * factor
                    ok = elapsed <= limit_s
                    rows.append(
                        TraceRow(
                            name,
                            shape.machine_type,
                            count,
                            cores,
                            shape.memory_gb_per_node,
                            shape.usd_per_node_hour,
                            "ok" if ok else "failed",
                            elapsed if ok else None,
                            elapsed * shape.usd_per_s if ok else None,
                            number,
                        )
                    )
    return rows


def shapes() -> tuple[Shape, ...]:
    """All shapes of `rows_of`."""
    return tuple(distinct(rows_of("any", cpu_bound)))
