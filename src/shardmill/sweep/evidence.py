"""What a sweep saw, kept raw in its run folder: a file for each cluster and for each run, written whole or not at all.

`raw/runs/NAME.json` is the commit record of a run: while it is not there, the run is to be made. Everything else that a
sweep writes is computed from these files, and can be computed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.base import ClusterSpec, JobOutcome, Role, UsageSample
from shardmill.clusters.event_log import EventLog, Executor, Task
from shardmill.clusters.plain import spec_of
from shardmill.errors import UsageError

_RAW: Final = "raw"


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """One cluster that was made. Times are seconds since the epoch."""

    name: str
    spec: ClusterSpec
    asked_at: float
    """What is paid for begins here."""
    ready_at: float | None = None
    """None: it never was."""
    deleted_at: float | None = None
    """None: it is being used, or nobody saw its end."""
    error: str = ""
    """Why it was not made, or was lost."""
    nodes: Mapping[str, Role] = field(default_factory=dict)
    """As `Cluster.nodes`."""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One combination of what is varied."""

    shape: str
    """`ClusterSpec.name`."""
    partitions: int | None
    """None: what the job itself chooses."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One run of the job."""

    name: str
    """Id of its job."""
    cell: Cell
    repetition: int
    """From 0."""
    position: int
    """Place in the random order of the sweep, from 0."""
    first: bool
    """The first run on its cluster, which also pays for what is cold there."""
    cluster: str
    """`ClusterSeen.name`."""
    words: tuple[str, ...]
    """The command."""
    outcome: JobOutcome
    usage: tuple[UsageSample, ...]
    log: EventLog | None
    """None where there is none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The raw files of a sweep."""

    folder: Path
    """The run folder."""

    def save_cluster(self, seen: ClusterSeen) -> None:
        """Put it in the place of what was known of that cluster."""
        _write(self.folder / _RAW / "clusters" / f"{seen.name}.json", asdict(seen))

    def save_run(self, seen: RunSeen) -> None:
        """Commit it."""
        _write(self.folder / _RAW / "runs" / f"{seen.name}.json", asdict(seen))

    def clusters(self) -> list[ClusterSeen]:
        """In the order in which they were asked for."""
        found = [_cluster(values) for values in _read_all(self.folder / _RAW / "clusters")]
        return sorted(found, key=lambda seen: seen.asked_at)

    def runs(self) -> list[RunSeen]:
        """In the order in which they were made."""
        found = [_run(values) for values in _read_all(self.folder / _RAW / "runs")]
        return sorted(found, key=lambda seen: (seen.outcome.started_at, seen.position))


def _write(path: Path, values: Mapping[str, Any]) -> None:
    scratch = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(values))
        os.replace(scratch, path)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}. What was measured so far is kept.") from error


def _read_all(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read ({error}); delete it to make that run again.") from error
    return found


def _cluster(values: dict[str, Any]) -> ClusterSeen:
    return ClusterSeen(**values | {"spec": spec_of(values["spec"])})


def _run(values: dict[str, Any]) -> RunSeen:
    log = values["log"]
    return RunSeen(
        **values
        | {
            "cell": Cell(**values["cell"]),
            "words": tuple(values["words"]),
            "outcome": JobOutcome(**values["outcome"]),
            "usage": tuple(UsageSample(**sample) for sample in values["usage"]),
            "log": None
            if log is None
            else EventLog(
                tuple(Executor(**each) for each in log["executors"]), tuple(Task(**each) for each in log["tasks"])
            ),
        }
    )
