"""The models find what was put in: each true value inside its 95 % interval in at least 90 of 100 trials, counted singly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from shardmill.model.importance import importance
from shardmill.model.observations import Observations, observe
from shardmill.model.predictors import (
    BATCH_SIZE,
    CONCURRENCY,
    INTERCEPT,
    NUM_BATCHES,
    PARALLEL_READS,
    PER_BATCH,
    PER_IMAGE,
    PER_IMAGE_CROWDED,
    PER_IMAGE_SPLIT,
    PER_READ,
    PHYSICAL,
    PRODUCT,
    START_UP,
    TOGETHER,
    Model,
    fitted,
)
from tests.model.synthetic import rows

TRIALS = 100
ENOUGH = 90


def hits(model: Model, truth: dict[str, float], trials: Iterable[Observations]) -> Counter[str]:
    """In how many trials each true value lies inside its interval."""
    counted = Counter(dict.fromkeys(truth, 0))
    for seen in trials:
        found = fitted(model, seen)
        for name, value in truth.items():
            low, high = found[name].interval
            counted[name] += low <= value <= high
    return counted


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.2])
@pytest.mark.parametrize("repetitions", [1, 2, 5])
def test_start_up_images_and_batches(noise: float, repetitions: int) -> None:
    truth = {START_UP: 4e-3, PER_IMAGE: 180e-6, PER_BATCH: 250e-6}

    def seconds(size: int, count: int, parallel: int, crowd: int) -> float:
        return truth[START_UP] + size * count * truth[PER_IMAGE] + count * truth[PER_BATCH]

    trials = (observe(rows(seconds, seed, noise=noise, repetitions=repetitions)) for seed in range(TRIALS))
    counted = hits(PHYSICAL, truth, trials)
    assert min(counted.values()) >= ENOUGH, counted


def test_parallel_reads_and_concurrent_readers() -> None:
    truth = {
        START_UP: 3e-3, PER_IMAGE: 120e-6, PER_BATCH: 200e-6,
        PER_IMAGE_SPLIT: 300e-6, PER_READ: 1e-3, PER_IMAGE_CROWDED: 60e-6,
    }  # fmt: skip

    def seconds(size: int, count: int, parallel: int, crowd: int) -> float:
        images = size * count
        shared = images * (truth[PER_IMAGE_SPLIT] / parallel + truth[PER_IMAGE_CROWDED] * (crowd - 1))
        return (
            truth[START_UP] + images * truth[PER_IMAGE] + count * truth[PER_BATCH] + shared + parallel * truth[PER_READ]
        )

    model = Model("all", (PARALLEL_READS, CONCURRENCY), "seconds")
    trials = (
        observe(
            rows(seconds, seed, repetitions=3, batch_sizes=(2, 8, 32), parallel_reads=(1, 2, 4), concurrency=(1, 2))
        )
        for seed in range(TRIALS)
    )
    counted = hits(model, truth, trials)
    assert min(counted.values()) >= ENOUGH, counted


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_a_planted_interaction_in_throughput(noise: float) -> None:
    truth = {INTERCEPT: 2000.0, BATCH_SIZE: 20.0, NUM_BATCHES: 15.0, PRODUCT: 1.2}

    def seconds(size: int, count: int, parallel: int, crowd: int) -> float:
        rate = truth[INTERCEPT] + size * truth[BATCH_SIZE] + count * truth[NUM_BATCHES] + size * count * truth[PRODUCT]
        return size * count / rate

    # the mean of 1 / noise is 1 + noise^2: what is planted in throughput is that much higher
    lifted = {name: value * (1 + noise**2) for name, value in truth.items()}
    trials = [observe(rows(seconds, seed, noise=noise)) for seed in range(TRIALS)]
    counted = hits(TOGETHER, lifted, trials)
    seen_it = sum(fitted(TOGETHER, seen)[PRODUCT].sure for seen in trials)
    assert min(counted.values()) >= ENOUGH, counted
    assert seen_it >= ENOUGH


def test_nothing_to_find() -> None:
    """Throughput that depends on nothing: no start-up, no cost of a batch, no predictor; and it is said."""
    truth = {START_UP: 0.0, PER_IMAGE: 200e-6, PER_BATCH: 0.0}
    trials = [observe(rows(lambda size, count, parallel, crowd: size * count * 200e-6, seed)) for seed in range(TRIALS)]
    counted = hits(PHYSICAL, truth, trials)
    assert min(counted.values()) >= ENOUGH, counted
    found = [importance((BATCH_SIZE, NUM_BATCHES, PRODUCT), seen) for seen in trials]
    silent = [one for one in found if one is not None and one.strongest is None]
    assert len(silent) >= ENOUGH
    assert sum(one.still_possible < 0.15 for one in silent) >= ENOUGH / 2
    for name in (BATCH_SIZE, NUM_BATCHES, PRODUCT):
        assert sum(not fitted(TOGETHER, seen)[name].sure for seen in trials) >= ENOUGH


def test_the_strongest_predictor_is_the_one_that_was_planted() -> None:
    planted: tuple[tuple[str, Callable[[int, int], float]], ...] = (
        (BATCH_SIZE, lambda size, count: 3000 + 40 * size + count),
        (NUM_BATCHES, lambda size, count: 3000 + 60 * count + size),
    )
    for name, rate in planted:
        for seed in range(20):
            seen = observe(rows(partial(seconds_at, rate), seed))
            found = importance((BATCH_SIZE, NUM_BATCHES, PRODUCT), seen)
            assert found is not None
            assert found.strongest is not None
            assert found.strongest.name == name
            assert not found.tied


def seconds_at(rate: Callable[[int, int], float], size: int, count: int, parallel: int, crowd: int) -> float:
    """Of a window, at that throughput."""
    return size * count / rate(size, count)
