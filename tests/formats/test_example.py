from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardmill.formats.example import ExampleError, FeatureValue, decode_example, encode_example
from tests.extras import needed

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
VALUES = st.one_of(
    st.binary(max_size=300),
    INT64,
    st.lists(st.binary(max_size=40)),
    st.lists(INT64, min_size=1),
    st.lists(FLOAT32, min_size=1),
)
FEATURES = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), VALUES, max_size=6)


def as_lists(features: dict[str, FeatureValue]) -> dict[str, list[bytes] | list[int] | list[float]]:
    return {name: [value] if isinstance(value, bytes | int) else list(value) for name, value in features.items()}  # type: ignore[misc]


@given(FEATURES)
def test_round_trip(features: dict[str, FeatureValue]) -> None:
    assert decode_example(encode_example(features)) == as_lists(features)


@given(FEATURES)
def test_order_of_the_mapping_does_not_matter(features: dict[str, FeatureValue]) -> None:
    assert encode_example(dict(reversed(features.items()))) == encode_example(features)


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 5_000_000])
def test_lengths_of_every_width(size: int) -> None:
    assert decode_example(encode_example({"b": bytes(size), "a": 1})) == {"a": [1], "b": [bytes(size)]}


def test_what_is_decoded_is_the_callers_own() -> None:
    encoded = encode_example({"label": 3})
    decode_example(encoded)["label"].clear()
    assert decode_example(encoded) == {"label": [3]}


def test_numbers_that_are_not_packed() -> None:
    ints = b"\x08\x05\x08\x96\x01"
    floats = b"\x0d" + struct.pack("<f", 1.5) + b"\x0d" + struct.pack("<f", -2.0)
    entries = b""
    for name, kind, body in ((b"i", 0x1A, ints), (b"f", 0x12, floats)):
        feature = bytes([kind, len(body)]) + body
        entry = b"\x0a\x01" + name + b"\x12" + bytes([len(feature)]) + feature
        entries += b"\x0a" + bytes([len(entry)]) + entry
    assert decode_example(b"\x0a" + bytes([len(entries)]) + entries) == {"i": [5, 150], "f": [1.5, -2.0]}


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_read_but_never_crash(data: bytes) -> None:
    try:
        decode_example(data)
    except ExampleError as error:
        assert "tf.train.Example" in str(error)  # noqa: PT017  # either way is right for arbitrary bytes


@given(FEATURES.filter(bool), st.data())
def test_a_cut_is_seen(features: dict[str, FeatureValue], data: st.DataObject) -> None:
    encoded = encode_example(features)
    with pytest.raises(ExampleError):
        decode_example(encoded[: data.draw(st.integers(1, len(encoded) - 1))])


def test_mixed_types_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="'x' mixes types"):
        encode_example({"x": [1, 2.0]})


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_protobuf_agrees() -> None:
    tf = needed("tensorflow")
    features: dict[str, FeatureValue] = {
        "bytes": b"x" * 300,
        "empty": b"",
        "several": [b"a", b"", b"c" * 200],
        "int": -1,
        "ints": [0, 1, -(2**63), 2**63 - 1],
        "floats": [0.5, -1.0],
        "ü" * 100: 7,
    }
    example = tf.train.Example.FromString(encode_example(features))
    theirs = {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }
    assert theirs == as_lists(features)
    assert decode_example(example.SerializeToString()) == theirs
