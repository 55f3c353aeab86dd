"""Arguments of public functions, held against their type hints where they come in.

Python checks no hints, and a caller without a type checker would see a misspelt word pass for another mode, or a text
taken for a list of its letters. One line puts it right: `@checked` on the function. The command line reads the same hints.
"""

from __future__ import annotations

import inspect
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, Final, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from shardmill.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_KINDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, called only with arguments that fit its type hints; put it on every public function.

    Checked are literals, text, numbers, booleans, sequences and mappings of them, unions, callables and classes. What
    says the same in another type is converted: a path or a whole number where text is asked for (`Path("shards")`,
    `size=224`), the numbers of numpy. Signature, hints and docstring stay those of `function`.

    Raises:
        UsageError: when called, an argument does not fit; it names the argument and says what it takes.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signature, hints = _signature(function)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            hint, kind = hints.get(name, Any), signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[name] = tuple(fit(name, one, hint) for one in value)
            elif kind is not inspect.Parameter.VAR_KEYWORD:
                bound.arguments[name] = fit(name, value, hint)
        return function(*bound.args, **bound.kwargs)

    return call


def fit(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401  # any argument, any type expression
    """`value` as `hint` has it.

    Raises:
        UsageError: it does not fit; `name` says which argument it is.
    """
    try:
        return _fitted(value, hint)
    except _MisfitError:
        raise UsageError(f"{name} is {_shown(value)}; it takes {_expected(hint)}{_remedy(value, hint)}") from None


def alternatives(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401  # a type expression
    """The types that `hint` allows, None left out; it alone where it is no union."""
    if get_origin(hint) not in (typing.Union, types.UnionType):
        return (hint,)
    return tuple(arm for arm in get_args(hint) if arm is not type(None))


def items_of(hint: Any) -> Any:  # noqa: ANN401  # a type expression
    """The type of the items where `hint` is a list or another collection in order, else None."""
    origin = get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return get_args(hint)[0]
    return None


class _MisfitError(Exception):
    """A value does not fit; caught in `fit`."""


@cache
def _signature(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    return inspect.signature(function), get_type_hints(function)


def _fitted(value: Any, hint: Any) -> Any:  # noqa: ANN401  # any argument; a table of cases
    if hint is Any or isinstance(hint, TypeVar):
        return value
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _fitted_to_any(value, get_args(hint))
    if hint is None or hint is type(None):
        return _only(value, value is None)
    if origin is Literal:
        return _only(value, any(value == choice and type(value) is type(choice) for choice in get_args(hint)))
    if hint in _SIMPLE:
        return _SIMPLE[hint](value)
    if (item := items_of(hint)) is not None:
        return _fitted_items(value, item, get_args(hint))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, entry = get_args(hint)
        _only(value, isinstance(value, Mapping))
        return {_fitted(name, key): _fitted(one, entry) for name, one in value.items()}
    runtime = origin or hint
    if runtime is Callable or getattr(runtime, "_is_protocol", False):
        return _only(value, runtime is not Callable or callable(value))  # a protocol has only methods to go by
    return _only(value, not isinstance(runtime, type) or isinstance(value, runtime))


def _fitted_to_any(value: Any, arms: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """The first of `arms` that takes `value` as it is, else the first that can convert it."""
    fitting = []
    for arm in arms:
        try:
            fitted = _fitted(value, arm)
        except _MisfitError:
            continue
        if fitted is value:
            return value
        fitting.append(fitted)
    _only(value, bool(fitting))
    return fitting[0]


def _fitted_items(value: Any, item: Any, all_items: tuple[Any, ...]) -> Any:  # noqa: ANN401
    _only(value, isinstance(value, Sequence) and not isinstance(value, str | bytes))
    if len(all_items) > 1 and all_items[1] is not Ellipsis:  # a tuple of that length
        _only(value, len(value) == len(all_items))
        return tuple(_fitted(one, each) for one, each in zip(value, all_items, strict=True))
    return (tuple if isinstance(value, tuple) else list)(_fitted(one, item) for one in value)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    elif isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(value)
    return str(_only(value, isinstance(value, str))) if type(value) is not str else value


def _whole(value: Any) -> int:  # noqa: ANN401
    _only(value, isinstance(value, numbers.Integral) and not isinstance(value, bool))
    return value if type(value) is int else int(value)


def _number(value: Any) -> float:  # noqa: ANN401
    _only(value, isinstance(value, numbers.Real) and not isinstance(value, bool))
    return value if type(value) in (int, float) else float(value)


def _only(value: Any, fits: bool) -> Any:  # noqa: ANN401
    if not fits:
        raise _MisfitError
    return value


_SIMPLE: Final[Mapping[Any, Callable[[Any], Any]]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: lambda value: _only(value, isinstance(value, bool)),
}


def _expected(hint: Any) -> str:  # noqa: ANN401
    described = [_described(arm) for arm in alternatives(hint)]
    if len(described) < len(get_args(hint)) and get_origin(hint) in (typing.Union, types.UnionType):
        described.append("None")
    return " or ".join(described)


def _described(hint: Any) -> str:  # noqa: ANN401
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(hint))
    if (item := items_of(hint)) is not None:
        return (
            f"a list of {_expected(item).removeprefix('a ')}s"
            if item in (int, float)
            else f"a list of {_expected(item)}"
        )
    if hint in _KINDS:
        return _KINDS[hint]
    runtime = get_origin(hint) or hint
    if isinstance(runtime, type) and issubclass(runtime, Mapping):
        return f"a mapping of names to {_expected(get_args(hint)[1])}"
    return "something to call" if runtime is Callable else f"a {getattr(runtime, '__name__', runtime)}"


def _remedy(value: Any, hint: Any) -> str:  # noqa: ANN401
    lists = [arm for arm in alternatives(hint) if items_of(arm) is not None]
    return f": give [{_shown(value)}]" if lists and isinstance(value, str) else ""


def _shown(value: Any) -> str:  # noqa: ANN401
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
