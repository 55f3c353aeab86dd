"""Results that travelled as JSON, as the dataclasses that they were."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints


def restored(hint: Any, value: Any) -> Any:  # noqa: ANN401  # any type expression, any JSON value
    """`value`, which `dataclasses.asdict` and JSON made of something of type `hint`, as that again.

    Knows what results are made of: dataclasses, tuples and lists, mappings, unions with None, and plain values. A field
    that the sender did not know keeps its default, and one that only the sender knows is left out.
    """
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        arms = [arm for arm in get_args(hint) if arm is not type(None)]
        return None if value is None else restored(arms[0], value)
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, dict):
        hints = get_type_hints(hint)
        known = {field.name for field in fields(hint) if field.init}
        return hint(**{name: restored(hints[name], one) for name, one in value.items() if name in known})
    if origin is tuple and isinstance(value, list):
        arms = list(get_args(hint))
        if len(arms) == 2 and arms[1] is Ellipsis:
            return tuple(restored(arms[0], one) for one in value)
        return tuple(restored(arm, one) for arm, one in zip(arms, value, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        return {name: restored(get_args(hint)[1], one) for name, one in value.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence) and isinstance(value, list):
        return [restored(get_args(hint)[0], one) for one in value]
    return value
