"""How far to trust the numbers: caches, spread, drift, and what the models make of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median
from typing import Final

from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.words import window
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study
from shardmill.units import format_count

_DRIFT: Final = 0.05
_LONG_ENOUGH_S: Final = 0.5


def trust_findings(study: Study, source: str) -> Iterator[Finding]:
    """What whoever uses the numbers must know."""
    analysis = study.analysis
    if analysis.not_as_asked:
        asked = analysis.rows + analysis.not_as_asked
        yield Finding(
            "cache-not-as-asked",
            "trust",
            f"{format_count(analysis.not_as_asked, 'pass')} of {asked:,} had a cache that was not in the state asked for, by the bytes "
            "really read, and are left out of everything here.",
            analysis.not_as_asked,
            "left out",
            None,
            source,
        )
    yield from _spread(study, source)
    repetitions = min(one.repetitions for one in study.arms)
    if repetitions < 3:
        yield Finding(
            "few-repetitions",
            "trust",
            f"Some combinations were measured {repetitions:.1f} times on average: intervals are wide, and a second look at the best few "
            "is worth its time.",
            repetitions,
            "passes each",
            None,
            source,
        )
    yield from _drift(study, source)
    yield from _models(study, source)
    short = sum(row.elapsed_s < _LONG_ENOUGH_S for rows in study.by_arm.values() for row in rows)
    if short:
        yield Finding(
            "short-passes",
            "trust",
            f"{format_count(short, 'pass')} of {analysis.rows:,} lasted less than half a second, where the clock and the scheduler weigh more.",
            short,
            "short",
            None,
            source,
        )


def _spread(study: Study, source: str) -> Iterator[Finding]:
    spreads = [one.spread for one in study.arms if math.isfinite(one.spread)]
    if not spreads:
        return
    widest = max(
        (one for one in study.arms if one.widest is not None), key=lambda one: one.widest[1] if one.widest else 0
    )
    assert widest.widest is not None, "filtered above"
    yield Finding(
        "spread",
        "trust",
        f"Repetitions of a combination scatter by {quantity(median(spreads) * 100, '%')} (interquartile range, median over all); the "
        f"widest, {widest.name} at {window(widest.widest[0])}, by {quantity(widest.widest[1] * 100, '%')}.",
        median(spreads) * 100,
        "%",
        None,
        source,
    )


def _drift(study: Study, source: str) -> Iterator[Finding]:
    moving = [one for one in study.arms if one.drift.p < 0.01 and abs(one.drift.share) > _DRIFT]
    for one in moving[:1]:
        way = "slower" if one.drift.share < 0 else "faster"
        yield Finding(
            "drift",
            "trust",
            f"The machine became {quantity(abs(one.drift.share) * 100, '%')} {way} for {one.name} while the test ran: something else was "
            "at work. The order was random, so comparisons hold; absolute rates less so.",
            one.drift.share * 100,
            "%",
            None,
            source,
        )


def _models(study: Study, source: str) -> Iterator[Finding]:
    compared = [one for one in study.arms if one.comparison is not None]
    for one in compared:
        if one.importance is not None and one.importance.strongest is None:
            yield Finding(
                "nothing-to-find",
                "trust",
                f"Nothing to find for {one.name}: no factor tried can be told from chance, and none swings throughput by more than "
                f"{one.importance.still_possible:.0%} over its range.",
                one.importance.still_possible * 100,
                "%",
                None,
                source,
            )
    if not compared:
        return
    one = fastest([one for one in compared if one.arm.decode] or compared)
    comparison = one.comparison
    assert comparison is not None, "filtered above"
    than = ""
    if comparison.runner_up is not None:
        than = f", against {comparison.runner_up.held_out_error:.1%} by {comparison.runner_up.model}"
        than += "" if comparison.clear else ", which is no certain difference"
    yield Finding(
        "prediction",
        "trust",
        f"Throughput of combinations that were not measured can be predicted for {one.name} to within "
        f"{quantity(comparison.best.held_out_error * 100, '%')} by {comparison.best.model}{than}.",
        comparison.best.held_out_error * 100,
        "%",
        None,
        source,
    )
