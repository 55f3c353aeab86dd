"""One sweep, opened: its rows and all that is computed from them, once for the whole section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.prices import PriceTable
from shardmill.errors import UsageError
from shardmill.report.plot.marks import HUES
from shardmill.runs import Run
from shardmill.sweep.cells import CellRuns, by_shape, cells_of, counted_partitions
from shardmill.sweep.evidence import Cell, ClusterSeen, Evidence, RunSeen
from shardmill.sweep.limits import Limits, known_caps, limits_of, typical
from shardmill.sweep.partitions import Suggestion, suggestions
from shardmill.sweep.pricing import pricing, saved_prices
from shardmill.sweep.row import SweepRow, rows_of
from shardmill.sweep.simulation.record import Simulated
from shardmill.sweep.spread import Spread, spread_of


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that the section tells of."""

    workload: str
    runs: tuple[RunSeen, ...]
    clusters: tuple[ClusterSeen, ...]
    rows: tuple[SweepRow, ...]
    cells: tuple[CellRuns, ...]
    limits: dict[Cell, Limits]
    suggestions: dict[str, Suggestion]
    spread: Spread | None
    prices: str
    """What money is reckoned by, in words; empty where no run has a price."""

    @property
    def shapes(self) -> list[str]:
        """That have a run which ended well, in their order."""
        return list(by_shape(self.cells))

    @property
    def several_partitions(self) -> bool:
        return len({cell.cell.partitions for cell in self.cells}) > 1

    @property
    def predicted(self) -> bool:
        """It was simulated, not run: all of it, for a run folder holds the one or the other."""
        return any(row.predicted for row in self.rows)

    def hue(self, shape: str) -> int:
        return self.shapes.index(shape) % HUES

    def chosen(self, shape: str) -> CellRuns:
        """What stands for the shape: its runs with the suggested number of partitions."""
        best = self.suggestions[shape].best.partitions
        return next(cell for cell in self.cells if cell.cell == Cell(shape, best))

    def name(self, cell: Cell) -> str:
        """The shape, with its number of partitions where that varies, and with a mark where it was not run."""
        return self.plain_name(cell) + self._mark

    def plain_name(self, cell: Cell) -> str:
        """The same without the mark."""
        return f"{cell.shape}, {counted_partitions(cell.partitions)}" if self.several_partitions else cell.shape

    def shape_name(self, shape: str) -> str:
        """The shape alone, with the mark."""
        return shape + self._mark

    @property
    def _mark(self) -> str:
        return " (predicted)" if self.predicted else ""

    def run_of(self, row: SweepRow) -> RunSeen:
        return next(run for run in self.runs if run.name == row.run)

    def spec(self, shape: str) -> ClusterSpec:
        return next(seen.spec for seen in self.clusters if seen.spec.name == shape)

    def typical_row(self, shape: str) -> SweepRow:
        """The run in the middle of those that stand for the shape."""
        ranked = sorted(self.chosen(shape).rows, key=lambda row: row.elapsed_s)
        return ranked[(len(ranked) - 1) // 2]


def read_study(run: Run) -> Study:
    """What the sweep in `run` saw and what it means.

    Raises:
        UsageError: no run of it ended well, or a file of its evidence cannot be read.
    """
    evidence = Evidence(run.path)
    runs, clusters = evidence.runs(), evidence.clusters()
    table = saved_prices(run.path)
    rows = rows_of(runs, clusters, pricing(table))
    cells = cells_of(rows)
    if not cells:
        what = "none of its runs ended well" if runs else "it has made no run yet"
        raise UsageError(f"the sweep in {run.path} has nothing to report: {what}; repeat its command.")
    by_name = {seen.name: seen for seen in runs}
    specs = {seen.name: seen.spec for seen in clusters}
    limits = {
        cell.cell: typical([limits_of(row, by_name[row.run], known_caps(specs[row.cluster])) for row in cell.rows])
        for cell in cells
    }
    return Study(
        workload=_workload(run),
        runs=tuple(runs),
        clusters=tuple(clusters),
        rows=tuple(rows),
        cells=tuple(cells),
        limits=limits,
        suggestions={one.shape: one for one in suggestions(cells)},
        spread=spread_of(cells, runs),
        prices=_prices(rows, [seen.spec for seen in clusters], table),
    )


def read_predictions(run: Run, simulated: Simulated) -> Study:
    """The same of a sweep that was simulated: rows without runs."""
    cells = cells_of(simulated.rows)
    table = saved_prices(run.path)
    declared = any(row.usd_per_hour for row in simulated.rows)
    return Study(
        workload=_workload(run),
        runs=(),
        clusters=(),
        rows=simulated.rows,
        cells=tuple(cells),
        limits={},
        suggestions={one.shape: one for one in suggestions(cells)},
        spread=None,
        prices=f"the {table.title}, or as declared with the shape" if declared else "",
    )


def middle(cell: CellRuns, value: Callable[[SweepRow], float | None]) -> float | None:
    """The median over the runs of `cell` that have the value."""
    known = known_values(cell.rows, value)
    return median(known) if known else None


def known_values(rows: Sequence[SweepRow], value: Callable[[SweepRow], float | None]) -> list[float]:
    """What `value` tells of the rows that have it."""
    return [found for row in rows if (found := value(row)) is not None]


def _prices(rows: Sequence[SweepRow], specs: Sequence[ClusterSpec], table: PriceTable) -> str:
    if not any(row.usd_per_hour for row in rows):
        return ""
    declared = {spec.name for spec in specs if spec.usd_per_hour}
    listed = {row.shape for row in rows if row.usd_per_hour} - declared
    words = [f"the {table.title}"] if listed else []
    if declared:
        words.append(f"the price declared with {', '.join(sorted(declared)) if listed else 'each shape'}")
    return "; ".join(words)


def _workload(run: Run) -> str:
    asked = run.request
    if asked.get("workload"):
        return str(asked["workload"])
    words = [str(word) for word in asked.get("job") or ()]
    return " ".join(words[:2]) or run.path.name
