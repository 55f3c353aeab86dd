"""Each sentence of advice stands where its condition was planted, and not where the opposite was."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import shardmill
from shardmill.report.advice import TOPICS, Gap
from shardmill.report.finding import Finding
from tests.cli.test_flags import PARSERS, command_of
from tests.report.plants import PHRASES, PLANTS, Case


def made_in_the_code() -> Iterator[str]:
    """The kinds of all findings and gaps that the package makes."""
    for file in Path(shardmill.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "from shardmill.report.finding import" not in text and "findings.contests import" not in text:
            continue  # what is called a finding there is of another sort
        module = ast.parse(text)
        declared = list(declared_in(module))
        yield from declared
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Finding", "Gap"):
                yield from kinds_of(node.args[0], file, declared)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "verdict":
                for argument in node.args[:2]:
                    yield from kinds_of(argument, file, declared)


def declared_in(module: ast.Module) -> Iterator[str]:
    """What its `KINDS` lists, for kinds that are put together where they are used."""
    for node in module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="KINDS"), value=ast.Tuple(elts=names)):
                yield from (
                    name.value for name in names if isinstance(name, ast.Constant) and isinstance(name.value, str)
                )


def kinds_of(argument: ast.expr, file: Path, declared: list[str]) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(kind)):
            yield kind
        case ast.IfExp(body=body, orelse=other):
            yield from kinds_of(body, file, declared)
            yield from kinds_of(other, file, declared)
        case ast.Attribute(attr="kind"):  # of one that was made elsewhere
            return
        case ast.Name(id="kind") if file.name == "contests.py":  # of `verdict`, whose callers are read above
            return
        case _ if not declared:
            pytest.fail(f"{file}:{argument.lineno}: write the kind out, so that a test can be asked for it")


def test_every_sentence_in_the_code_is_planted() -> None:
    assert set(made_in_the_code()) == set(PLANTS)


@pytest.mark.parametrize("kind", PLANTS)
def test_it_stands_where_it_is_true_and_not_where_it_is_not(kind: str) -> None:
    true, false = (case() for case in PLANTS[kind])
    there = [one for one in true if one.kind == kind]
    assert there, f"not said: {[one.kind for one in true]}"
    assert kind not in [one.kind for one in false]
    for one in there:
        checked_finding(one) if isinstance(one, Finding) else checked_gap(one)


def checked_finding(one: Finding) -> None:
    """Whole, with its number, and where it helps to choose with its uncertainty."""
    assert one.sentence.endswith(".")
    assert "nan" not in one.sentence
    assert re.search(r"\d|\b[Nn]o\b", one.sentence)
    if one.topics and one.kind not in WITHOUT_INTERVAL:
        assert one.interval is not None
    if one.interval is not None:
        slack = 0.5 if one.unit == "images/s" else 1e-9
        assert one.interval[0] - slack <= one.number <= one.interval[1] + slack


@pytest.mark.parametrize(("phrase", "true", "false"), PHRASES)
def test_phrases_within_sentences_too(phrase: str, true: Case, false: Case) -> None:
    assert phrase in " ".join(one.sentence for one in true())
    assert phrase not in " ".join(one.sentence for one in false())


WITHOUT_INTERVAL = {kind for kind in PLANTS if kind.endswith("-not-told") or kind.startswith("limit-")} | {
    "cheapest-predicted",
    "partitions-alike",
    "partitions-once",
    "partitions-predicted",
}
"""That nothing can be told, the end of an interval itself, single runs, and shares of one run."""


def checked_gap(one: Gap) -> None:
    """It says for want of what, and its commands can be given as they stand."""
    assert set(one.topics) <= set(TOPICS[one.use])
    assert one.sentence.endswith(".")
    assert one.commands
    for line in one.commands:
        command, words = command_of(shlex.split(line))
        PARSERS[command].parse(words)
