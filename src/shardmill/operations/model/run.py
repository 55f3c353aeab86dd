"""`shardmill model`: which factor matters for throughput, by how much, and what limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from shardmill.arguments import checked
from shardmill.errors import UsageError
from shardmill.model.analysis import analyse
from shardmill.operations.model.result import ModelResult, plain
from shardmill.runs import Run, begin_run, open_run
from shardmill.speedtest.record import RESULTS, Measurement, read_measurements, write_measurements

MODEL_FILE: Final = "model.json"


@checked
def model(*runs: str, out: str | None = None) -> ModelResult:
    """Fit models to the measurements of speed tests: coefficients with error bars, which factor matters, what limits.

    For each format and reader, throughput is regressed on batch size, number of batches and their product, alone and
    together; beside it the time of a window is explained by start-up, images and batches. Which of them predicts
    combinations that it has not seen best is found by holding these out.

    Args:
        runs: Run folders that speedtest wrote; several are taken together.
        out: A run folder to keep the models and their rows in, for a report.

    Returns:
        The models, in plain values.

    Raises:
        UsageError: a run is no speed test, or holds no pass that counts.
    """
    if not runs:
        raise UsageError("name at least one run folder that speedtest wrote.")
    opened = [_speed_test(folder) for folder in dict.fromkeys(runs)]
    rows = [row for run in opened for row in read_measurements(run.path)]
    analysis = analyse(rows, cores_of(opened))
    if not analysis.arms:
        raise UsageError(
            f"{_names(opened)} holds no pass that counts ({analysis.warm_ups:,} were warm-ups, {analysis.not_as_asked:,} had a "
            "cache that was not as asked); measure again."
        )
    result = plain(analysis, [str(run.path) for run in opened], out)
    if out is not None:
        _keep(out, opened, rows, result)
    return result


def cores_of(runs: Sequence[Run]) -> int:
    """Cores of the machine that measured: the most that any of the runs saw."""
    return max(int(run.machine.get("cores") or 1) for run in runs)


def _speed_test(folder: str) -> Run:
    run = open_run(folder)
    if run.kind != "speedtest":
        raise UsageError(f"{folder} is a run of {run.kind}; name a folder that speedtest wrote.")
    return run


def _names(runs: Sequence[Run]) -> str:
    return ", ".join(str(run.path) for run in runs)


def _keep(out: str, runs: Sequence[Run], rows: Sequence[Measurement], result: ModelResult) -> None:
    run = begin_run(out, "model", {"runs": [str(one.path.resolve()) for one in runs], "cores": cores_of(runs)})
    write_measurements(run.path / RESULTS, rows)
    target = Path(run.path) / MODEL_FILE
    scratch = target.with_name(f".{target.name}.tmp")
    try:
        scratch.write_text(json.dumps(asdict(result), indent=1))
        scratch.replace(target)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}. Name another folder with --out.") from error
