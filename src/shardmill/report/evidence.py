"""What a set of runs measured: by which it is told why something cannot be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shardmill.model.observations import counted
from shardmill.report.throughput.study import ReadSet, read_sets
from shardmill.runs import Run
from shardmill.speedtest.record import Measurement, read_measurements

MachineKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The levels of everything that can be chosen, over all speed tests, and which other runs there are."""

    rows: tuple[Measurement, ...]
    """Of speed tests, those that count; of these the decoded ones, where there are any."""
    sets: Mapping[str, ReadSet]
    """What speed tests read, by name."""
    prepared: tuple[str, ...]
    """Data sets named beside the runs."""
    kinds: frozenset[str]
    """Of runs."""

    @property
    def shard_rows(self) -> tuple[Measurement, ...]:
        return tuple(row for row in self.rows if row.source == "shards")

    def levels(self, factor: str) -> list[Any]:
        """Of `factor`, a field of a row, in order."""
        return sorted({getattr(row, factor) for row in self.rows})

    @property
    def formats(self) -> list[str]:
        """Of shards."""
        return sorted({row.format for row in self.shard_rows})

    @property
    def data(self) -> str:
        """The data set to name in a command."""
        return next((root for root in [*self.roots(), *self.prepared] if root), _ANY_SET)

    def roots(self, of: str | None = None) -> list[str]:
        """Where the data sets lie that were read, in the order in which they were named; only those of one format."""
        read = {row.dataset for row in self.shard_rows if of in (None, row.format)}
        return [known.root for name, known in self.sets.items() if name in read and known.root]


_ANY_SET: Final = "SHARDS"


def evidence(runs: Sequence[Run], prepared: Iterable[str] = ()) -> Evidence:
    """Of `runs`, and of the data sets at `prepared`."""
    timed = [run for run in runs if run.kind in ("speedtest", "model")]
    rows = dict.fromkeys(row for run in timed for row in read_measurements(run.path) if counted(row))
    return Evidence(
        rows=tuple(row for row in rows if row.decode) or tuple(rows),
        sets=read_sets(timed),
        prepared=tuple(prepared),
        kinds=frozenset(run.kind for run in runs),
    )


def rows_are_among(run: Run, others: Sequence[Run]) -> bool:
    """All rows of `run` are in those of `others`."""
    known = {row for other in others for row in read_measurements(other.path)}
    return all(row in known for row in read_measurements(run.path))


def machine_key(run: Run) -> MachineKey:
    """Equal for runs of one machine."""
    return tuple(run.machine.get(name) for name in ("host", "cpu", "cores"))
