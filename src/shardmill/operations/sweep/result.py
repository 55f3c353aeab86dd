"""What `sweep` returns, in plain values, and how it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from shardmill.shown import Shown
from shardmill.sweep.row import SweepRow
from shardmill.units import format_bytes, format_count, format_seconds, printable


@dataclass(frozen=True, slots=True)
class ShapeLine:
    """The runs of one shape with one number of partitions, the first run on each cluster apart where there are others."""

    shape: str
    partitions: int | None
    cores: int
    runs: int
    """That ended well and are counted here."""
    failed: int
    elapsed_s: tuple[float, float, float] | None
    """Shortest, median and longest; None where none ended well. All that follows is a median, too."""
    images_per_s: float | None
    cpu_share: float | None
    """Of the cores that run tasks, 0 to 1."""
    network_bytes_per_s: float | None
    """Received and sent, over all machines that run tasks."""
    disk_bytes_per_s: float | None
    """Read and written."""
    job_usd: float | None
    """Marginal: of the job alone."""
    full_usd: float | None
    """With making and deleting a cluster for this run alone."""
    images_per_usd: float | None
    """By the full cost."""
    predicted: bool = False
    """Nobody ran it: `runs` is 0, and `elapsed_s` has 5 %, the middle and 95 % of a simulation."""


@dataclass(frozen=True, slots=True)
class ClusterLine:
    """One cluster that was made."""

    name: str
    shape: str
    seconds: float
    """From being asked for to its deletion."""
    usd: float | None
    error: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One cluster of a dry run."""

    shape: str
    runs: int
    seconds: float
    """Reckoned, creation and deletion included."""
    usd_per_hour: float | None
    usd: float | None


@dataclass(frozen=True, slots=True)
class SweepResult(Shown):
    """What a sweep saw."""

    out: str
    workload: str
    results: str | None
    """The Parquet file with a row a run."""
    trace: str | None
    """The CSV file that `pick` and `bench-pick` replay."""
    dry_run: bool
    runs: int
    """That the sweep has in all."""
    made: int
    """By this call."""
    left: int
    """That are still to be made."""
    rows: tuple[SweepRow, ...]
    lines: tuple[ShapeLine, ...]
    clusters: tuple[ClusterLine, ...]
    plan: tuple[PlanLine, ...]
    """Of what was left when this call began, in its order."""
    spent_usd: float | None
    """By all clusters of the sweep; None where none has a price."""
    prices: str
    """Whose prices, and of which date."""
    notes: tuple[str, ...]
    seconds: float


def shape_lines(rows: Sequence[SweepRow]) -> list[ShapeLine]:
    """A line for each shape and number of partitions, in the order of names and numbers."""
    cells = sorted({(row.shape, row.partitions or 0) for row in rows})
    return [_line([row for row in rows if (row.shape, row.partitions or 0) == cell]) for cell in cells]


def _line(rows: Sequence[SweepRow]) -> ShapeLine:
    done = [row for row in rows if row.state == "done"]
    counted = [row for row in done if not row.first] or done
    times = sorted(row.elapsed_s for row in counted)
    predicted = all(row.predicted for row in rows)
    if predicted:
        times = sorted(
            bound
            for row in counted
            for bound in (row.predicted_low_s, row.elapsed_s, row.predicted_high_s)
            if bound is not None
        )

    def middle(value: Callable[[SweepRow], float | None]) -> float | None:
        values = [number for row in counted if (number := value(row)) is not None]
        return median(values) if values else None

    return ShapeLine(
        shape=rows[0].shape,
        partitions=rows[0].partitions,
        cores=rows[0].cores,
        runs=0 if predicted else len(counted),
        failed=sum(row.state != "done" for row in rows),
        elapsed_s=(times[0], median(times), times[-1]) if times else None,
        images_per_s=middle(lambda row: row.images_per_s),
        cpu_share=middle(lambda row: None if row.usage is None else row.usage.cpu_share),
        network_bytes_per_s=middle(lambda row: _rate(row, "network_in_bytes", "network_out_bytes")),
        disk_bytes_per_s=middle(lambda row: _rate(row, "disk_read_bytes", "disk_write_bytes")),
        job_usd=middle(lambda row: row.job_usd),
        full_usd=middle(lambda row: row.full_usd),
        images_per_usd=middle(lambda row: row.images_per_usd),
        predicted=predicted,
    )


def _rate(row: SweepRow, *names: str) -> float | None:
    if row.usage is None or not row.usage.covered_s:
        return None
    amounts = [getattr(row.usage, name) for name in names]
    return None if None in amounts else float(sum(amounts)) / row.usage.covered_s


def lines(result: SweepResult) -> list[str]:
    """The result for a terminal: a bill."""
    if result.dry_run:
        return list(_plan(result))
    text = list(_table(result.lines)) if result.lines else ["no run was made"]
    text += ["", *_clusters(result)]
    text += [f"note: {printable(note)}" for note in result.notes]
    if result.left:
        text.append(f"{format_count(result.left, 'run')} of {result.runs:,} left; the same command makes them")
    if result.results is not None:
        text.append(f"rows        {printable(result.results)}")
    if result.trace is not None:
        text.append(f"trace       {printable(result.trace)}: shardmill pick --trace replays it")
    text.append(f"run folder  {printable(result.out)}: shardmill report makes a page of it")
    return text


def _table(shapes: Sequence[ShapeLine]) -> Iterator[str]:
    width = max(len(printable(line.shape)) for line in shapes)
    priced = any(line.full_usd is not None for line in shapes)
    head = f"{'shape':<{width}} {'cores':>5} {'partitions':>10} {'runs':>4}  {'time':>12} {'range':>17} {'images/s':>8} {'CPU':>5} {'network/s':>9} {'disk/s':>9}"
    yield head + (f" {'job USD':>9} {'full USD':>9} {'images/USD':>10}" if priced else "")
    costs = [line.full_usd for line in shapes if line.full_usd is not None]
    for line in shapes:
        partitions = "" if line.partitions is None else str(line.partitions)
        start = f"{printable(line.shape):<{width}} {line.cores:>5} {partitions:>10} {line.runs:>4}  "
        if line.elapsed_s is None:
            yield f"{start}{format_count(line.failed, 'run')} failed"
            continue
        low, middle, high = line.elapsed_s
        spread = "" if line.runs < 2 and not line.predicted else f"{low:.1f} to {high:.1f} s"
        text = f"{start}{format_seconds(middle):>12} {spread:>17} {_number(line.images_per_s, ',.0f'):>8}"
        text += f" {_number(line.cpu_share, '.0%'):>5} {_bytes(line.network_bytes_per_s):>9} {_bytes(line.disk_bytes_per_s):>9}"
        if priced:
            text += f" {_number(line.job_usd, '.4f'):>9} {_number(line.full_usd, '.4f'):>9} {_number(line.images_per_usd, ',.0f'):>10}"
            text += "  <- cheapest" if line.full_usd is not None and line.full_usd == min(costs) else ""
        text += "  predicted" if line.predicted else ""
        yield text + (f"  ({line.failed} failed)" if line.failed else "")


def _clusters(result: SweepResult) -> Iterator[str]:
    for line in result.clusters:
        cost = "" if line.usd is None else f"  {line.usd:.4f} USD"
        error = f"  {printable(line.error)}" if line.error else ""
        yield f"cluster     {printable(line.shape)}: {format_seconds(line.seconds)}{cost}{error}"
    if result.spent_usd is not None:
        yield f"spent       {result.spent_usd:.4f} USD, clusters from being asked for to their deletion; {result.prices}"
    yield "            full: a cluster made and deleted for one run; job: the job's time alone"


def _plan(result: SweepResult) -> Iterator[str]:
    width = max([len(printable(line.shape)) for line in result.plan] or [0])
    for number, line in enumerate(result.plan, start=1):
        cost = (
            "no price"
            if line.usd is None or line.usd_per_hour is None
            else f"{line.usd:.4f} USD at {line.usd_per_hour:.4f} an hour"
        )
        yield f"{number:>3}  {printable(line.shape):<{width}}  {format_count(line.runs, 'run'):>8}  about {format_seconds(line.seconds)}, {cost}"
    seconds, costs = (
        sum(line.seconds for line in result.plan),
        [line.usd for line in result.plan if line.usd is not None],
    )
    total = f", {sum(costs):.4f} USD; {result.prices}" if costs else ""
    runs = sum(line.runs for line in result.plan)
    yield f"{format_count(len(result.plan), 'cluster')}, {format_count(runs, 'run')}: about {format_seconds(seconds)}{total}"
    yield from (f"note: {printable(note)}" for note in result.notes)
    yield "nothing was made; leave out --dry-run to begin"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _bytes(value: float | None) -> str:
    return "-" if value is None else format_bytes(value)
