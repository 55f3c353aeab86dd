from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.plan.keys import key_digests, shuffle_order, split_by_ratio

RATIOS = (("train", 0.7), ("val", 0.2), ("test", 0.1))
MANY = [f"class{number % 7}/{number:06d}.jpg" for number in range(20_000)]


def zeros(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.zeros(count, dtype=np.uint64)


@pytest.mark.oldest
def test_digests_never_change() -> None:
    """Literal: another value here puts every data set's images in other shards than before."""
    a, b = key_digests(["ash/0000.jpg", "", "Zürich/ä.png", "a\udcff.jpg"])
    assert a.tolist() == [0xA875377A9D402217, 0x40BDEFD94169E6CA, 0xB2BD6AE26042D2A3, 0xED581CAA94DC73D7]
    assert b.tolist() == [0x4E988547C3A9FF78, 0x7076A68E75884D4E, 0x2A1365283F1EFB56, 0x03008F2C2269CEF0]


@pytest.mark.oldest
def test_order_never_changes() -> None:
    _, b = key_digests(["ash/0000.jpg", ""])
    assert shuffle_order(b, 0, zeros(2)).tolist() == [0x12F090C790A8A7A6, 0x00DC1B3114A14462]
    assert shuffle_order(b, 1, zeros(2)).tolist() == [0x6EC36D6C7BFAE992, 0x913BB01EEA7DAF8B]
    assert shuffle_order(b, -1, zeros(2)).tolist() == [0xC420F4630858FFCB, 0xBFC7501438AF1712]
    assert shuffle_order(b, 0, zeros(2) + np.uint64(1)).tolist() == [0x0F56FD0141F2287F, 0xEB0140396EBC963C]


@pytest.mark.oldest
def test_sides_never_change() -> None:
    a, _ = key_digests(f"{number}.jpg" for number in range(20))
    assert split_by_ratio(a, RATIOS).tolist() == [2, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0]


def test_digest_is_that_of_the_file_name_on_disk() -> None:
    a, b = key_digests([b"\xff\xfe.jpg".decode("utf-8", "surrogateescape")])
    expected = blake2b(b"\xff\xfe.jpg", digest_size=16).digest()
    assert (int(a[0]).to_bytes(8, "little") + int(b[0]).to_bytes(8, "little")) == expected


def test_mixing_is_that_of_splitmix64() -> None:
    """0xE220A8397B1DCDAF is the published first output for the state 0; the salt of seed 0 is the same number."""
    first_output = np.array([0xE220A8397B1DCDAF], dtype=np.uint64)
    assert shuffle_order(first_output, 0, zeros(1)).tolist() == [0xE220A8397B1DCDAF]


def test_no_keys() -> None:
    a, b = key_digests([])
    assert len(a) == len(b) == len(shuffle_order(b, 0, zeros(0))) == len(split_by_ratio(a, RATIOS)) == 0


def test_ratios_hold_within_five_standard_deviations() -> None:
    counts = np.bincount(split_by_ratio(key_digests(MANY)[0], RATIOS), minlength=3)
    for (_, ratio), count in zip(RATIOS, counts, strict=True):
        assert abs(count - len(MANY) * ratio) < 5 * (len(MANY) * ratio * (1 - ratio)) ** 0.5


def test_one_split_takes_all() -> None:
    assert not split_by_ratio(key_digests(MANY)[0], [("train", 1.0)]).any()


@given(keys=st.lists(st.text(max_size=12), max_size=30), others=st.lists(st.text(max_size=12), max_size=30))
def test_a_split_follows_from_the_key_alone(keys: list[str], others: list[str]) -> None:
    alone = split_by_ratio(key_digests(keys)[0], RATIOS)
    together = split_by_ratio(key_digests([*others, *keys])[0], RATIOS)
    assert alone.tolist() == together[len(others) :].tolist()


def test_a_new_split_moves_nobody_between_the_others() -> None:
    """Bounds are cumulative: cutting `val` in two leaves `train` as it was."""
    a, _ = key_digests(MANY)
    before = split_by_ratio(a, [("train", 0.8), ("val", 0.2)])
    after = split_by_ratio(a, [("train", 0.8), ("val", 0.1), ("test", 0.1)])
    assert ((before == 0) == (after == 0)).all()


def test_the_shuffle_is_a_permutation_of_its_own_for_each_seed() -> None:
    _, b = key_digests(MANY)
    places = {seed: np.argsort(np.argsort(shuffle_order(b, seed, zeros(len(b))))) for seed in range(4)}
    for seed, place in places.items():
        assert abs(np.corrcoef(place, np.arange(len(b)))[0, 1]) < 0.04, "the listing's order shows through"
        for other in range(seed):
            assert abs(np.corrcoef(place, places[other])[0, 1]) < 0.04, "two seeds give orders that are alike"


def test_sides_are_spread_evenly_over_the_shuffle() -> None:
    a, b = key_digests(MANY)
    shuffled = split_by_ratio(a, RATIOS)[np.argsort(shuffle_order(b, 0, zeros(len(b))))]
    for part in np.split(shuffled == 1, 10):
        assert abs(part.sum() - 400) < 5 * (2000 * 0.2 * 0.8) ** 0.5


def test_repeats_of_a_key_lie_apart() -> None:
    _, b = key_digests(["same"] * 1000)
    order = shuffle_order(b, 0, np.arange(1000, dtype=np.uint64))
    assert len(set(order.tolist())) == 1000
    assert np.ptp(order.astype(float)) > 0.9 * 2**64


@pytest.mark.parametrize("seed", [2**64, 2**70 + 5, -(2**70)])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    _, b = key_digests(["x"])
    assert shuffle_order(b, seed, zeros(1)).tolist() == shuffle_order(b, seed % 2**64, zeros(1)).tolist()
