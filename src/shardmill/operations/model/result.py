"""What `model` returns, in plain values, and how it reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.model.analysis import Analysis, ArmAnalysis
from shardmill.model.regression import Fit
from shardmill.report.quantity import between, quantity
from shardmill.shown import Shown
from shardmill.units import format_count, printable

Interval = tuple[float, float]
_MEANINGS: Final = {"form": "the form", "evenness": "even noise", "normality": "normal noise"}


@dataclass(frozen=True, slots=True)
class CoefficientResult:
    """One coefficient."""

    name: str
    unit: str
    value: float
    interval: Interval | None
    """95 %; None where the rows leave nothing to judge it by."""
    p: float | None


@dataclass(frozen=True, slots=True)
class ModelOfArm:
    """One model fitted to one arm."""

    name: str
    target: str
    """`rate`, in images/s, or `seconds` of a window."""
    coefficients: tuple[CoefficientResult, ...]
    unidentifiable: tuple[tuple[str, str], ...]
    """Terms that these rows cannot tell from others, and why."""
    r2: float | None
    """Of throughput; None where the model makes no sense of it."""
    held_out_error: float | None
    """Median relative error of throughput in cells held out; None with fewer than three cells."""
    held_out_r2: float | None
    failed_checks: tuple[str, ...]
    """Of form, evenness and normality of the residuals, those that do not hold at 1 %."""


@dataclass(frozen=True, slots=True)
class ArmResult:
    """The models of one arm: one combination of data set, format, reader, decoding, cache and engine."""

    name: str
    rows: int
    cells: int
    models: tuple[ModelOfArm, ...]
    best_model: str | None
    """Which predicts held-out cells best."""
    best_is_clear: bool
    """It is better than the next by more than chance."""
    strongest_predictor: str | None
    """None: no predictor can be told from nothing."""
    shares: tuple[tuple[str, float], ...]
    """Of the variance of throughput, by predictor, the largest first."""
    rate: float
    """Images/s of the fastest cell, all concurrent readers together."""
    rate_interval: Interval | None
    processor_ceiling: float
    """Images/s."""
    read_ceiling: float | None
    """Images/s; None where no pass was seen to be cold."""
    busy: float
    """Share of the cores in use at the fastest cell."""
    limit: str
    """`processor`, `reading` or `waiting`."""


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How many times as fast shards are read as files."""

    shards: str
    files: str
    value: float
    interval: Interval | None
    cells: int


@dataclass(frozen=True, slots=True)
class ModelResult(Shown):
    """What `model` found."""

    runs: tuple[str, ...]
    rows: int
    left_out: int
    """Passes whose cache was not in the state asked for."""
    arms: tuple[ArmResult, ...]
    pooled: ModelOfArm | None
    """All arms together."""
    pooled_shares: tuple[tuple[str, float], ...]
    speed_ups: tuple[SpeedUp, ...]
    folder: str | None
    """The run folder that was written."""


def plain(analysis: Analysis, runs: Sequence[str], folder: str | None) -> ModelResult:
    """The analysis in plain values."""
    pooled = analysis.pooled
    return ModelResult(
        runs=tuple(runs),
        rows=analysis.rows,
        left_out=analysis.not_as_asked,
        arms=tuple(_arm(one) for one in analysis.arms),
        pooled=None
        if pooled is None
        else ModelOfArm(
            "all together", "rate", _coefficients(pooled.fit), _given_up(pooled.fit), _known(pooled.r2), None, None, ()
        ),
        pooled_shares=() if pooled is None else pooled.shares,
        speed_ups=tuple(
            SpeedUp(above.name, below.name, found.value, _bounded(found.interval), len(found.cells))
            for above, below, found in analysis.ratios
        ),
        folder=folder,
    )


def _arm(one: ArmAnalysis) -> ArmResult:
    scores = {} if one.comparison is None else {score.model: score for score in one.comparison.scores}
    models = []
    for fitted in one.models:
        score = scores.get(fitted.model.name)
        models.append(
            ModelOfArm(
                fitted.model.name,
                fitted.model.target,
                _coefficients(fitted.fit),
                _given_up(fitted.fit),
                _known(fitted.r2),
                None if score is None else _known(score.held_out_error),
                None if score is None else _known(score.held_out_r2),
                tuple(check.name for check in fitted.checks if check.holds is False),
            )
        )
    importance, roof = one.importance, one.roofline
    return ArmResult(
        name=one.name,
        rows=len(one.seen),
        cells=len(one.seen.cells),
        models=tuple(models),
        best_model=None if one.comparison is None else one.comparison.best.model,
        best_is_clear=one.comparison is not None and one.comparison.clear,
        strongest_predictor=None if importance is None or importance.strongest is None else importance.strongest.name,
        shares=() if importance is None else tuple((share.name, share.share) for share in importance.shares),
        rate=roof.rate.value,
        rate_interval=_bounded(roof.rate.interval),
        processor_ceiling=roof.processor.value,
        read_ceiling=None if roof.reading is None else roof.reading.value,
        busy=roof.busy,
        limit=roof.limit,
    )


def _coefficients(fit: Fit) -> tuple[CoefficientResult, ...]:
    return tuple(
        CoefficientResult(one.name, one.unit, one.value, _bounded(one.interval), _known(one.p))
        for one in fit.coefficients
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounded(interval: Interval) -> Interval | None:
    return interval if all(map(math.isfinite, interval)) else None


def _given_up(fit: Fit) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.why) for one in fit.unidentifiable)


def lines(result: ModelResult) -> list[str]:
    """The result for people."""
    left_out = f"; {result.left_out:,} left out, whose cache was not as asked" if result.left_out else ""
    text = [f"{format_count(result.rows, 'pass')} from {format_count(len(result.runs), 'run')}{left_out}"]
    for arm in result.arms:
        text += ["", *_arm_lines(arm)]
    if result.pooled is not None:
        text += ["", "all together: throughput, with an intercept for each"]
        text += _coefficient_lines(result.pooled.coefficients)
        text.append("  share of variance: " + ", ".join(f"{name} {share:.0%}" for name, share in result.pooled_shares))
    if result.speed_ups:
        text.append("")
        text += [
            f"{one.shards} is read {one.value:.2f} times as fast as {one.files} "
            f"({'no interval' if one.interval is None else between(one.interval, 'x')}; {format_count(one.cells, 'cell')})"
            for one in result.speed_ups
        ]
    if result.folder is not None:
        text += ["", f"kept in {result.folder}; shardmill report {result.folder} draws it"]
    return [printable(line) for line in text]


def _arm_lines(arm: ArmResult) -> list[str]:
    text = [f"{arm.name}: {format_count(arm.rows, 'pass')} in {format_count(arm.cells, 'cell')}"]
    width = max(len(model.name) for model in arm.models)
    text.append(f"    {'model':<{width}}  held-out error   held-out R2      R2")
    for model in arm.models:
        mark = "*" if model.name == arm.best_model else " "
        error = "not told" if model.held_out_error is None else f"{model.held_out_error:.1%}"
        text.append(f"  {mark} {model.name:<{width}}  {error:>14}  {_two(model.held_out_r2):>12}  {_two(model.r2):>6}")
    if arm.best_model is not None:
        text.append(
            f"    * predicts cells that it has not seen best{'' if arm.best_is_clear else ', though the next is as good'}"
        )
    for model in arm.models:
        if model.coefficients and (model.name == "the three together" or model.target == "seconds"):
            what = "images/s" if model.target == "rate" else "seconds of a window"
            text.append(f"  {what}, {model.name}:")
            text += _coefficient_lines(model.coefficients)
            text += [f"    {name}: not identifiable: {why}" for name, why in model.unidentifiable]
            if model.failed_checks:
                text.append(
                    "    residuals speak against: " + ", ".join(_MEANINGS[name] for name in model.failed_checks)
                )
    if arm.strongest_predictor is None:
        text.append("  strongest predictor: none can be told from chance in these rows")
    else:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in arm.shares)
        text.append(f"  strongest predictor: {arm.strongest_predictor} (shares of the variance: {shares})")
    reading = (
        "no pass was seen to be cold" if arm.read_ceiling is None else f"{arm.read_ceiling:,.0f} images/s by reading"
    )
    binds = {
        "processor": "the processor limits",
        "reading": "reading limits",
        "waiting": "neither is full: time is lost waiting",
    }
    text.append(
        f"  fastest {arm.rate:,.0f} images/s with {arm.busy:.0%} of the cores; ceilings: {arm.processor_ceiling:,.0f} by the "
        f"processor, {reading}; {binds[arm.limit]}"
    )
    return text


def _coefficient_lines(coefficients: Iterable[CoefficientResult]) -> list[str]:
    rows = [(one.name, *coefficient_words(one.value, one.unit, one.interval)) for one in coefficients]
    wide = [max((len(row[place]) for row in rows), default=0) for place in range(3)]
    return [
        f"    {name:<{wide[0]}}  {value:>{wide[1]}}  {interval:<{wide[2]}}{mark}".rstrip()
        for name, value, interval, mark in rows
    ]


def coefficient_words(value: float, unit: str, interval: Interval | None) -> tuple[str, str, str]:
    """Value with unit, interval, and a remark where it cannot be told from zero."""
    unit, _, per = unit.partition(" per ")
    text = quantity(value, unit) + (f" per {per}" if per else "")
    if interval is None:
        return text, "no interval", ""
    low, high = interval
    return text, f"({between(interval, unit)})", "" if low > 0 or high < 0 else "  cannot be told from zero"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
