from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from shardmill.operations.cluster.plain import restored


@dataclass(frozen=True)
class Inner:
    name: str
    share: float | None = None


@dataclass(frozen=True)
class Outer:
    count: int
    pairs: tuple[tuple[str, float], ...]
    inner: tuple[Inner, ...]
    by_name: Mapping[str, Inner]
    numbers: Sequence[int]
    either: Inner | None
    plain: dict[str, Any] | None
    later: str = "default"
    derived: int = field(default=7, init=False)


FULL = Outer(
    1, (("a", 0.5),), (Inner("x"), Inner("y", 1.0)), {"k": Inner("z")}, [1, 2], Inner("w"), {"a": [1]}, "given"
)


@pytest.mark.parametrize("value", [FULL, Outer(0, (), (), {}, [], None, None)])
def test_what_travelled_as_json_comes_back(value: Outer) -> None:
    assert restored(Outer, json.loads(json.dumps(asdict(value)))) == value


def test_fields_that_only_one_side_knows() -> None:
    sent = json.loads(json.dumps(asdict(FULL)))
    del sent["later"]
    assert restored(Outer, sent | {"newer": 1}).later == "default"
