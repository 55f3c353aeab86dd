"""The tables of a sweep: shapes side by side, every cell, what limited each, partitions, and the runs that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.report.html import Element, Node, element
from shardmill.report.quantity import quantity, rounded
from shardmill.report.section import folded, table
from shardmill.report.shapes.best import Best, best_of
from shardmill.report.shapes.study import Study, middle
from shardmill.sweep.cells import CellRuns, partitions_words
from shardmill.sweep.limits import PARTS, Limit, Limits, Part
from shardmill.sweep.row import SweepRow
from shardmill.units import format_bytes, format_seconds

UNKNOWN: Final = "not known"
_LONGEST: Final = 24
LIMIT_WORDS: Final[dict[Limit, tuple[str, str]]] = {
    "start-up": (
        "start-up and end",
        "of the run passes outside of its longest stage; more images a run, or several runs a cluster, gain most",
    ),
    "too few tasks": ("too few tasks", "of the cores' time has no task to run; more partitions gain most"),
    "uneven tasks": (
        "uneven tasks",
        "of the cores' time is lost to stragglers or a last wave; more, smaller partitions gain most",
    ),
    "waiting": (
        "waiting",
        "of the cores' time tasks wait for the store, the driver or a core; a quicker store or quieter machines gain most",
    ),
    "processor": ("processor", "of the cores' time is computing; more or faster cores gain most"),
    "network": ("network", "of what the machines' network carries is used; more machines, or larger ones, gain most"),
    "disk": ("disk", "of what the machines' disks carry is used; faster or larger disks gain most"),
    "not known": (UNKNOWN, "there is no log of the tasks, or no sample of the machines short enough, to tell by"),
}
"""What each verdict is called, and what its number is a share of."""

PART_WORDS: Final[dict[Part, str]] = {
    "start-up": "start-up and end",
    "too few tasks": "too few tasks",
    "uneven tasks": "uneven tasks",
    "waiting": "waiting",
    "processor": "processor",
    "in tasks": "in tasks",
}
"""What each part of the cores' time is called."""


def bill(study: Study) -> Element:
    """A line for each shape, at the number of partitions that is suggested for it; the best are emphasised and named."""
    cells = [study.chosen(shape) for shape in study.shapes]
    columns, numeric = _columns(study)
    praise = _praise(study)
    rows: list[Sequence[Node]] = [_line(study, cell, ", ".join(praise.get(cell.cell.shape, ()))) for cell in cells]
    caption = "What one run takes and costs on each shape" + (
        ", with the number of partitions suggested for it" if study.several_partitions else ""
    )
    if study.predicted:
        caption += "; predicted, none of it was run"
    return table(
        columns,
        rows,
        caption=f"{caption}.",
        numeric=numeric,
        strong=[place for place, cell in enumerate(cells) if cell.cell.shape in praise],
    )


def every_cell(study: Study) -> Element:
    """A line for each shape with each number of partitions, folded away."""
    columns, numeric = _columns(study)
    caption = "Every shape with every number of partitions."
    rows = [_line(study, cell) for cell in study.cells]
    return folded(f"All {len(rows)} combinations", table(columns, rows, caption=caption, numeric=numeric))


def limits_table(study: Study) -> Element:
    """The verdict on each shape, with its number and what gains most."""
    rows: list[Sequence[Node]] = []
    for shape in study.shapes:
        found = study.limits[study.chosen(shape).cell]
        name, words = LIMIT_WORDS[found.limit]
        number = "" if found.limit == "not known" else f"{found.share:.0%} "
        rows.append((whole(study.shape_name(shape)), whole(name), text(f"{number}{words}.")))
    return table(("shape", "limited by", "what that means"), rows, caption="What limits each shape.")


def parts_table(study: Study) -> Element:
    """Where the cores' time goes, for every cell, with the flows of network and disk."""
    rows = []
    shown = [part for part in PARTS if any(part in found.parts for found in study.limits.values())]
    for cell in study.cells:
        found = study.limits[cell.cell]
        parts = [f"{found.parts[part]:.0%}" if part in found.parts else UNKNOWN for part in shown]
        flows = (_flow(found, "network"), _flow(found, "disk"))
        rows.append((study.name(cell.cell), LIMIT_WORDS[found.limit][0], *parts, *flows))
    columns = (
        "shape",
        "limited by",
        *(PART_WORDS[part] for part in shown),
        "network in the stage",
        "disk in the stage",
    )
    caption = "Where the time of the cores goes, by combination."
    return table(columns, rows, caption=caption, numeric=range(2, len(columns)))


def partitions_table(study: Study) -> Element:
    """What is suggested for each shape, and why."""
    rows = [
        (whole(study.shape_name(one.shape)), partitions_words(one.best.partitions), text(one.reason))
        for one in study.suggestions.values()
    ]
    return table(("shape", "partitions", "why"), rows, caption="Partitions suggested for each shape.", numeric=(1,))


def tried_table(study: Study) -> Element:
    """Every number that was tried, folded away."""
    rows: list[Sequence[Node]] = []
    strong = []
    for suggestion in study.suggestions.values():
        for one in suggestion.tried:
            if one is suggestion.best:
                strong.append(len(rows))
            low_high = "" if one.interval is None else f"{100 * one.interval[0]:.0f} to {100 * one.interval[1]:.0f}%"
            rows.append(
                (
                    whole(study.shape_name(suggestion.shape)),
                    partitions_words(one.partitions),
                    f"{one.runs}",
                    format_seconds(one.elapsed_s),
                    f"{100 * one.longer:.0f}%",
                    low_high,
                    UNKNOWN if one.waves is None else f"{one.waves:.3g}",
                    UNKNOWN if one.idle_share is None else f"{one.idle_share:.0%}",
                    UNKNOWN if one.straggling is None else f"{one.straggling:.2f}",
                    UNKNOWN if one.overhead_s is None else quantity(one.overhead_s, "s"),
                )
            )
    columns = (
        "shape",
        "partitions",
        "runs",
        "median time",
        "longer than the fastest",
        "95%",
        "waves",
        "idle in the stage",
        "longest task over median",
        "overhead a task",
    )
    caption = "Every number of partitions that was tried; suggested ones stand out."
    return folded("What was tried", table(columns, rows, caption=caption, numeric=range(1, 10), strong=strong))


def failures(rows: Sequence[SweepRow]) -> Element | None:
    """Runs that did not end well, each with what it said; None where there is none."""
    failed = [row for row in rows if row.state != "done"]
    if not failed:
        return None
    lines = [
        (row.shape, partitions_words(row.partitions), row.state, format_seconds(row.elapsed_s), _last_line(row.error))
        for row in failed
    ]
    caption = "Runs that did not end well; they are in no other table."
    return table(
        ("shape", "partitions", "how it ended", "after", "what it said"), lines, caption=caption, numeric=(1, 3)
    )


def whole(name: str) -> Node:
    """`name` on one line, if it is no longer than a column can be."""
    return element("span", name, class_="whole") if len(name) <= _LONGEST else name


def text(sentence: str) -> Node:
    """Text that keeps a readable width in a narrow window, where its table scrolls."""
    return element("div", sentence, class_="text")


def _columns(study: Study) -> tuple[list[str], list[int]]:
    columns = ["shape"]
    if study.several_partitions:
        columns.append("partitions")
    if study.predicted:
        columns += ["predicted time", "nine in ten"]
    else:
        columns += ["runs", "median time", "range", "CPU", "network", "disk"]
    if study.prices:
        columns += ["job alone", "with its cluster", "images/$"]
    return columns, list(range(1, len(columns)))


def _line(study: Study, cell: CellRuns, praise: str = "") -> list[Node]:
    name = whole(study.shape_name(cell.cell.shape))
    line = [element("span", name, element("br"), element("span", praise, class_="soft")) if praise else name]
    if study.several_partitions:
        line.append(partitions_words(cell.cell.partitions))
    line += _predicted(cell) if study.predicted else _measured(cell)
    if study.prices:
        per_usd = middle(cell, lambda row: row.images_per_usd)
        line += [
            _money(middle(cell, lambda row: row.job_usd)),
            _money(middle(cell, lambda row: row.full_usd)),
            UNKNOWN if per_usd is None else quantity(rounded(per_usd)),
        ]
    return line


def _measured(cell: CellRuns) -> list[Node]:
    low, high = cell.range_s
    share = middle(cell, lambda row: None if row.usage is None else row.usage.cpu_share)
    return [
        f"{len(cell.rows)}",
        format_seconds(cell.elapsed_s),
        "" if len(cell.rows) == 1 else f"{format_seconds(low)} to {format_seconds(high)}",
        UNKNOWN if share is None else f"{share:.0%}",
        _moved(cell, "network_in_bytes", "network_out_bytes"),
        _moved(cell, "disk_read_bytes", "disk_write_bytes"),
    ]


def _predicted(cell: CellRuns) -> list[Node]:
    low, high = (middle(cell, value) for value in (lambda row: row.predicted_low_s, lambda row: row.predicted_high_s))
    known = "" if low is None or high is None else f"{format_seconds(low)} to {format_seconds(high)}"
    return [format_seconds(cell.elapsed_s), known]


def _praise(study: Study) -> dict[str, list[str]]:
    """Shapes that are the fastest or the cheapest; `seen` where that may be chance."""
    fastest, job, full = (
        best_of(study, value)
        for value in (lambda row: row.elapsed_s, lambda row: row.job_usd, lambda row: row.full_usd)
    )
    words: list[tuple[Best | None, str]] = [(fastest, "fastest")]
    if job is not None and full is not None and job.first is full.first:
        words.append((full, "cheapest"))
    else:
        words += [(job, "cheapest job"), (full, "cheapest with its cluster")]
    found: dict[str, list[str]] = {}
    for best, word in words:
        if best is not None:
            sure = study.predicted or best.ratio.sure
            found.setdefault(best.first.cell.shape, []).append(word if sure else f"{word} seen")
    return found


def _moved(cell: CellRuns, *names: str) -> str:
    def total(row: SweepRow) -> float | None:
        values = [] if row.usage is None else [getattr(row.usage, name) for name in names]
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    moved = middle(cell, total)
    return UNKNOWN if moved is None else format_bytes(moved)


def _money(usd: float | None) -> str:
    return UNKNOWN if usd is None else quantity(usd, "$")


def _flow(found: Limits, what: str) -> str:
    rate = found.network_bytes_per_s if what == "network" else found.disk_bytes_per_s
    share = found.network_share if what == "network" else found.disk_share
    if rate is None:
        return UNKNOWN
    return f"{format_bytes(rate)}/s" + ("" if share is None else f", {share:.0%} of what it can")


def _last_line(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1] if lines else UNKNOWN
