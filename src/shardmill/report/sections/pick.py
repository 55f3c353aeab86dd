"""The section of a run of `pick`, and its picture: what is believed of the shapes, and the path of the trials over them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shardmill.errors import UsageError
from shardmill.report.finding import Finding
from shardmill.report.html import Element, Node, element, write
from shardmill.report.names import section_id
from shardmill.report.plot.marks import (
    HUES,
    drawing,
    horizontal_axis,
    label,
    legend,
    marker,
    path,
    room_for,
    vertical_axis,
)
from shardmill.report.plot.scale import Axis, Scale, laid_out
from shardmill.report.quantity import quantity
from shardmill.report.section import Section, definitions, figure, note, panels, paragraph, table
from shardmill.runs import Run
from shardmill.units import format_count, format_seconds

RESULT_FILE: Final = "pick.json"
PICTURE_FILE: Final = "pick.svg"

_PANEL: Final = (340.0, 300.0)
_ENDINGS: Final = {
    "sure": "The search ended because it was sure enough.",
    "tried": "The search ended because every shape had been tried.",
    "budget": "The search ended because the next run was expected to cost more than what was left of the budget.",
    "runs": "The search ended because the runs allowed were used up.",
    "hopeless": "The search ended because it was sure enough that no shape ends well within the limits.",
    "none": "Every shape was tried, and none ended well within the limits.",
}
_STYLE: Final = """\
svg{font-family:system-ui,sans-serif;color:#1d2733}
text{fill:#4b5866;font-size:11.5px}.name{fill:#1d2733;font-size:13px;font-weight:600}.value{fill:#1d2733;font-weight:600}
.axis{stroke:#4b5866}.grid{stroke:#dfe4ea}.line{fill:none;stroke:currentColor;stroke-width:1.6}
.band{fill:currentColor;opacity:.13}.median{fill:currentColor;stroke:#fff;stroke-width:1.2}
.hollow{fill:#fff;stroke:currentColor;stroke-width:1.6}.level{stroke:#1d2733;stroke-dasharray:2 3}
.levelname{font-size:11px;fill:#1d2733}.near{stroke:#1d2733;stroke-width:2}
.hue0{color:#0b6bcb}.hue1{color:#c2510c}.hue2{color:#1a7f4b}.hue3{color:#8a3fb0}.hue4{color:#8c6d00}.hue5{color:#5c6672}
"""


def section(run: Run) -> Section:
    """What the search of `run` picked, how sure it is, and how it got there."""
    result = _result(run)
    name = section_id("pick", run.path.name)
    lead = f"{format_count(len(result['trials']), 'run')} of {format_count(len(result['shapes']), 'shape')} of {result['workload']}."
    title = f"The right shape: {result['workload']}"
    return Section(name, title, tuple(pick_parts(result)), tuple(pick_findings(result, name)), lead)


def pick_parts(result: Mapping[str, Any]) -> list[Node]:
    """How it ended, the pick, the figure and the runs; `result` is a `PickResult` in plain values."""
    parts: list[Node] = [paragraph(_ENDINGS.get(result["ending"], ""))]
    if result["best"] is not None:
        parts.append(definitions(_facts(result)))
    parts.append(figure(panels(_panels(result)), _caption(result), _belief_table(result), legend=_legend(result)))
    return [*parts, note(_HOW_TO_READ), _trial_table(result)]


_HOW_TO_READ: Final = (
    "Each panel is one family of machines, each line one size of them. The line is what one run is expected to cost or take, "
    "the band around it where nine in ten runs should be. Numbered marks are the runs that were paid for, in their order; a "
    "cross at the top is a run that failed or was stopped; the mark with a dark rim is the pick."
)


def picture(result: Mapping[str, Any]) -> str:
    """The figure of the section as an SVG file of its own; `result` is a `PickResult` in plain values."""
    families = _families(result)
    width, height = _PANEL
    columns = min(3, len(families))
    rows = math.ceil(len(families) / columns)
    groups: list[Node] = []
    for place, family in enumerate(families):
        x, y = (place % columns) * (width + 20) + 10, (place // columns) * (height + 14) + 64
        groups.append(element("g", *_panel(result, family), transform=f"translate({x:g} {y:g})"))
    whole_width, whole_height = columns * (width + 20), rows * (height + 14) + 74
    title = f"{result['workload']}: " + (f"pick {result['best']}" if result["best"] else "no pick")
    head: list[Node] = [element("rect", width=whole_width, height=whole_height, fill="#fff")]
    head.append(label(title, 10, 22, class_="name", room=whole_width - 20))
    at = 10.0
    for name, hue in _hues(result).items():
        head += [marker(hue, at + 6, 40, 5, class_="median"), label(name, at + 16, 44)]
        at += 26 + 7 * len(name)
    drawn = drawing((whole_width, whole_height), _describe(result), [*head, *groups])
    text = write(drawn).replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole_width:g}" height="{whole_height:g}" ', 1
    )
    return text.replace(">", f"><style>{_STYLE}</style>", 1) + "\n"


def _result(run: Run) -> dict[str, Any]:
    try:
        values = json.loads((run.path / RESULT_FILE).read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"the search in {run.path} has not ended; repeat its command to finish it.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{run.path / RESULT_FILE} cannot be read ({error}); name another run.") from error
    if not isinstance(values, dict) or not {"best", "trials", "shapes", "workload"} <= values.keys():
        raise UsageError(f"{run.path / RESULT_FILE} is not what pick writes; name another run.")
    return values


def _facts(result: Mapping[str, Any]) -> list[tuple[str, Node]]:
    facts: list[tuple[str, Node]] = [
        ("Pick", result["best"]),
        ("One run, measured", f"{quantity(result['run_usd'], '$')}, {format_seconds(result['runtime_s'])}"),
    ]
    if result["run_usd_interval"]:
        low, high = result["run_usd_interval"]
        first, last = result["runtime_s_interval"]
        facts.append(
            (
                "Nine in ten further runs",
                f"{quantity(low, '$')} to {quantity(high, '$')}, {format_seconds(first)} to {format_seconds(last)}",
            )
        )
    if result["runner_up"]:
        worse = 100 * result["runner_up_worse"]
        facts.append(("Runner-up", f"{result['runner_up']}, {quantity(worse, '%')} {_more(result)}"))
    if result["confidence"] is not None:
        chance = f"{min(result['confidence'], 0.999):.0%} that no shape is over {result['within']:g} % better"
        facts.append(("How sure", chance))
    facts.append(
        ("This search", f"{quantity(result['search_usd'], '$')}, {format_seconds(result['search_s'])} of cluster time")
    )
    if result["exhaustive_usd"] is not None:
        about = "" if result["exhaustive_measured"] else "about "
        facts.append(("Running every shape", f"{about}{quantity(result['exhaustive_usd'], '$')}"))
    return facts


def _more(result: Mapping[str, Any]) -> str:
    return "dearer" if result["objective"] == "cost" else "slower"


def pick_findings(result: Mapping[str, Any], source: str) -> list[Finding]:
    """What to run on, and what finding it saved; `result` is a `PickResult` in plain values."""
    if result["best"] is None:
        return []
    found = []
    measured = result["run_usd"]
    interval = tuple(result["run_usd_interval"]) if result["run_usd_interval"] else None
    aim = "cheapest" if result["objective"] == "cost" else "fastest"
    found.append(
        Finding(
            "pick",
            "cost",
            f"Run {result['workload']} on {result['best']}, the {aim} of {len(result['trials'])} shapes tried: "
            f"{quantity(measured, '$')} and {format_seconds(result['runtime_s'])} a run.",
            measured,
            "$",
            interval if interval is None else (interval[0], interval[1]),
            source,
            ("shape",),
            "nine in ten further runs",
        )
    )
    if result["exhaustive_usd"] and result["search_usd"]:
        ratio = result["exhaustive_usd"] / result["search_usd"]
        about = "" if result["exhaustive_measured"] else "about "
        found.append(
            Finding(
                "search-cost",
                "cost",
                f"Finding it cost {quantity(result['search_usd'], '$')}; trying every shape costs {about}{quantity(ratio, 'x')} that.",
                ratio,
                "x",
                None,
                source,
            )
        )
    return found


def _value(shape: Mapping[str, Any], result: Mapping[str, Any]) -> Sequence[float] | None:
    value: Sequence[float] | None = shape["run_usd" if result["objective"] == "cost" else "runtime_s"]
    return value


def _size(shape: Mapping[str, Any]) -> str:
    """What a line stands for: the size of a node."""
    return f"{shape['vcpus_per_node']:g} cores a node"


def _hues(result: Mapping[str, Any]) -> dict[str, int]:
    sizes = sorted({shape["vcpus_per_node"] for shape in result["shapes"]})
    return {f"{size:g} cores a node": place % HUES for place, size in enumerate(sizes)}


def _legend(result: Mapping[str, Any]) -> Element:
    return legend(list(_hues(result).items()))


def _families(result: Mapping[str, Any]) -> list[str]:
    return sorted({shape["family"] for shape in result["shapes"]})


def _panels(result: Mapping[str, Any]) -> list[Element]:
    return [drawing(_PANEL, f"{family}: {_describe(result)}", _panel(result, family)) for family in _families(result)]


def _scales(result: Mapping[str, Any]) -> tuple[Scale, Scale]:
    """The same for all panels, so that heights can be compared."""
    cores = [shape["node_count"] * shape["vcpus_per_node"] for shape in result["shapes"]]
    key = "run_usd" if result["objective"] == "cost" else "runtime_s"
    heights = [trial[key] for trial in result["trials"] if trial["outcome"] == "ok" and trial[key]]
    for shape in result["shapes"]:
        value = _value(shape, result)
        if value is not None:
            heights.append(value[1])
    width, height = _PANEL
    unit = "USD a run" if result["objective"] == "cost" else "seconds a run"
    down = laid_out(Axis(unit, "log"), heights, height - 44, 56, count=5)
    ticks = tuple(float(2**power) for power in range(20) if min(cores) <= 2**power <= max(cores))
    across = laid_out(
        Axis("cores in all", "log", ticks=ticks[:: max(1, len(ticks) // 6)]), cores, room_for(down.ticks), width - 12
    )
    return across, down


def _panel(result: Mapping[str, Any], family: str) -> list[Node]:
    across, down = _scales(result)
    width, height = _PANEL
    unit = "USD a run" if result["objective"] == "cost" else "seconds a run"
    parts: list[Node] = [label(family, width - 12, 12, anchor="end", class_="name")]
    parts += vertical_axis(down, across.first, width - 12, unit)
    parts += horizontal_axis(across, height - 44, "cores in all")
    members = [shape for shape in result["shapes"] if shape["family"] == family]
    hues = _hues(result)
    lines: list[Node] = []
    for name, hue in hues.items():
        own = sorted((s for s in members if _size(s) == name), key=lambda shape: shape["node_count"])
        known = [
            (s["node_count"] * s["vcpus_per_node"], value) for s in own if (value := _value(s, result)) is not None
        ]
        by_cores = dict(known)  # shapes that differ in partitions alone share a place
        if len(by_cores) < 2:
            continue
        xs = [across.place(cores) for cores in by_cores]
        upper = [(x, down.clipped(value[2])) for x, value in zip(xs, by_cores.values(), strict=True)]
        lower = [(x, down.clipped(value[0])) for x, value in zip(xs, by_cores.values(), strict=True)]
        parts.append(path([*upper, *reversed(lower)], f"band hue{hue}", closed=True))
        lines.append(
            path([(x, down.clipped(v[1])) for x, v in zip(xs, by_cores.values(), strict=True)], f"line hue{hue}")
        )
    parts += lines
    limit = result["deadline_s"] if result["objective"] == "time" else result["max_run_usd"]
    if limit is not None and down.low < limit < down.high:
        at = down.place(limit)
        parts.append(element("line", x1=across.first, x2=width - 12, y1=at, y2=at, class_="level"))
    return parts + _trial_marks(result, members, hues, across, down)


def _trial_marks(
    result: Mapping[str, Any], members: Sequence[Mapping[str, Any]], hues: Mapping[str, int], across: Scale, down: Scale
) -> list[Node]:
    by_label = {shape["shape"]: shape for shape in members}
    key = "run_usd" if result["objective"] == "cost" else "runtime_s"
    parts: list[Node] = []
    numbers: dict[tuple[float, float], list[str]] = {}  # runs at one place share a label
    for number, trial in enumerate(result["trials"], start=1):
        shape = by_label.get(trial["shape"])
        if shape is None:
            continue
        x = across.place(shape["node_count"] * shape["vcpus_per_node"])
        ended = trial["outcome"] == "ok" and trial["fraction"] == 1.0
        y = down.clipped(trial[key]) if ended else down.last - 14
        hue = hues[_size(shape)]
        chosen = trial["shape"] == result["best"] and ended
        tip = f"run {number}: {trial['shape']}, " + (
            f"{quantity(trial['run_usd'], '$')}, {format_seconds(trial['runtime_s'])}" if ended else trial["outcome"]
        )
        mark = marker(
            hue if ended else 4, x, y, 6 if chosen else 4.6, class_="median near" if chosen else "median", tip=tip
        )
        parts.append(mark)
        numbers.setdefault((round(x), round(y)), []).append(str(number))
    return parts + [label(", ".join(names), x + 8, y - 6, class_="value") for (x, y), names in numbers.items()]


def _describe(result: Mapping[str, Any]) -> str:
    return f"expected {'cost' if result['objective'] == 'cost' else 'time'} of a run over shapes, and the runs made"


def _caption(result: Mapping[str, Any]) -> str:
    what = "cost" if result["objective"] == "cost" else "time"
    return f"What a run is expected to {'cost' if what == 'cost' else 'take'} on each shape, and the path of the search"


def _trial_table(result: Mapping[str, Any]) -> Element:
    rows: list[list[Node]] = []
    strong = []
    for number, trial in enumerate(result["trials"], start=1):
        if trial["shape"] == result["best"] and trial["outcome"] == "ok":
            strong.append(number - 1)
        rows.append(
            [
                str(number),
                trial["shape"],
                {"ok": "ended well", "timeout": "hit the time limit", "cut": "stopped by the search"}.get(
                    trial["outcome"], "failed"
                ),
                "not known" if trial["runtime_s"] is None else format_seconds(trial["runtime_s"]),
                "not known" if trial["run_usd"] is None else quantity(trial["run_usd"], "$"),
                quantity(trial["paid_usd"], "$"),
            ]
        )
    columns = ("Run", "Shape", "How it went", "Time", "Cost of a run", "Paid")
    return table(columns, rows, caption="The runs that were paid for", numeric=(0, 3, 4, 5), strong=strong)


def _belief_table(result: Mapping[str, Any]) -> Element:
    rows: list[list[Node]] = []
    ranked = sorted(result["shapes"], key=lambda shape: (_value(shape, result) or (0.0, math.inf))[1])
    for shape in ranked:
        usd, seconds = shape["run_usd"], shape["runtime_s"]
        rows.append(
            [
                shape["shape"],
                "" if shape["tried"] is None else str(shape["tried"]),
                "" if usd is None else quantity(usd[1], "$"),
                "" if usd is None else f"{quantity(usd[0], '$')} to {quantity(usd[2], '$')}",
                "" if seconds is None else format_seconds(seconds[1]),
                "" if shape["success"] is None else f"{shape['success']:.0%}",
            ]
        )
    columns = ("Shape", "Run", "Expected cost", "Nine runs in ten", "Expected time", "Ends well in the limits")
    return table(columns, rows, caption="All shapes, the best expected first", numeric=(1, 2, 3, 4, 5))
