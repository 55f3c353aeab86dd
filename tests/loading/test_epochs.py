"""Epochs, ranks and states of the native loader."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

import shardmill
from shardmill.errors import UsageError
from shardmill.loading.batches import BatchLoader
from tests.loading.conftest import COUNT, flat


def numbers(loader: BatchLoader) -> list[list[int]]:
    return [batch.numbers.tolist() for batch in loader]


def test_epochs_differ_and_repeat(square: str) -> None:
    images = shardmill.open(square)
    loader = images.batches(8, seed=1)
    first, second = numbers(loader), numbers(loader)
    assert first != second
    assert sorted(flat(first)) == sorted(flat(second)) == list(range(COUNT))
    other = images.batches(8, seed=1, num_threads=1, readahead=0)
    assert (numbers(other), numbers(other)) == (first, second)
    other.set_epoch(0)
    assert numbers(other) == first
    assert numbers(images.batches(8, seed=2)) != first
    assert numbers(images.batches(8, shuffle=False))[0] == list(range(8))


def test_a_loop_that_was_left_begins_the_epoch_again(square: str) -> None:
    loader = shardmill.open(square).batches(8)
    whole = numbers(loader)
    loader.set_epoch(0)
    assert [batch.numbers.tolist() for batch in islice(loader, 2)] == whole[:2]
    assert numbers(loader) == whole


@pytest.mark.parametrize("consumed", [0, 1, 3, 7])
@pytest.mark.parametrize("readahead", [0, 5])
def test_a_state_is_what_was_consumed(consumed: int, readahead: int, square: str) -> None:
    images = shardmill.open(square)
    loader = images.batches(8, readahead=readahead)
    numbers(loader)  # an epoch before
    whole = images.batches(8)
    whole.set_epoch(1)
    expected = numbers(whole)
    running = iter(loader)
    for _ in range(consumed):
        next(running)
    state = loader.state_dict()
    assert state["position"] == min(consumed * 8, COUNT)
    resumed = images.batches(8)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert numbers(resumed) == expected[consumed:]
    assert numbers(resumed) != expected  # the epoch behind it is whole again
    assert len(numbers(resumed)) == len(expected)


@pytest.mark.parametrize("drop", [False, True])
def test_ranks(drop: bool, square: str) -> None:
    images = shardmill.open(square)
    assert len(images) % 3
    exact = [numbers(images.batches(5, rank=rank, world_size=3, ranks="exact")) for rank in range(3)]
    assert sorted(flat(flat(exact))) == list(range(len(images)))
    even = [numbers(images.batches(5, rank=rank, world_size=3, drop_uneven=drop)) for rank in range(3)]
    lengths = [list(map(len, batches)) for batches in even]
    assert lengths[0] == lengths[1] == lengths[2]
    seen = flat(flat(even))
    assert len(seen) - len(images) == (-(len(images) % 3) if drop else 3 - len(images) % 3)
    alone = flat(numbers(images.batches(15)))
    together = [number for step in zip(*even, strict=True) for one in zip(*step, strict=True) for number in one]
    assert together[: len(alone) - 3] == alone[: len(alone) - 3]  # the order does not depend on the ranks


def test_a_state_serves_another_number_of_ranks(square: str) -> None:
    images = shardmill.open(square)
    alone = flat(numbers(images.batches(4)))
    before = []
    states = []
    for rank in range(2):
        loader = images.batches(4, rank=rank, world_size=2, ranks="exact")
        running = iter(loader)
        before += [number for _ in range(3) for number in next(running).numbers.tolist()]
        states.append(loader.state_dict())
    assert states[0] == states[1]
    after = images.batches(7)
    after.load_state_dict(states[0])
    rest = flat(numbers(after))
    assert rest == alone[24:]
    assert sorted(before + rest) == list(range(COUNT))


def test_drop_last(square: str) -> None:
    loader = shardmill.open(square).batches(8, drop_last=True)
    assert len(loader) == COUNT // 8
    assert {len(batch) for batch in loader} == {8}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "the state lacks 'epoch'"),
        (
            {"epoch": 0, "position": 0, "samples": 9, "seed": 0, "shuffle": 1},
            "a run with samples 9, this loader has 50",
        ),
        ({"epoch": 0, "position": 0, "samples": 50, "seed": 1, "shuffle": 1}, "a run with seed 1, this loader has 0"),
        (
            {"epoch": 0, "position": 51, "samples": 50, "seed": 0, "shuffle": 1},
            "position 51 in epoch 0, which does not",
        ),
        ({"epoch": 0, "position": None, "samples": 50, "seed": 0, "shuffle": 1}, "give what state_dict"),
    ],
)
def test_states_that_do_not_fit(state: dict[str, Any], message: str, square: str) -> None:
    with pytest.raises(UsageError, match=message):
        shardmill.open(square).batches(8).load_state_dict(state)
