"""The two families of models: straight lines in throughput, as people fit them, and the physics of a window, in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shardmill.model.observations import Observations
from shardmill.model.regression import Array, Fit, Term, fit, identifiable, solve

BATCH_SIZE: Final = "batch size"
NUM_BATCHES: Final = "number of batches"
PRODUCT: Final = "batch size x number of batches"
PARALLEL_READS: Final = "parallel reads"
CONCURRENCY: Final = "concurrent readers"
HOST: Final = "host"
INTERCEPT: Final = "intercept"

START_UP: Final = "start-up"
PER_IMAGE: Final = "per image"
PER_BATCH: Final = "per batch"
PER_READ: Final = "per parallel read"
PER_IMAGE_SPLIT: Final = "per image, split over parallel reads"
PER_IMAGE_CROWDED: Final = "per image and further concurrent reader"

_ROUNDS: Final = 8
_LEAST: Final = 0.1


@dataclass(frozen=True, slots=True)
class Model:
    """What is fitted: which terms, to what."""

    name: str
    predictors: tuple[str, ...]
    """Of throughput; for the physical model, the factors beyond images and batches that it takes in."""
    target: Literal["rate", "seconds"] = "rate"


MEAN: Final = Model("the mean alone", ())
ALONE: Final = tuple(Model(f"{name} alone", (name,)) for name in (BATCH_SIZE, NUM_BATCHES, PRODUCT))
TOGETHER: Final = Model("the three together", (BATCH_SIZE, NUM_BATCHES, PRODUCT))
PHYSICAL: Final = Model("seconds: start-up, images, batches", (), "seconds")


def models_for(seen: Observations) -> tuple[Model, ...]:
    """The models worth comparing on these rows: those of the factors that vary."""
    more = tuple(
        name
        for name, column in ((PARALLEL_READS, seen.parallel_reads), (CONCURRENCY, seen.concurrency))
        if len(np.unique(column)) > 1
    )
    models = [MEAN, *ALONE, TOGETHER]
    if more:
        models += [Model(f"{name} alone", (name,)) for name in more]
        models.append(Model(f"the three and {' and '.join(more)}", (*TOGETHER.predictors, *more)))
    models.append(PHYSICAL)
    if more:
        models.append(Model(f"{PHYSICAL.name}, {' and '.join(more)}", more, "seconds"))
    if len(seen.hosts) > 1:
        models.append(Model(f"{', '.join((PHYSICAL.name, *more))} and host", (*more, HOST), "seconds"))
    return tuple(models)


def fitted(model: Model, seen: Observations) -> Fit:
    """The model fitted to the rows.

    Throughput is fitted with equal weights, as scikit-learn's `LinearRegression` does. Seconds are fitted with errors
    that grow with the time itself (variance proportional to the square of the mean), since windows of 2 ms and of 2 s
    are in the same rows; the weights follow from the fit, in rounds.

    Source: Wedderburn, "Quasi-likelihood functions, generalized linear models, and the Gauss-Newton method",
    Biometrika 61 (1974).
    """
    terms = terms_of(model, seen)
    if model.target == "rate":
        return fit(terms, seen.rate, seen.cell, proportional=True)
    return fit(terms, seen.seconds, seen.cell, _weights(identifiable(terms)[0], seen))


def solved(model: Model, seen: Observations) -> dict[str, float]:
    """The coefficients of `fitted` by name, without their errors, which take longer."""
    kept, _ = identifiable(terms_of(model, seen))
    if model.target == "rate":
        values = solve(kept, seen.rate, np.ones(len(seen))).values
    else:
        values = solve(kept, seen.seconds, _weights(kept, seen)).values
    return {term.name: float(value) for term, value in zip(kept, values, strict=True)}


def _weights(kept: Sequence[Term], seen: Observations) -> Array:
    """One over the square of the fitted seconds, once these no longer move; of the cells' medians to begin with."""
    medians = cell_medians(seen.seconds, seen)
    expected = medians
    for _ in range(_ROUNDS):
        expected = np.maximum(solve(kept, seen.seconds, 1 / expected**2).fitted, _LEAST * medians)
    return np.asarray(1 / expected**2)


def predicted_rate(model: Model, values: Mapping[str, float], seen: Observations) -> Array:
    """Images a second that a model with these coefficients expects for each row of `seen`, shape (n,)."""
    columns = {term.name: term.column for term in terms_of(model, seen)}
    total = np.zeros(len(seen))
    for name, value in values.items():
        total += value * columns[name]
    if model.target == "rate":
        return total
    return np.where(total > 0, seen.images / np.where(total > 0, total, 1.0), np.inf)


def terms_of(model: Model, seen: Observations) -> list[Term]:
    """The design of a model on these rows."""
    ones = np.ones(len(seen))
    if model.target == "rate":
        columns = {
            BATCH_SIZE: (seen.batch_size, "images/s per image of a batch"),
            NUM_BATCHES: (seen.num_batches, "images/s per batch"),
            PRODUCT: (seen.batch_size * seen.num_batches, "images/s per image of a window"),
            PARALLEL_READS: (seen.parallel_reads, "images/s per parallel read"),
            CONCURRENCY: (seen.concurrency, "images/s per concurrent reader"),
        }
        return [
            Term(INTERCEPT, "images/s", ones),
            *(Term(name, columns[name][1], columns[name][0]) for name in model.predictors),
        ]
    terms = [
        Term(PER_IMAGE, "s per image", seen.images),
        Term(START_UP, "s", ones),
        Term(PER_BATCH, "s per batch", seen.num_batches),
    ]
    if PARALLEL_READS in model.predictors:
        terms.append(Term(PER_IMAGE_SPLIT, "s per image", seen.images / seen.parallel_reads))
        terms.append(Term(PER_READ, "s per read", seen.parallel_reads))
    if CONCURRENCY in model.predictors:
        terms.append(Term(PER_IMAGE_CROWDED, "s per image", seen.images * (seen.concurrency - 1)))
    if HOST in model.predictors:
        terms += [
            Term(f"per image on {name}, beyond {seen.hosts[0]}", "s per image", seen.images * (seen.host == place))
            for place, name in enumerate(seen.hosts)
            if place > 0
        ]
    return terms


def cell_medians(values: Array, seen: Observations) -> Array:
    """For each row the median of its cell, shape (n,)."""
    medians = np.empty(len(seen))
    for cell in np.unique(seen.cell):
        rows = seen.cell == cell
        medians[rows] = np.median(values[rows])
    return medians
