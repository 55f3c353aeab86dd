from __future__ import annotations

import argparse
import inspect
import re
import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from shardmill.cli.flags import add_flags, argument_texts, dashed, summary
from shardmill.cli.main import COMMANDS, main, module_of
from shardmill.cli.parse import Command

PARSERS: dict[str, Command] = {name: import_module(module_of(name)).COMMAND for name in COMMANDS}
FUNCTIONS: dict[str, Callable[..., Any]] = {name: command.function for name, command in PARSERS.items()}
INTERNAL = {"check_words", "on_event", "on_output", "on_progress", "say"}
"""Callables have no place on a command line."""


def keywords(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name not in INTERNAL]


def places(function: Callable[..., Any]) -> dict[str, str]:
    """A word for each positional argument, by its name."""
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    named = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    return {name: get_args(hints[name])[0] if get_origin(hints[name]) is Literal else name for name in named}


def help_of(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main([*name.split(), "--help"])
    return capsys.readouterr().out


@pytest.mark.oldest
@pytest.mark.parametrize("name", COMMANDS)
def test_every_keyword_has_a_flag_and_a_help_text(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = help_of(name, capsys, monkeypatch)
    texts = argument_texts(FUNCTIONS[name])
    squeezed = re.sub(r"\s+", " ", told)
    for keyword in keywords(FUNCTIONS[name]):
        assert re.search(rf"^  --{keyword.replace('_', '-')}\b", told, re.MULTILINE), keyword
        assert texts[keyword].strip(), keyword
        assert texts[keyword] in squeezed, keyword


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_documented_that_is_not_there(name: str) -> None:
    assert list(argument_texts(FUNCTIONS[name])) == list(inspect.signature(FUNCTIONS[name]).parameters)


@pytest.mark.parametrize("name", COMMANDS)
def test_internal_parameters_have_no_flag(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = help_of(name, capsys, monkeypatch)
    assert not [each for each in INTERNAL if f"--{each.replace('_', '-')}" in told]


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_left_out_is_as_in_the_function(name: str) -> None:
    """A flag that is not given means what the keyword means that is not given."""
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    positional = places(FUNCTIONS[name])
    arguments, as_json = PARSERS[name].parse(list(positional.values()))
    defaults = {each.name: each.default for each in parameters if each.name in keywords(FUNCTIONS[name])}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    many = {each.name for each in parameters if each.kind is each.VAR_POSITIONAL}
    assert given == {**{key: (word,) if key in many else word for key, word in positional.items()}, **defaults}
    assert not as_json


VALUES: dict[Any, tuple[str, Any]] = {str: ("text", "text"), int: ("7", 7), float: ("2.5", 2.5)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_reaches_its_keyword(name: str) -> None:
    """With dashes and with underscores."""
    function = FUNCTIONS[name]
    hints = get_type_hints(function)
    positional = places(function).values()
    for keyword in keywords(function):
        text = str(hints[keyword])
        words: list[str]
        expected: Any
        if hints[keyword] is bool:
            words, expected = [], True
        elif "Literal" in text:
            choice = re.findall(r"'(\w+)'", text)[-1]
            words, expected = [choice], choice
        elif "Sequence" in text:
            kind = next(kind for kind in VALUES if kind.__name__ in text)
            words, expected = [VALUES[kind][0]], [VALUES[kind][1]]
        else:
            kind = next(kind for kind in VALUES if kind.__name__ in text)
            words, expected = [VALUES[kind][0]], VALUES[kind][1]
        for flag in (f"--{keyword}", f"--{keyword.replace('_', '-')}"):
            arguments, _ = PARSERS[name].parse([*positional, flag, *words])
            assert arguments[keyword] == expected, flag


def model(
    source: str,
    extra: str = "here",
    *,
    kind: Literal["one", "two"] = "one",
    brand: Literal["ours", "theirs"] | str = "ours",
    often: Sequence[str] = (),
    share: float | None = None,
    quiet: bool = False,
    on_event: Callable[[int], None] | None = None,
) -> None:
    """Do it.

    More about it.

    Args:
        source: Where from.
        extra: Where to, in a text that
            goes on.
        kind: Which, 100% of them.
        brand: Whose.
        often: Again and again.
        share: How much.
        quiet: Say nothing.
        on_event: Called.

    Returns:
        Nothing.
    """


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="model", exit_on_error=False)
    add_flags(made, model, {"kind": "group of two"})
    return made


def test_shapes_of_parameters() -> None:
    assert vars(parser().parse_args(["a"])) == {
        "source": "a", "extra": "here", "kind": "one", "brand": "ours", "often": [], "share": None, "quiet": False
    }  # fmt: skip
    words = ["a", "b", "--kind", "two", "--brand", "mine", "--often", "x", "--often", "y", "--share", "0.5", "--quiet"]
    assert vars(parser().parse_args(words)) == {
        "source": "a", "extra": "b", "kind": "two", "brand": "mine", "often": ["x", "y"], "share": 0.5, "quiet": True
    }  # fmt: skip


def test_repeated_flags_of_one_call_do_not_reach_the_next() -> None:
    made = parser()
    made.parse_args(["a", "--often", "x"])
    assert made.parse_args(["a"]).often == []


def test_choices() -> None:
    with pytest.raises(argparse.ArgumentError, match="invalid choice: 'three'"):
        parser().parse_args(["a", "--kind", "three"])


def test_help_is_that_of_the_docstring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    told = parser().format_help()
    assert "Where to, in a text that goes on." in told
    assert "group of two:" in told
    assert "--kind {one,two}" in told
    assert "--brand {ours,theirs}" in told
    assert "Which, 100% of them. [one]" in told
    assert "Again and again.\n" in told
    assert summary(model) == "Do it.\n\nMore about it."


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--foo_bar", "--foo-bar"),
        ("--foo_bar=x_y", "--foo-bar=x_y"),
        ("--foo-bar", "--foo-bar"),
        ("foo_bar", "foo_bar"),
        ("-_", "-_"),
        ("./--a_b", "./--a_b"),
    ],
)
def test_underscores_are_dashes_in_flags_alone(word: str, expected: str) -> None:
    assert dashed([word]) == [expected]


SHELL = re.compile(r"^source <\(|\)$|\)\s{2,}.*$|\s{2,}.*$|\s[|>].*$")
"""What stands around a command or behind it, and a remark."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_and_their_words_can_be_parsed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = help_of(name, capsys, monkeypatch).partition("\nexamples:\n")[2].strip().splitlines()
    examples = [shlex.split(SHELL.sub("", line.strip())) for line in lines]
    asked = [command_of(words) for words in examples]
    assert name in [command for command, _ in asked]
    for command, words in asked:
        PARSERS[command].parse(words)


def command_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """The name of the command, of one word or two, and the words for it."""
    assert words[0] == "shardmill", words
    length = 1 if words[1] in PARSERS else 2
    return " ".join(words[1 : 1 + length]), list(words[1 + length :])


def test_words_behind_two_dashes_are_the_last_arguments_whatever_flags_came_before() -> None:
    submit = PARSERS["cluster submit"]
    arguments, as_json = submit.parse(["photos", "--timeout", "60", "--", "verify", "a_b", "--json"])
    assert (arguments["cluster"], arguments["words"], as_json) == ("photos", ["verify", "a_b", "--json"], False)
    assert PARSERS["report"].parse(["a", "--", "-b"])[0]["runs"] == ["a", "-b"]
