from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import shardmill
from shardmill.errors import ShardmillError

HEAVY = {"PIL", "numpy", "psutil", "pyarrow", "pyspark", "rich", "simplejpeg", "tensorflow"}


def modules_after(program: str) -> set[str]:
    """What has been imported when `program` has run in a process of its own."""
    command = [sys.executable, "-c", f"{program}\nimport sys; print('MODULES', *sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.oldest
@pytest.mark.parametrize(
    "program",
    [
        "import shardmill; shardmill.UsageError",
        "from shardmill.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from shardmill.cli.main import main\nmain([])",
    ],
)
def test_nothing_heavy_is_imported(program: str) -> None:
    modules = modules_after(program)
    assert "shardmill" in modules
    assert modules & HEAVY == set()


def test_help_of_commands_needs_neither_spark_nor_tensorflow() -> None:
    program = """
from shardmill.cli.main import COMMANDS, main
for name in COMMANDS:
    try: main([name, '--help'])
    except SystemExit: pass
"""
    modules = modules_after(program)
    assert "shardmill.cli.prepare" in modules
    assert modules & {"pyspark", "tensorflow"} == set()


@pytest.mark.oldest
def test_all_names_are_there() -> None:
    assert [name for name in shardmill.__all__ if not hasattr(shardmill, name)] == []
    assert set(shardmill.__all__) <= set(dir(shardmill))
    assert len(set(shardmill.__all__)) == len(shardmill.__all__)


@pytest.mark.oldest
def test_commands_are_functions_whatever_was_imported_before() -> None:
    program = """
import shardmill
from shardmill.cli.main import COMMANDS, module_of
from importlib import import_module
for name in COMMANDS:
    import_module(module_of(name))
from shardmill import demo, doctor, prepare, show, speedtest, verify
for function in (demo, doctor, prepare, show, speedtest, verify):
    assert callable(function) and getattr(shardmill, function.__name__) is function
"""
    assert "shardmill.operations.prepare.run" in modules_after(program)


def test_results_are_those_that_the_functions_return() -> None:
    for name, result in (
        ("prepare", "PrepareResult"),
        ("verify", "VerifyResult"),
        ("show", "ShowResult"),
        ("speedtest", "SpeedtestResult"),
        ("demo", "DemoResult"),
        ("doctor", "DoctorReport"),
    ):
        function: Any = getattr(shardmill, name)
        assert function.__annotations__["return"] == result
        assert getattr(shardmill, result).__name__ == result


def test_every_error_is_public() -> None:
    def below(error: type[Exception]) -> set[str]:
        return {error.__name__}.union(*(below(child) for child in error.__subclasses__()))

    ours = {name for name in below(ShardmillError) if hasattr(shardmill.errors, name)}
    assert ours <= set(shardmill.__all__)


def test_names_that_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'shardmill' has no attribute 'prepair'"):
        shardmill.prepair  # type: ignore[attr-defined]  # noqa: B018
