"""`shardmill sweep`: one job over cluster shapes and numbers of partitions."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

from shardmill.arguments import checked
from shardmill.clusters.base import check, unheard
from shardmill.clusters.open import open_provider
from shardmill.clusters.prices import PriceTable, price_table
from shardmill.errors import UsageError
from shardmill.operations.sweep.make import Maker, OpenProvider
from shardmill.operations.sweep.result import ClusterLine, PlanLine, SweepResult, shape_lines
from shardmill.operations.sweep.simulate import Wish, simulated
from shardmill.runs import begin_run
from shardmill.storage.local import LocalStore
from shardmill.sweep.budget import Budget, Reckoning
from shardmill.sweep.evidence import Evidence
from shardmill.sweep.plan import PlannedCluster, plan_sweep, what_is_left
from shardmill.sweep.pricing import PRICES, pricing
from shardmill.sweep.request import SweepRequest, read_request
from shardmill.sweep.row import Price, SweepRow, rows_of
from shardmill.sweep.simulation.record import save
from shardmill.sweep.table import write_results, write_sweep_trace
from shardmill.units import format_count, format_seconds, in_range


@checked
def sweep(
    spec: str,
    *,
    max_cost: float | None = None,
    max_hours: float | None = None,
    dry_run: bool = False,
    simulate: str | None = None,
    images: int | None = None,
    image_size: str | None = None,
    core_speed: str | None = None,
    prices: str | None = None,
    seed: int = 0,
    out: str | None = None,
    check_words: Callable[[Sequence[str]], None] | None = None,
    say: Callable[[str], None] | None = None,
    on_output: Callable[[str], None] | None = None,
) -> SweepResult:
    """Run one job over cluster shapes and numbers of partitions, and put time, use of the machines and cost side by side.

    Shapes come in random order. Each cluster is made once, its runs come in random order within it, and it is deleted
    whatever happens. The same command goes on where it was stopped.

    Args:
        spec: YAML file with the job, the shapes, the numbers of partitions and of repetitions.
        max_cost: USD that all clusters together may cost; a run that would pass it is not begun, or is stopped.
        max_hours: Hours that all clusters together may take.
        dry_run: Print the plan with its reckoned time and cost, and make nothing.
        simulate: Folder of an earlier sweep of the same job: predict each shape of SPEC from its runs, and make nothing.
        images: With simulate: how many the job reads; by default as many as in those runs.
        image_size: With simulate: bytes of a source image, like 110KB; by default as the machines' counters told.
        core_speed: With simulate: how fast a core is, relative to those of the runs, by machine family or type, like
            c3=1.4,n2=1.1; 1 for others.
        prices: JSON file of prices to lay over the table that comes with shardmill.
        seed: Another seed gives another order.
        out: Folder of the run; by default runs/sweep-<name of the file>, with -simulated behind it for a simulation.
        check_words: Called with the words of each command before anything is made; raises UsageError where one is wrong.
        say: Called with a line about each step.
        on_output: Called with what the jobs print, in pieces.

    Returns:
        A row for each run, what each shape took and cost, and where the files are.

    Raises:
        UsageError: the file, a shape or the job is wrong, or the folder holds another run.
        MissingExtraError: a provider's packages are not installed.
        ClusterError: a cluster may still be there; the message says how to delete it.
        ResumableError: a store does not answer; what was measured is kept.
    """
    started = time.perf_counter()
    request = read_request(spec)
    budget = _budget(max_cost, max_hours)
    table = price_table(prices)
    price = pricing(table)
    check_job(request, check_words)
    if simulate is not None:
        count = None if images is None else in_range("--images", images, 1)
        wish = Wish(Path(simulate).expanduser(), count, image_size, core_speed)
        where = Path(out or f"runs/sweep-{Path(spec).stem}-simulated").expanduser()
        return _simulated(request, wish, where, price, table, started)
    for flag, value in (("--images", images), ("--image-size", image_size), ("--core-speed", core_speed)):
        if value is not None:
            raise UsageError(f"{flag} is for --simulate; a sweep that is run measures it.")
    planned = plan_sweep(request, seed)
    folder = Path(out or f"runs/sweep-{Path(spec).stem}").expanduser()
    if dry_run:
        return _reckoned(request, what_is_left(planned, Evidence(folder).runs()), folder, price, budget, table, started)
    providers = cache(open_provider)
    check_shapes(request, providers)
    run = begin_run(folder, "sweep", {**plain(request), "seed": seed})
    with LocalStore(str(run.path)).lock():
        evidence = Evidence(run.path)
        left = what_is_left(planned, evidence.runs())
        maker = Maker(request, evidence, price, budget, providers, say or unheard, on_output or unheard)
        before = len(evidence.runs())
        try:
            maker.make(left)
        finally:
            maker.collect_usage()
            rows = rows_of(evidence.runs(), evidence.clusters(), price)
            results = write_results(run.path, rows) if rows else None
            trace = write_sweep_trace(run.path, request.workload, rows, request.shapes)
        (run.path / PRICES).write_text(json.dumps(asdict(table)))
    return SweepResult(
        out=str(run.path),
        workload=request.workload,
        results=None if results is None else str(results),
        trace=None if trace is None else str(trace),
        dry_run=False,
        runs=sum(len(cluster.runs) for cluster in planned),
        made=len(rows) - before,
        left=sum(len(cluster.runs) for cluster in what_is_left(planned, evidence.runs())),
        rows=tuple(rows),
        lines=tuple(shape_lines(rows)),
        clusters=tuple(_bills(evidence, price)),
        plan=tuple(_plan_lines(request, left, price, evidence)),
        spent_usd=_total([line.usd for line in _bills(evidence, price)]),
        prices=_whose(request, table),
        notes=(*maker.notes, *_notes(rows)),
        seconds=time.perf_counter() - started,
    )


def _simulated(
    request: SweepRequest, wish: Wish, folder: Path, price: Price, table: PriceTable, started: float
) -> SweepResult:
    found = simulated(request, wish, price)
    run = begin_run(folder, "sweep", {**plain(request), **asdict(wish), "measured": str(wish.measured)})
    results = write_results(run.path, found.rows)
    trace = write_sweep_trace(run.path, f"{request.workload} (predicted)", found.rows, request.shapes)
    save(run.path, found)
    (run.path / PRICES).write_text(json.dumps(asdict(table)))
    told = f"every time and cost is predicted, not measured: by simulation, calibrated on {format_count(found.runs, 'run')} of {found.calibrated_on}"
    notes = [told, *dict.fromkeys(line for row in found.rows for line in row.notes.splitlines())]
    if found.validation is not None:
        notes.insert(
            1,
            f"runs of {found.calibrated_on}, each predicted from runs unlike it, were missed by {found.validation.median_error:.0%} "
            f"in the median (images / (cores x rate): {found.validation.naive_median_error:.0%})",
        )
    return SweepResult(
        out=str(run.path),
        workload=request.workload,
        results=str(results),
        trace=None if trace is None else str(trace),
        dry_run=False,
        runs=len(found.rows),
        made=0,
        left=0,
        rows=found.rows,
        lines=tuple(shape_lines(found.rows)),
        clusters=(),
        plan=(),
        spent_usd=None,
        prices=_whose(request, table),
        notes=(*notes, *_notes(found.rows)),
        seconds=time.perf_counter() - started,
    )


def _budget(max_cost: float | None, max_hours: float | None) -> Budget:
    for flag, value in (("--max-cost", max_cost), ("--max-hours", max_hours)):
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{flag} is {value}; it takes a number above 0")
    return Budget(max_cost, None if max_hours is None else max_hours * 3600)


def plain(request: SweepRequest) -> dict[str, object]:
    """What must be the same for two runs to be one."""
    return asdict(request)


def check_job(request: SweepRequest, check_words: Callable[[Sequence[str]], None] | None) -> None:
    """Show every command to `check_words`."""
    if check_words is not None:
        for cell in request.cells():
            check_words(request.words(cell, "run"))


def check_shapes(request: SweepRequest, providers: OpenProvider) -> None:
    """See that every shape can be made, before anything is paid for.

    Raises:
        UsageError: one cannot.
    """
    for shape in request.shapes:
        check(providers(shape.provider), shape)


def _reckoned(
    request: SweepRequest,
    left: Sequence[PlannedCluster],
    folder: Path,
    price: Price,
    budget: Budget,
    table: PriceTable,
    started: float,
) -> SweepResult:
    evidence = Evidence(folder)
    plan = _plan_lines(request, left, price, evidence)
    usd, seconds = _total([line.usd for line in plan]), sum(line.seconds for line in plan)
    notes = []
    if not evidence.runs():
        notes.append(
            f"a run is taken to last {format_seconds(request.expect_s)}, for none was measured; `expect: 90s` in the file says otherwise"
        )
    if budget.max_usd is not None and (usd or 0.0) > budget.max_usd:
        notes.append(f"that is more than --max-cost {budget.max_usd:g}: the sweep would end before its last runs")
    if budget.max_s is not None and seconds > budget.max_s:
        notes.append(f"that is more than --max-hours {budget.max_s / 3600:g}: the sweep would end before its last runs")
    return SweepResult(
        out=str(folder),
        workload=request.workload,
        results=None,
        trace=None,
        dry_run=True,
        runs=len(request.cells()) * request.repetitions,
        made=0,
        left=sum(line.runs for line in plan),
        rows=(),
        lines=(),
        clusters=(),
        plan=tuple(plan),
        spent_usd=None,
        prices=_whose(request, table),
        notes=tuple(notes),
        seconds=time.perf_counter() - started,
    )


def _plan_lines(
    request: SweepRequest, left: Sequence[PlannedCluster], price: Price, evidence: Evidence
) -> list[PlanLine]:
    reckoning = Reckoning(Budget(), price, request.expect_s, evidence.clusters(), evidence.runs(), time.time)
    lines = []
    for cluster in left:
        spec = cluster.spec
        seconds = reckoning.creation_s(spec) + reckoning.deletion_s(spec)
        seconds += sum(reckoning.run_s(run.cell) for run in cluster.runs)
        lines.append(PlanLine(spec.name, len(cluster.runs), seconds, price(spec, 3600.0), price(spec, seconds)))
    return lines


def _bills(evidence: Evidence, price: Price) -> list[ClusterLine]:
    return [
        ClusterLine(
            seen.name,
            seen.spec.name,
            seconds := (time.time() if seen.deleted_at is None else seen.deleted_at) - seen.asked_at,
            price(seen.spec, seconds),
            seen.error,
        )
        for seen in evidence.clusters()
    ]


def _total(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return math.fsum(known) if known else None


def _whose(request: SweepRequest, table: PriceTable) -> str:
    declared = sum(bool(spec.usd_per_hour) for spec in request.shapes)
    if declared == len(request.shapes):
        return "prices as declared with the shapes"
    return table.title + (", and as declared with some shapes" if declared else "")


def _notes(rows: Sequence[SweepRow]) -> list[str]:
    unpriced = sorted({row.shape for row in rows if row.usd_per_hour is None})
    if not unpriced:
        return []
    return [
        f"{', '.join(unpriced)} has no price; `usd_per_hour: 0.10` in its shape would give one, and a trace for pick"
    ]
