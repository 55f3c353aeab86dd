from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.loading.order import EpochOrder, Share

counts = st.integers(0, 300)
worlds = st.integers(1, 7)


@given(counts, st.integers(-(2**70), 2**70), st.integers(0, 10**9))
def test_an_epoch_visits_every_sample_once(count: int, seed: int, epoch: int) -> None:
    order = EpochOrder(count, seed, epoch).at(np.arange(count))
    assert sorted(order.tolist()) == list(range(count))


def test_the_order_is_fixed_for_all_time() -> None:
    """A state saved today must mean the same order in later versions, on any machine."""
    assert EpochOrder(10, 0, 0).at(np.arange(10)).tolist() == [2, 4, 6, 8, 5, 1, 7, 0, 9, 3]
    assert EpochOrder(10, 7, 3).at(np.arange(10)).tolist() == [9, 2, 1, 7, 0, 5, 8, 6, 3, 4]


def test_seeds_and_epochs_are_unrelated() -> None:
    orders = [EpochOrder(1000, seed, epoch).at(np.arange(1000)) for seed in range(5) for epoch in range(5)]
    same = [np.mean(one == other) for place, one in enumerate(orders) for other in orders[:place]]
    assert max(same) < 0.01
    ranks = np.array(orders)
    assert np.abs(ranks.mean(axis=0) - 499.5).max() < 300  # no place draws small or large numbers
    steps = np.diff(ranks[0])
    assert len(np.unique(steps)) > 500  # no lattice


def test_without_shuffle_the_order_is_that_of_the_shards() -> None:
    assert EpochOrder(5, 3, 1, shuffle=False).at(np.arange(7)).tolist() == [0, 1, 2, 3, 4, 0, 1]


@given(counts, worlds, st.data())
def test_exact_shares_hold_each_position_once(count: int, world: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, count))
    shares = [Share(count, rank, world, "exact", start=start) for rank in range(world)]
    positions = np.concatenate([share.positions(0, len(share)) for share in shares])
    assert sorted(positions.tolist()) == list(range(start, count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(counts, worlds, st.booleans(), st.data())
def test_even_shares_are_of_one_length(count: int, world: int, drop: bool, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, count))
    shares = [Share(count, rank, world, "even", drop, start) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    positions = sorted(np.concatenate([share.positions(0, len(share)) for share in shares]).tolist())
    assert positions == list(range(start, start + len(positions)))
    assert -world < len(positions) - (count - start) < world
    assert (len(positions) <= count - start) if drop else (len(positions) >= count - start)


@pytest.mark.parametrize("ranks", ["exact", "even"])
def test_a_share_goes_on_where_another_number_of_ranks_stopped(ranks: Literal["exact", "even"]) -> None:
    first = [Share(100, rank, 3, ranks) for rank in range(3)]
    done = [position for share in first for position in share.positions(0, 8).tolist()]
    (reached,) = {share.behind(8) for share in first}
    rest = [Share(100, rank, 4, ranks, start=reached) for rank in range(4)]
    later = [position for share in rest for position in share.positions(0, len(share)).tolist()]
    assert sorted(done + later) == list(range(100))


def test_a_rank_beyond_the_world_is_refused() -> None:
    with pytest.raises(UsageError, match="rank is 2 of 2"):
        Share(10, 2, 2)
