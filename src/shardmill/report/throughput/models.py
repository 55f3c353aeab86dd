"""Tables of the models: which predicts best, their coefficients, and what speaks against them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from shardmill.model.analysis import Analysis, ArmAnalysis, Fitted
from shardmill.model.regression import Coefficient, Fit
from shardmill.report.html import Node
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.quantity import between, quantity
from shardmill.report.section import figure, folded, heading, note, paragraph, table

_CHECKS: Final = {
    "form": ("the cells' own means lie where it says", "it bends away from the cells' own means"),
    "evenness": ("the noise is as even as it takes it to be", "the noise is not as even as it takes it to be"),
    "normality": ("the noise looks normal", "the noise has heavier tails or leans, unlike the normal"),
}


def fastest(arms: Sequence[ArmAnalysis]) -> ArmAnalysis:
    """The arm with the fastest combination, all concurrent readers together."""
    return max(arms, key=lambda one: one.roofline.rate.value)


def model_parts(analysis: Analysis) -> list[Node]:
    """Everything about the models: of the fastest arm and of all together, and, folded, of the other arms."""
    parts: list[Node] = [
        paragraph(
            "Two kinds of model are fitted to the same passes: straight lines in throughput, as people fit them with "
            "scikit-learn, and the time of a window as start-up, plus images, plus batches. Intervals are robust over "
            "combinations: five repetitions of one combination are not five witnesses of the model."
        )
    ]
    if not analysis.arms:
        return parts
    first = fastest([one for one in analysis.arms if one.arm.decode] or analysis.arms)
    parts += [heading(first.name), *arm_parts(first)]
    if analysis.pooled is not None:
        parts.append(heading("All together"))
        parts.append(
            _coefficients(
                analysis.pooled.fit,
                "One straight-line model of throughput for all, with an intercept for each: "
                f"R\u00b2 {_two(analysis.pooled.r2)}.",
            )
        )
        shares = ", ".join(f"{name} {share:.0%}" for name, share in analysis.pooled.shares)
        parts.append(paragraph(f"Shares of the variance of throughput: {shares}."))
    parts += [folded(f"Models of {one.name}", *arm_parts(one)) for one in analysis.arms if one is not first]
    parts.append(
        note(
            "Held-out error: every combination is left out once, the model fitted to the others, and the median taken of how far, "
            "as a share, its prediction lies from the passes left out. Intervals: cluster-robust over combinations with the CR2 "
            "correction and Satterthwaite's degrees of freedom."
        )
    )
    return parts


def arm_parts(one: ArmAnalysis) -> list[Node]:
    """The models of one arm."""
    parts: list[Node] = []
    if one.comparison is None:
        parts.append(paragraph("Fewer than three combinations: too few to hold one out and compare models."))
    else:
        parts.append(_comparison(one))
    parts.append(_coefficients(one.physical.fit, f"Seconds of a window ({one.physical.model.name})."))
    parts += _remarks(one.physical)
    if len(one.straight.fit.coefficients) > 1:
        parts.append(
            _coefficients(
                one.straight.fit, "Throughput, in images a second, by batch size, number of batches and product."
            )
        )
        parts += _remarks(one.straight)
    alone = [
        fitted.fit.coefficients[1]
        for fitted in one.models
        if fitted.model.target == "rate" and len(fitted.model.predictors) == 1 and len(fitted.fit.coefficients) > 1
    ]
    if alone:
        parts.append(
            folded("Each predictor alone", _coefficient_table(alone, "Slope of throughput on each predictor alone."))
        )
    parts += _importance(one)
    return parts


def _comparison(one: ArmAnalysis) -> Node:
    comparison = one.comparison
    assert comparison is not None, "the caller asked"
    rows = [
        (
            score.model,
            f"{score.terms}",
            f"{score.held_out_error:.1%}" if math.isfinite(score.held_out_error) else "no sense",
            f"{score.held_out_rmse:,.0f}" if math.isfinite(score.held_out_rmse) else "no sense",
            _two(score.held_out_r2),
            _two(score.r2),
        )
        for score in comparison.scores
    ]
    best = next(place for place, score in enumerate(comparison.scores) if score is comparison.best)
    caption = f"Which model predicts combinations that it has not seen: {comparison.best.model} is best"
    caption += (
        ", by more than chance."
        if comparison.clear
        else ", though the next is as good as far as these passes can tell."
    )
    return table(
        ("model", "coefficients", "held-out error", "held-out RMSE, images/s", "held-out R\u00b2", "R\u00b2"),
        rows,
        caption=caption,
        numeric=range(1, 6),
        strong=(best,),
    )


def _coefficients(fit: Fit, caption: str) -> Node:
    return _coefficient_table(fit.coefficients, caption)


def _coefficient_table(coefficients: Sequence[Coefficient], caption: str) -> Node:
    rows = []
    for one in coefficients:
        unit, _, per = one.unit.partition(" per ")
        low, high = one.interval
        bounded = math.isfinite(low) and math.isfinite(high)
        told = "not known" if not bounded else "yes" if one.sure else "no"
        rows.append(
            (
                one.name,
                quantity(one.value, unit) + (f" per {per}" if per else ""),
                between(one.interval, unit) if bounded else "none",
                told,
            )
        )
    return table(("term", "coefficient", "95% interval", "told from zero"), rows, caption=caption, numeric=(1, 2))


def _remarks(fitted: Fitted) -> list[Node]:
    remarks = [f"{one.name} is not identifiable: {one.why}" for one in fitted.fit.unidentifiable]
    if not fitted.fit.by_cell:
        remarks.append("too few combinations to judge the form of the model: intervals rest on repetitions alone")
    negative = [one.name for one in fitted.fit.coefficients if one.value < 0 and fitted.model.target == "seconds"]
    if negative:
        remarks.append(
            f"{' and '.join(negative)} below zero cannot be a time: it is too small for these passes to show"
        )
    for check in fitted.checks:
        if check.holds is not None:
            good, bad = _CHECKS[check.name]
            remarks.append(f"{good if check.holds else bad} ({_p(check.p)})")
    if not remarks:
        return []
    text = "; ".join(remarks)
    return [note(f"Residuals and limits: {text}.")]


def _importance(one: ArmAnalysis) -> list[Node]:
    found = one.importance
    if found is None:
        return [note("No factor was varied over three combinations or more, so that none can be called the strongest.")]
    entries = [
        Bar(
            share.name,
            max(0.0, share.share),
            f"{share.share:.0%}",
            share.interval,
            0,
            f"{share.name}: {share.share:.1%} of the variance",
        )
        for share in found.shares
    ]
    if found.strongest is None:
        caption = (
            "Nothing to find: no predictor can be told from chance; over its range none swings throughput by more than "
            f"{found.still_possible:.0%} of the mean, or its interval would show it."
        )
    else:
        tie = ", though another may be as strong" if found.tied else ""
        caption = f"Share of the variance of throughput that each predictor explains. The strongest is {found.strongest.name}{tie}."
    rows = [
        (
            share.name,
            f"{share.share:.1%}",
            f"{share.interval[0]:.1%} to {share.interval[1]:.1%}",
            f"{share.swing:+.0%}".replace("-", "\u2212"),
            f"{share.p:.4f}",
        )
        for share in found.shares
    ]
    behind = table(
        ("predictor", "share of variance", "95% interval", "swing over its range", "p by chance"),
        rows,
        caption=caption,
        numeric=(1, 2, 3, 4),
    )
    words = "; ".join(f"{entry.name} {entry.text}" for entry in entries)
    return [figure(bars(entries, description=f"{caption} {words}"), caption, behind)]


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212") if math.isfinite(value) else "none"
