"""What a speed test came to, and how it is told."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.shown import Shown
from shardmill.speedtest.record import Cell
from shardmill.speedtest.summary import CellSummary, quartiles, speed_up
from shardmill.units import format_count, format_seconds, printable

_CELL_WIDTH: Final = 14
_LEGEND: Final = "median of {} ± half the width of their middle half"


@dataclass(frozen=True, slots=True)
class SpeedtestResult(Shown):
    """What was measured; the rows themselves are in `results`."""

    out: str
    """The run folder."""
    results: str
    """The Parquet file of rows."""
    engine: str
    passes: int
    """That the run holds now, warm-ups not counted: as many as were asked for."""
    made: int
    """Of those, made by this call; an earlier one had made the others."""
    warm_ups: int
    seconds: float
    cells: tuple[CellSummary, ...]
    warnings: tuple[str, ...]
    """What whoever uses the numbers must know."""
    pickle: str | None
    """The file of averages."""


def lines(result: SpeedtestResult) -> list[str]:
    """The result for a terminal: a table for each way of reading, a row a batch size, a column a number of batches. One
    table in all, a row a way of reading, where there is one batch size and one number of batches."""
    grouped = itertools.groupby(sorted(result.cells, key=_block_key), _block_key)
    blocks = [list(block) for _, block in grouped]
    if any(len(block) > 1 for block in blocks):
        text = [line for block in blocks for line in (*_block(block), "")]
    else:
        text = [*_flat([block[0] for block in blocks]), ""]
    text += [*_speed_ups(result.cells), *(f"note: {warning}" for warning in result.warnings)]
    kept = result.passes - result.made
    text.append(
        f"{printable(result.results)}: {format_count(result.passes, 'pass')} on {result.engine}, "
        + (f"{kept:,} of them kept from before, " if kept else "")
        + format_seconds(result.seconds)
    )
    if result.pickle is not None:
        text.append(f"{printable(result.pickle)}: averages, for notebooks")
    return text


def _block_key(summary: CellSummary) -> tuple[object, ...]:
    cell = summary.cell
    return (cell.dataset, cell.reader, not cell.decode, cell.cache, cell.parallel_reads, cell.concurrency)


def _block(block: Sequence[CellSummary]) -> Iterator[str]:
    first = block[0]
    columns = sorted({summary.cell.num_batches for summary in block})
    cells = {(summary.cell.batch_size, summary.cell.num_batches): summary for summary in block}
    fewest, most = min(summary.passes for summary in block), max(summary.passes for summary in block)
    passes = format_count(most, "pass") if fewest == most else f"{fewest} to {most} passes"
    yield f"{printable(first.cell.dataset)}: {_way_of(first.cell)}"
    yield f"  images/s: {_LEGEND.format(passes)}"
    yield "  batch size" + "".join(f"{_batches(count):>{_CELL_WIDTH}}" for count in columns)
    for size in sorted({summary.cell.batch_size for summary in block}):
        row = (_cell(cells.get((size, count))) for count in columns)
        yield f"  {size:>10}" + "".join(f"{cell:>{_CELL_WIDTH}}" for cell in row)
    waits = sorted(_milliseconds(summary) for summary in block)
    yield f"  first batch after {waits[0]:.3g} to {waits[-1]:.3g} ms"


def _flat(summaries: Sequence[CellSummary]) -> Iterator[str]:
    first = summaries[0]
    names = [printable(summary.cell.dataset) for summary in summaries]
    ways = [_way_of(summary.cell) for summary in summaries]
    name_width, way_width = max(map(len, names)), max(map(len, ways))
    yield f"{_batches(first.cell.num_batches)} of {format_count(first.cell.batch_size, 'image')}; {_LEGEND.format(format_count(first.passes, 'pass'))}"
    yield f"  {'':{name_width + way_width + 2}}{'images/s':>{_CELL_WIDTH}}{'MB/s':>9}{'first batch':>14}"
    for summary, name, way in zip(summaries, names, ways, strict=True):
        wait = f"{_milliseconds(summary):.3g} ms"
        line = f"  {name:{name_width}}  {way:{way_width}}{_cell(summary):>{_CELL_WIDTH}}"
        yield f"{line}{summary.mb_per_s:>9,.1f}{wait:>14}"


def _milliseconds(summary: CellSummary) -> float:
    return summary.first_batch_s * 1000


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count:,} batches"


def _cell(summary: CellSummary | None) -> str:
    if summary is None:
        return ""
    spread = (summary.high - summary.low) / 2 / summary.images_per_s if summary.images_per_s else 0.0
    return f"{summary.images_per_s:,.0f} ±{spread:.0%}{'!' if summary.not_as_asked else ' '}"


def _way_of(cell: Cell) -> str:
    """Everything but batch size and number of batches."""
    together = f", {cell.concurrency} at the same time" if cell.concurrency > 1 else ""
    what = "decoded" if cell.decode else "not decoded"
    if cell.decode and cell.source == "files":
        what = "decoded and resized"
    reads = format_count(cell.parallel_reads, "parallel read")
    return f"{cell.format} by {cell.reader}, {what}, {reads}, {cell.cache} cache{together}"


def _speed_ups(cells: Iterable[CellSummary]) -> Iterator[str]:
    """Shards against files, for each reader and state of decoding."""
    known = list(cells)
    groups = sorted({(summary.cell.reader, summary.cell.decode) for summary in known})
    files = sorted({summary.cell.dataset for summary in known if summary.cell.source == "files"})
    shards = sorted({summary.cell.dataset for summary in known if summary.cell.source == "shards"})
    for (reader, decode), ours, theirs in itertools.product(groups, shards, files):
        of_group = [s for s in known if (s.cell.reader, s.cell.decode) == (reader, decode)]
        ratios = speed_up(
            (s for s in of_group if s.cell.dataset == ours), (s for s in of_group if s.cell.dataset == theirs)
        )
        if ratios:
            low, median, high = quartiles(ratios)
            how = "decoded" if decode else "not decoded"
            spread = f", {low:.3g} to {high:.3g} in the middle half of {len(ratios)} cells" if len(ratios) > 1 else ""
            yield f"{printable(ours)} is {median:.3g} times as fast as {printable(theirs)} by {reader}, {how}{spread}"
