"""Traces: tables of jobs run over cluster shapes, in the CSV form that `sweep` writes and `pick` and `bench-pick` replay.

The columns of `COLUMNS` come first; a file may carry more behind them. A run that failed has no cost, and a run time only
where its writer knew how long it lasted.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from shardmill.errors import UsageError
from shardmill.units import printable

Status = Literal["ok", "failed", "timeout"]

COLUMNS: Final = (
    "workload",
    "machine_type",
    "node_count",
    "vcpus_per_node",
    "memory_gb_per_node",
    "usd_per_node_hour",
    "status",
    "runtime_s",
    "cost_usd",
    "repeat",
)


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One run of one workload on one shape."""

    workload: str
    machine_type: str
    """Family and size, as `c4.xlarge`, `n2-standard-8` or `local`."""
    node_count: int
    vcpus_per_node: float
    memory_gb_per_node: float
    usd_per_node_hour: float
    status: Status
    """`failed`: the job ended in an error; `timeout`: it was stopped at a time limit."""
    runtime_s: float | None
    """None only where the run did not end well and nobody knows how long it lasted."""
    cost_usd: float | None
    """Of the whole cluster for `runtime_s`."""
    repeat: int = 1
    """1 for the first run of the workload on this shape."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further columns, as they stand in the file; an empty field is left out."""


def read_trace(path: str | Path) -> tuple[TraceRow, ...]:
    """The rows of the trace at `path`, in the order of the file.

    Raises:
        UsageError: it cannot be read, lacks a column, has a row that makes no sense, or has the same run twice.
    """
    file = Path(path).expanduser()
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return _read(file, csv.reader(lines, strict=True))
    except OSError as error:
        raise UsageError(
            f"cannot read the trace {file}: {error.strerror}. Name a CSV file that sweep wrote."
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not a CSV file ({error}); name a trace that sweep wrote.") from error


def _read(file: Path, reader: Iterable[list[str]]) -> tuple[TraceRow, ...]:
    lines = iter(reader)
    names = [name.strip() for name in next(lines, [])]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise UsageError(f"{file} lacks the column {', '.join(missing)}; a trace has the columns {', '.join(COLUMNS)}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{file} has two columns called {printable(', '.join(twice))}; keep one of each.")
    rows = []
    seen: dict[tuple[object, ...], int] = {}
    for number, values in enumerate(lines, start=2):
        if not any(value.strip() for value in values):
            continue
        where = f"{file}, row {number}"
        if len(values) != len(names):
            raise UsageError(f"{where}: {len(values)} fields where the header has {len(names)}; mend the row.")
        row = _row(where, dict(zip(names, (value.strip() for value in values), strict=True)))
        identity = (
            row.workload,
            row.machine_type,
            row.node_count,
            row.vcpus_per_node,
            row.memory_gb_per_node,
            row.usd_per_node_hour,
            row.repeat,
            *sorted(row.extra.items()),
        )
        if identity in seen:
            raise UsageError(f"{where}: the same run as row {seen[identity]}; number repeats in the column repeat.")
        seen[identity] = number
        rows.append(row)
    if not rows:
        raise UsageError(f"{file} has a header and no runs; name a trace with runs.")
    return tuple(rows)


def _row(where: str, fields: Mapping[str, str]) -> TraceRow:
    for name in ("workload", "machine_type"):
        if not fields[name]:
            raise UsageError(f"{where}: {name} is empty; every run needs one.")
    status = fields["status"]
    if status not in get_args(Status):
        raise UsageError(f"{where}: status is {printable(status)!r}; it is one of {', '.join(get_args(Status))}.")
    ok = status == "ok"
    row = TraceRow(
        workload=fields["workload"],
        machine_type=fields["machine_type"],
        node_count=_whole(where, "node_count", fields["node_count"]),
        vcpus_per_node=_positive(where, "vcpus_per_node", fields["vcpus_per_node"]),
        memory_gb_per_node=_positive(where, "memory_gb_per_node", fields["memory_gb_per_node"]),
        usd_per_node_hour=_positive(where, "usd_per_node_hour", fields["usd_per_node_hour"]),
        status=status,  # type: ignore[arg-type]  # checked above
        runtime_s=_positive(where, "runtime_s", fields["runtime_s"]) if ok or fields["runtime_s"] else None,
        cost_usd=_positive(where, "cost_usd", fields["cost_usd"]) if ok or fields["cost_usd"] else None,
        repeat=_whole(where, "repeat", fields["repeat"]),
        extra={name: value for name, value in fields.items() if name not in COLUMNS and value},
    )
    if ok and row.runtime_s and row.cost_usd:
        expected = row.runtime_s / 3600 * row.node_count * row.usd_per_node_hour
        if not 0.5 < row.cost_usd / expected < 2:  # a column in the wrong unit, not a rounding or a minimum charge
            raise UsageError(
                f"{where}: cost_usd is {row.cost_usd:g}, but {row.runtime_s:g} s on {row.node_count} nodes at "
                f"{row.usd_per_node_hour:g} USD an hour cost {expected:.4g}; look for a column in another unit."
            )
    return row


def _positive(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{where}: {name} is {printable(text)!r}; it takes a number above 0.")
    return value


def _whole(where: str, name: str, text: str) -> int:
    value = _positive(where, name, text)
    if value != int(value):
        raise UsageError(f"{where}: {name} is {printable(text)!r}; it takes a whole number of at least 1.")
    return int(value)


def write_trace(path: str | Path, rows: Sequence[TraceRow]) -> None:
    """Write `rows` as CSV at `path`, whole or not at all; numbers keep every digit.

    Raises:
        UsageError: `path` cannot be written.
    """
    file = Path(path).expanduser()
    extras = list(dict.fromkeys(name for row in rows for name in row.extra))
    scratch = file.with_name(file.name + ".tmp")
    try:
        with scratch.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow([*COLUMNS, *extras])
            for row in rows:
                values = [getattr(row, name) for name in COLUMNS]
                writer.writerow(
                    ["" if value is None else repr(value) if isinstance(value, float) else value for value in values]
                    + [row.extra.get(name, "") for name in extras]
                )
        os.replace(scratch, file)  # noqa: PTH105
    except OSError as error:
        raise UsageError(
            f"cannot write the trace {file}: {error.strerror}. Name a place that can be written."
        ) from error
