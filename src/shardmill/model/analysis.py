"""All that is to be said of the rows of a speed test: models of each arm, of all together, ratios between arms, and limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shardmill.model.held_out import Comparison, compare, r_squared
from shardmill.model.importance import Importance, block_shares, importance
from shardmill.model.observations import Arm, Factors, Observations, Timed, arm_names, by_arm, counted, observe
from shardmill.model.predictors import (
    CONCURRENCY,
    INTERCEPT,
    PARALLEL_READS,
    TOGETHER,
    Model,
    cell_medians,
    fitted,
    models_for,
    predicted_rate,
    terms_of,
)
from shardmill.model.ratio import Ratio, ratio
from shardmill.model.regression import Fit, Term, fit
from shardmill.model.residuals import Check, Drift, checks, drift, outliers
from shardmill.model.roofline import Roofline, rooflines


@dataclass(frozen=True, slots=True)
class Fitted:
    """One model of one arm."""

    model: Model
    fit: Fit
    r2: float
    """Of throughput."""
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class ArmAnalysis:
    """One arm."""

    arm: Arm
    name: str
    """How it differs from the other arms."""
    seen: Observations
    models: tuple[Fitted, ...]
    comparison: Comparison | None
    """None where there are fewer than three cells."""
    importance: Importance | None
    """None where no factor varies, or there are fewer than three cells."""
    drift: Drift
    outliers: int
    spread: float
    """Half of the cells scatter less: interquartile range of a cell over its median; nan with one repetition."""
    widest: tuple[Factors, float] | None
    """The cell that scatters most."""
    roofline: Roofline

    @property
    def repetitions(self) -> float:
        """Rows a cell, on average."""
        return len(self.seen) / len(self.seen.cells)

    @property
    def physical(self) -> Fitted:
        """The fullest physical model."""
        return [one for one in self.models if one.model.target == "seconds"][-1]

    @property
    def straight(self) -> Fitted:
        """The regression on batch size, number of batches and their product."""
        return next(one for one in self.models if one.model == TOGETHER)


@dataclass(frozen=True, slots=True)
class Pooled:
    """One straight-line model of all arms together."""

    fit: Fit
    r2: float
    shares: tuple[tuple[str, float], ...]
    """Of the variance of throughput, the largest first."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything."""

    arms: tuple[ArmAnalysis, ...]
    """Shards before files."""
    pooled: Pooled | None
    """None with one arm."""
    ratios: tuple[tuple[ArmAnalysis, ArmAnalysis, Ratio], ...]
    """Shards over files, for arms alike in all but source, format and reader."""
    rows: int
    warm_ups: int
    not_as_asked: int
    """Rows whose cache was not in the state asked for; left out."""


def analyse(rows: Iterable[Timed], cores: int) -> Analysis:
    """Fit every model to the rows that count.

    Args:
        rows: Of one speed test or of several.
        cores: Of the machine that measured.
    """
    everything = list(rows)
    arms = by_arm(everything)
    names = arm_names(list(arms))
    roofs = rooflines(arms, cores)
    analysed = tuple(_arm(arm, names[arm], observe(of_arm), roofs[arm]) for arm, of_arm in arms.items())
    warm_ups = sum(row.warm_up for row in everything)
    return Analysis(
        arms=analysed,
        pooled=_pooled(analysed) if len(analysed) > 1 else None,
        ratios=tuple(_ratios(analysed)),
        rows=sum(len(one.seen) for one in analysed),
        warm_ups=warm_ups,
        not_as_asked=sum(not row.warm_up and not counted(row) for row in everything),
    )


def _arm(arm: Arm, name: str, seen: Observations, roof: Roofline) -> ArmAnalysis:
    models = models_for(seen)
    fits = []
    for model in models:
        found = fitted(model, seen)
        values = {one.name: one.value for one in found.coefficients}
        explained = r_squared(seen.rate, predicted_rate(model, values, seen))
        fits.append(Fitted(model, found, explained, checks(model, found, seen)))
    spreads = cell_spreads(seen)
    factors = [*TOGETHER.predictors, PARALLEL_READS, CONCURRENCY]
    return ArmAnalysis(
        arm=arm,
        name=name,
        seen=seen,
        models=tuple(fits),
        comparison=compare(models, seen),
        importance=importance(factors, seen),
        drift=drift(seen),
        outliers=int(outliers(seen).sum()),
        spread=float(np.median(list(spreads.values()))) if spreads else math.nan,
        widest=max(spreads.items(), key=lambda entry: entry[1]) if spreads else None,
        roofline=roof,
    )


def cell_spreads(seen: Observations) -> dict[Factors, float]:
    """Interquartile range of throughput over its median, for each cell with repetitions."""
    found = {}
    for cell in np.unique(seen.cell):
        rates = seen.rate[seen.cell == cell]
        if len(rates) > 1:
            low, middle, high = np.quantile(rates, (0.25, 0.5, 0.75))
            found[seen.cells[cell]] = float((high - low) / middle)
    return found


def medians(seen: Observations) -> Mapping[Factors, float]:
    """Median throughput of each cell."""
    values = cell_medians(seen.rate, seen)
    return {seen.cells[cell]: float(values[np.flatnonzero(seen.cell == cell)[0]]) for cell in np.unique(seen.cell)}


def _ratios(arms: Sequence[ArmAnalysis]) -> Iterable[tuple[ArmAnalysis, ArmAnalysis, Ratio]]:
    for above, below in itertools.product(arms, arms):
        one, other = above.arm, below.arm
        alike = (one.decode, one.cache, one.engine) == (other.decode, other.cache, other.engine)
        if alike and one.source == "shards" and other.source == "files":
            found = ratio(above.seen, below.seen)
            if found is not None:
                yield above, below, found


def _pooled(arms: Sequence[ArmAnalysis]) -> Pooled:
    """The three together with an intercept for each arm, over the rows of all arms."""
    y = np.concatenate([one.seen.rate for one in arms])
    of_arm = np.repeat(np.arange(len(arms)), [len(one.seen) for one in arms])
    offsets = np.cumsum([0, *(len(one.seen.cells) for one in arms)])
    cell = np.concatenate([one.seen.cell + offset for one, offset in zip(arms, offsets, strict=False)])
    designs = [terms_of(TOGETHER, one.seen) for one in arms]
    shared = [
        Term(terms[0].name, terms[0].unit, np.concatenate([term.column for term in terms]))
        for terms in zip(*designs, strict=True)
    ]
    base = len(arms) - 1
    shifts = [
        Term(f"{one.name} instead of {arms[base].name}", "images/s", (of_arm == place).astype(np.float64))
        for place, one in enumerate(arms)
        if place != base
    ]
    terms = [shared[0], *shifts, *shared[1:]]
    found = fit(terms, y, cell, proportional=True)
    blocks = {"what is read, and how": shifts, **{term.name: [term] for term in shared if term.name != INTERCEPT}}
    shares = block_shares({name: np.column_stack([term.column for term in block]) for name, block in blocks.items()}, y)
    ranked = tuple(sorted(shares.items(), key=lambda entry: -entry[1]))
    return Pooled(found, r_squared(y, found.fitted), ranked)
