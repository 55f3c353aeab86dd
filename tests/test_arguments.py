from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import shardmill
from shardmill.arguments import checked
from shardmill.errors import UsageError

pytestmark = pytest.mark.oldest

FUNCTIONS = [name for name in shardmill.__all__ if inspect.isfunction(getattr(shardmill, name))]


@checked
def job(
    source: str,
    *others: str,
    mode: Literal["fast", "slow"] = "fast",
    include: Sequence[str] = (),
    sizes: Sequence[int] | None = None,
    box: tuple[int, int] = (0, 0),
    count: int | str = 0,
    share: float = 0.5,
    settings: Mapping[str, int] | None = None,
    quiet: bool = False,
    place: Path | None = None,
    on_event: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """A job."""
    return dict(locals())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"mode": "x"}, "mode is 'x'; it takes one of 'fast', 'slow'"),
        ({"mode": None}, "mode is None; it takes one of 'fast', 'slow'"),
        ({"include": "*.jpg"}, "include is '*.jpg'; it takes a list of text: give ['*.jpg']"),
        ({"include": [b"*.jpg"]}, r"include is [b'*.jpg']; it takes a list of text"),
        ({"sizes": [1, 2.5]}, "sizes is [1, 2.5]; it takes a list of whole numbers or None"),
        ({"box": (1, 2, 3)}, "box is (1, 2, 3); it takes a list of whole numbers"),
        ({"count": 1.5}, "count is 1.5; it takes a whole number or text"),
        ({"share": "half"}, "share is 'half'; it takes a number"),
        ({"share": True}, "share is True; it takes a number"),
        ({"settings": {"a": "b"}}, "settings is {'a': 'b'}; it takes a mapping of names to a whole number or None"),
        ({"quiet": "no"}, "quiet is 'no'; it takes True or False"),
        ({"place": "here"}, "place is 'here'; it takes a Path or None"),
        ({"on_event": 3}, "on_event is 3; it takes something to call or None"),
        ({"include": "x" * 200}, "include is 'xxxxxxx"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        job("here", **wrong)
    assert str(raised.value).startswith(sentence)
    assert len(str(raised.value)) < 300


def test_positional_arguments_are_checked_too() -> None:
    with pytest.raises(UsageError, match="source is None; it takes text"):
        job(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"others is 1\.5; it takes text"):
        job("here", "there", 1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="surce"):
        job("here", surce=1)  # type: ignore[call-arg]


def test_what_fits_arrives_as_it_was_given() -> None:
    include = ["*.jpg"]
    given = job("here", "a", "b", mode="slow", include=include, box=(1, 2), count="all", share=1, settings={"a": 1})
    assert given["include"] == include
    assert (given["mode"], given["others"], given["box"], given["count"]) == ("slow", ("a", "b"), (1, 2), "all")
    assert (given["share"], given["settings"], given["quiet"]) == (1, {"a": 1}, False)


def test_paths_and_numbers_stand_for_their_text_and_numpys_for_pythons() -> None:
    given = job(Path("here"), np.int64(224), count=np.int64(3), share=np.float32(0.5))  # type: ignore[arg-type]
    assert (given["source"], given["others"], given["count"], given["share"]) == ("here", ("224",), 3, 0.5)
    assert [type(given[name]) for name in ("source", "count", "share")] == [str, int, float]


def test_hints_that_name_later_classes_are_resolved_when_called() -> None:
    later = job("here", place=Path("there"))
    assert later["place"] == Path("there")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_checks_its_arguments(name: str) -> None:
    function: Callable[..., Any] = getattr(shardmill, name)
    parameters = list(inspect.signature(function).parameters.values())
    required = [each for each in parameters if each.kind is not each.KEYWORD_ONLY]
    wrong = {} if required else {parameters[0].name: object()}
    with pytest.raises(UsageError, match=f"^{parameters[0].name} is <object"):
        function(*(object() for _ in required), **wrong)


def test_a_misspelt_mode_and_a_text_for_a_list_stop_prepare(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resize_mode is 'centre_crop'; it takes one of 'center_crop', 'border'"):
        shardmill.prepare(str(tmp_path), str(tmp_path / "dest"), resize_mode="centre_crop")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"include is '\*.jpg'; it takes a list of text: give \['\*.jpg'\]"):
        shardmill.prepare(str(tmp_path), str(tmp_path / "dest"), include="*.jpg")
