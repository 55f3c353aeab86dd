from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.image.base import ImageSpec
from shardmill.sources.spec import SourceSpec
from shardmill.spec import PrepareSpec, Sharding, check_split_name, parse_sharding, parse_size, parse_splits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (("train", 1.0),)),
        ("train=1", (("train", 1.0),)),
        ("train=0.9,val=0.1", (("train", 0.9), ("val", 0.1))),
        (" a = 0.5 , b_2 = .5 ", (("a", 0.5), ("b_2", 0.5))),
        ("a=0.333333,b=0.333333,c=0.333334", (("a", 0.333333), ("b", 0.333333), ("c", 0.333334))),
    ],
)
def test_splits(text: str | None, expected: tuple[tuple[str, float], ...]) -> None:
    assert parse_splits(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train=0.9", "has no ratios above 0 that add up to 1; write it like train=0.9,val=0.1"),
        ("train=0.9,val=0.2", "add up to 1"),
        ("train=1,val=0", "ratios above 0"),
        ("train=1.5,val=-0.5", "ratios above 0"),
        ("train=nan", "add up to 1"),
        ("train=inf", "add up to 1"),
        ("train", "is not a list of names and numbers; write it like train=0.9,val=0.1"),
        ("", "is not a list"),
        ("train=", "is not a list"),
        ("=1", "is not a list"),
        ("train=1,", "is not a list"),
        ("train=0.5,train=0.5", "is not a list"),
        ("train=90%,val=10%", "train=90% is not a number; write it like train=0.9,val=0.1"),
        ("train=a=b", "is not a number"),
        ("tr/ain=1", "'tr/ain' cannot name a split; use letters, digits and underscores"),
        ("../x=1", "cannot name a split"),
    ],
)
def test_what_are_no_splits(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_splits(text)


@pytest.mark.parametrize("name", ["train", "fold_1", "2024", "x" * 64])
def test_names_of_splits(name: str) -> None:
    assert check_split_name(name) == name


@pytest.mark.parametrize("name", ["", "a-b", "a.b", "a/b", "..", "a b", "_hidden", "été", "x²", "x" * 65, "a\n", "a\0"])
def test_what_names_no_split(name: str) -> None:
    """Readers skip files whose names begin with an underscore, and a name must fit a file name."""
    with pytest.raises(UsageError, match="cannot name a split; use letters, digits and underscores"):
        check_split_name(name)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((None, None, None), Sharding()),
        (("16", None, None), Sharding(num_shards=16)),
        ((16, None, None), Sharding(num_shards=16)),
        (("train=16, val=2", None, None), Sharding(per_split=(("train", 16), ("val", 2)))),
        ((None, 1000, None), Sharding(samples_per_shard=1000)),
        ((None, None, 64_000_000), Sharding(max_shard_bytes=64_000_000)),
    ],
)
def test_sharding(given_: tuple[str | int | None, int | None, int | None], expected: Sharding) -> None:
    assert parse_sharding(*given_) == expected


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (("16", 1000, None), "--num-shards and --samples-per-shard exclude each other; give one of them"),
        (("16", 1000, 1), "--num-shards and --samples-per-shard and --max-shard-size exclude"),
        ((None, 1000, 1), "--samples-per-shard and --max-shard-size exclude"),
        (("0", None, None), "--num-shards 0 takes numbers of at least 1"),
        (("-3", None, None), "takes numbers of at least 1"),
        (("train=4,val=0", None, None), "takes numbers of at least 1"),
        (("many", None, None), "--num-shards=many is not a number"),
        (("1.5", None, None), "is not a number"),
        (("", None, None), "is not a number"),
        (("train=4,val", None, None), "--num-shards train=4,val is not a list of names and numbers"),
        ((None, 0, None), "--samples-per-shard is 0; it takes a number of at least 1"),
        ((None, None, 0), "--max-shard-size takes a size above zero, like 128MB"),
    ],
)
def test_what_is_no_sharding(given_: tuple[str | None, int | None, int | None], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_sharding(*given_)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("224", (224, 224)), ("640x480", (640, 480)), ("640X480", (640, 480)), ("1", (1, 1)), ("65500x1", (65_500, 1))],
)
def test_sizes(text: str, expected: tuple[int, int]) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "x", "12x", "x12", "1x2x3", "-5", "2.5", "big", "224 x 224", "²"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size; write it like 224 or 640x480"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "0x5", "65501", "1x65501", "9" * 30])
def test_sizes_that_no_jpeg_has(text: str) -> None:
    with pytest.raises(UsageError, match="is out of range; JPEG holds sides of 1 to 65500 pixels"):
        parse_size(text)


@pytest.mark.oldest
def test_json_never_changes() -> None:
    """Literal: other text here makes data sets of before look as if they were begun with other options."""
    text = json.dumps(PrepareSpec().to_json(), sort_keys=True)
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "6d3dbe5f2852718b62ea11c906217ded4b29012caa1dc2ae8cca136e95c08abd"
    ), text


def test_json_is_plain_and_complete() -> None:
    plain = PrepareSpec(compression="gzip", splits=(("a", 0.5), ("b", 0.5)), labels=("x",)).to_json()
    assert json.loads(json.dumps(plain)) == plain
    for part, kind in (
        (plain, PrepareSpec),
        (plain["image"], ImageSpec),
        (plain["source"], SourceSpec),
        (plain["sharding"], Sharding),
    ):
        assert list(part) == [field.name for field in dataclasses.fields(kind)]
    assert plain["splits"] == [["a", 0.5], ["b", 0.5]]


@given(splits=st.lists(st.integers(1, 1000), min_size=1, max_size=6))
def test_splits_as_they_are_written_come_back(splits: list[int]) -> None:
    ratios = [count / sum(splits) for count in splits]
    text = ",".join(f"s{number}={ratio}" for number, ratio in enumerate(ratios))
    assert [ratio for _, ratio in parse_splits(text)] == ratios
