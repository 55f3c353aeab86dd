"""The jobs of `shardmill.testing.jobs`, and traces of them."""

from __future__ import annotations

from pathlib import Path

from shardmill.testing.jobs import cpu_bound, memory_bound, rows_of, shapes
from shardmill.traces import TraceRow, write_trace

__all__ = ["cpu_bound", "memory_bound", "rows_of", "shapes", "trace_of"]


def trace_of(path: Path, *jobs: list[TraceRow]) -> str:
    """The trace of `jobs` at `path`."""
    write_trace(path, [row for rows in jobs for row in rows])
    return str(path)
