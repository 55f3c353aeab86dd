"""Times that nobody measured, beside those that somebody did: for the section of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from shardmill.report.html import Element, Node, element
from shardmill.report.plot.marks import legend
from shardmill.report.plot.scale import Axis
from shardmill.report.plot.xy import Mark, Series, xy_figure
from shardmill.report.quantity import between, quantity
from shardmill.report.section import figure, note, table
from shardmill.sweep.row import SweepRow

_Cell = tuple[str, int | None, int | None]
_PREDICTED: Final = "predicted: nobody ran this"


def predicted_figure(rows: Sequence[SweepRow]) -> Element:
    """Predicted rows against measured ones of the same shape, partitions and images; all predictions in a table.

    Args:
        rows: Of one sweep, predicted and measured; at least one must be predicted.
    """
    made = [row for row in rows if row.predicted]
    measured: dict[_Cell, list[float]] = {}
    for row in rows:
        if not row.predicted and row.state == "done":
            measured.setdefault(_cell(row), []).append(row.elapsed_s)
    pairs = [(row, median(measured[_cell(row)])) for row in made if _cell(row) in measured]
    behind = _table(made, measured)
    notes = [note(sentence) for sentence in _notes(made)]
    if not pairs:
        return element("div", behind, *notes)
    errors = [abs(row.elapsed_s / seconds - 1) for row, seconds in pairs]
    shapes = list(dict.fromkeys(row.shape for row, _ in pairs))
    most = max(max(row.elapsed_s, seconds) for row, seconds in pairs)
    series = [
        Series("as measured", len(shapes), line=((0.0, 0.0), (most, most)), dashed=True),
        *(_series(shape, hue, [pair for pair in pairs if pair[0].shape == shape]) for hue, shape in enumerate(shapes)),
    ]
    description = f"Predicted over measured seconds of {len(pairs)} kinds of run; half miss by {quantity(100 * median(errors), '%')} or less."
    plot = xy_figure(
        series,
        Axis("measured, s", from_zero=True),
        Axis("predicted, s", from_zero=True),
        description=description,
        dodge=0.0,
    )
    caption = (
        f"Predicted against measured: half of {len(pairs)} predictions miss by {quantity(100 * median(errors), '%')} or less, and the "
        f"worst by {quantity(100 * max(errors), '%')}. On the dashed line both are the same. These shapes took part in the calibration "
        "where they were measured before it; those that did not may miss by more."
    )
    names = legend([(shape, hue) for hue, shape in enumerate(shapes)], ("a mark: the median of the runs of one kind",))
    return element("div", figure(plot, caption, legend=names), behind, *notes)


def _notes(made: Sequence[SweepRow]) -> list[str]:
    """What to bear in mind of all predictions together, then of single shapes."""
    by_shape: dict[str, list[str]] = {}
    for row in made:
        own = by_shape.setdefault(row.shape, [])
        own += [each for each in row.notes.splitlines() if each and each not in own]
    common = [each for each in next(iter(by_shape.values())) if all(each in own for own in by_shape.values())]
    single = [
        f"{shape}: {' '.join(each for each in own if each not in common)}"
        for shape, own in by_shape.items()
        if set(own) - set(common)
    ]
    return [each for each in (" ".join(common), *single) if each]


def _series(shape: str, hue: int, pairs: Sequence[tuple[SweepRow, float]]) -> Series:
    return Series(
        shape,
        hue,
        medians=tuple(
            Mark(
                seconds,
                row.elapsed_s,
                f"{_words(row)}: {quantity(row.elapsed_s, 's')} predicted, {quantity(seconds, 's')} measured",
            )
            for row, seconds in pairs
        ),
    )


def _table(made: Sequence[SweepRow], measured: dict[_Cell, list[float]]) -> Element:
    columns = (
        "Shape",
        "Partitions",
        "Predicted",
        "5 to 95 %",
        "Measured",
        "Cost",
        "Images per dollar",
        "Most of it goes into",
    )
    body = [[*_row(row), *_money(row), row.limited_by] for row in made]
    for cells, row in zip(body, made, strict=True):
        seconds = measured.get(_cell(row))
        cells.insert(4, _PREDICTED if seconds is None else quantity(median(seconds), "s"))
    return table(columns, body, caption="Predicted by simulation, not measured", numeric=(1, 2, 3, 4, 5, 6))


def _row(row: SweepRow) -> list[Node]:
    interval = (
        ""
        if row.predicted_low_s is None or row.predicted_high_s is None
        else between((row.predicted_low_s, row.predicted_high_s), "s")
    )
    return [
        row.shape,
        "its own" if row.partitions is None else str(row.partitions),
        quantity(row.elapsed_s, "s"),
        interval,
    ]


def _money(row: SweepRow) -> list[Node]:
    cost = "" if row.full_usd is None else quantity(row.full_usd, "$")
    return [cost, "" if row.images_per_usd is None else quantity(row.images_per_usd)]


def _cell(row: SweepRow) -> _Cell:
    return row.shape, row.partitions, row.images


def _words(row: SweepRow) -> str:
    return row.shape if row.partitions is None else f"{row.shape}, {row.partitions} partitions"
