"""The files that are computed from a sweep's evidence: `results.parquet`, a row a run, and `trace.csv` for `pick`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.errors import UsageError
from shardmill.sweep.row import SweepRow, TaskSummary, UsageSummary
from shardmill.traces import Status, TraceRow, write_trace

RESULTS: Final = "results.parquet"
TRACE: Final = "trace.csv"
LOCAL_SSD_GB: Final = 375
_STATUS: Final[dict[str, Status]] = {"done": "ok", "failed": "failed", "cancelled": "timeout"}


def write_results(folder: Path, rows: Sequence[SweepRow]) -> Path:
    """Put `rows` in the place of what `results.parquet` holds; nested summaries become columns `usage_...`, `tasks_...`."""
    path = folder / RESULTS
    scratch = path.with_suffix(".tmp")
    try:
        pq.write_table(pa.Table.from_pylist([_flat(row) for row in rows]), scratch)
        scratch.replace(path)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}. What was measured is kept in {folder / 'raw'}."
        ) from error
    return path


def _flat(row: SweepRow) -> dict[str, Any]:
    values = {field.name: getattr(row, field.name) for field in fields(row) if field.name not in ("usage", "tasks")}
    for prefix, kind, nested in (("usage", UsageSummary, row.usage), ("tasks", TaskSummary, row.tasks)):
        values |= {
            f"{prefix}_{field.name}": None if nested is None else getattr(nested, field.name) for field in fields(kind)
        }
    return values | {"cores": row.cores, "images_per_s": row.images_per_s, "images_per_usd": row.images_per_usd}


def write_sweep_trace(
    folder: Path, workload: str, rows: Sequence[SweepRow], specs: Sequence[ClusterSpec]
) -> Path | None:
    """Write what `pick` and `bench-pick` replay; None where no run has a price, for a trace is one of costs.

    The whole cluster's price is shared among the machines that run tasks. `repeat` counts the runs of a shape with a
    number of partitions.
    """
    by_name = {spec.name: spec for spec in specs}
    repeats: dict[tuple[str, int | None], int] = {}
    lines = []
    for row in rows:
        if row.usd_per_hour is None or row.state == "lost":
            continue
        repeat = repeats[row.shape, row.partitions] = repeats.get((row.shape, row.partitions), 0) + 1
        ok = row.state == "done"
        lines.append(
            TraceRow(
                workload=workload,
                machine_type=row.machine_type,
                node_count=row.nodes,
                vcpus_per_node=row.cores_per_node,
                memory_gb_per_node=row.memory_mb_per_node / 1000,
                usd_per_node_hour=row.usd_per_hour / row.nodes,
                status=_STATUS[row.state],
                runtime_s=row.elapsed_s,
                cost_usd=row.job_usd if ok else None,
                repeat=repeat,
                extra=_extra(row, by_name[row.shape]),
            )
        )
    if not lines:
        return None
    write_trace(folder / TRACE, lines)
    return folder / TRACE


def _extra(row: SweepRow, spec: ClusterSpec) -> dict[str, str]:
    """Further columns; those of `disk_columns` and `partitions` belong to the shape, for a search."""
    node = spec.task_node
    extra = {"shape": row.shape, "first": str(int(row.first))}
    if row.partitions is not None:
        extra["partitions"] = str(row.partitions)
    extra |= disk_columns(node)
    if row.full_usd is not None:
        extra["full_usd"] = repr(row.full_usd)
    if row.images is not None:
        extra["images"] = str(row.images)
    if row.usage is not None:
        extra["cpu_s"] = repr(row.usage.cpu_s)
    return extra


def disk_columns(node: NodeSpec) -> dict[str, str]:
    """The disks that Spark's data lie on, as a trace has them; nothing where there are none to choose."""
    if node.boot_disk_type is None:
        return {}
    if node.local_ssds:
        return {"disk_kind": f"local-ssd-{node.local_ssd_interface}", "disk_gb": str(node.local_ssds * LOCAL_SSD_GB)}
    return {"disk_kind": node.boot_disk_type, "disk_gb": str(node.boot_disk_gb)}
