from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from shardmill.errors import UsageError
from shardmill.image.base import Encoded, ImageSpec, Refused
from tests.extras import needed
from tests.image.conformance import READABLE, SPEC, UNREADABLE, TransformConformance

pytestmark = pytest.mark.tensorflow
needed("tensorflow")
tensorflow = import_module("shardmill.image.tensorflow")


class TestTensorFlowTransform(TransformConformance):
    name = "tensorflow"
    window = 32


def test_chroma_that_it_cannot_write_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="422"):
        tensorflow.TensorFlowTransform(ImageSpec(chroma="422"))


def test_one_thread_and_a_window_of_one_do_not_deadlock() -> None:
    images = [READABLE["plain"].data, UNREADABLE["empty"].data, READABLE["rgba"].data] * 3
    outcomes = list(tensorflow.TensorFlowTransform(SPEC, threads=1, window=1).run(images))
    assert [type(outcome) for outcome in outcomes] == [Encoded, Refused, Encoded] * 3


def test_reads_ahead_only_as_many_bytes_as_asked() -> None:
    pulled = 0

    def endless() -> Iterator[bytes]:
        nonlocal pulled
        while True:
            pulled += 1
            yield READABLE["plain"].data

    run = tensorflow.TensorFlowTransform(SPEC, window_bytes=2 * 90 * 60 * 3).run(endless())
    next(run)
    assert pulled == 2


def test_image_that_only_tensorflow_cannot_decode_neither_stops_nor_shifts_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorflow, "_strictly_checked", lambda jpeg, intake: None)
    plain, half = READABLE["plain"].data, UNREADABLE["half a jpeg"].data
    outcomes = list(tensorflow.TensorFlowTransform(SPEC).run([plain, half, plain, half, half, plain]))
    assert [type(outcome) for outcome in outcomes] == [Encoded, Refused, Encoded, Refused, Refused, Encoded]
    assert outcomes[0] == outcomes[2] == outcomes[5]
