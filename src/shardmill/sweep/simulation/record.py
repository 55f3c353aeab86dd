"""What a simulation leaves in its run folder, for the report: `predictions.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError
from shardmill.sweep.row import SweepRow
from shardmill.sweep.simulation.calibration import Calibration
from shardmill.sweep.simulation.validation import Checked, Validation

PREDICTIONS: Final = "predictions.json"


@dataclass(frozen=True, slots=True)
class Simulated:
    """Predicted rows, and what they rest on."""

    rows: tuple[SweepRow, ...]
    calibrated_on: str
    """Name of the run folder of the sweep that was measured."""
    runs: int
    """Of it, that were used."""
    parameters: Mapping[str, tuple[float, float, float]]
    """Value and 5 and 95 % of each of `parameters.Parameters`."""
    checked: tuple[Checked, ...]
    """Runs of that sweep, each predicted from runs unlike it; empty where none is unlike another."""

    @property
    def validation(self) -> Validation | None:
        return Validation(self.checked) if self.checked else None


def parameters_of(calibration: Calibration) -> dict[str, tuple[float, float, float]]:
    """Value and 5 and 95 % of each, by name."""
    value, low, high = (asdict(each) for each in (calibration.parameters, calibration.low, calibration.high))
    return {name: (value[name], low[name], high[name]) for name in value}


def save(folder: Path, simulated: Simulated) -> None:
    """Write it.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        (folder / PREDICTIONS).write_text(json.dumps(asdict(simulated)))
    except OSError as error:
        raise UsageError(
            f"cannot write {folder / PREDICTIONS}: {error.strerror}. Nothing is lost; try again."
        ) from error


def load(folder: Path) -> Simulated | None:
    """What `save` wrote; None for the folder of a sweep that was really run.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        values = json.loads((folder / PREDICTIONS).read_bytes())
        return Simulated(
            rows=tuple(SweepRow(**row) for row in values["rows"]),
            calibrated_on=values["calibrated_on"],
            runs=values["runs"],
            parameters={name: _triple(each) for name, each in values["parameters"].items()},
            checked=tuple(Checked(**each) for each in values["checked"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder / PREDICTIONS} cannot be read ({error}); simulate the sweep again.") from error


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    value, low, high = values
    return value, low, high
