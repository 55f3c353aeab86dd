from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shardmill.errors import MissingExtraError, UsageError
from shardmill.registry import ENGINES, FORMATS, TRANSFORMS, Plugin, load


@pytest.mark.oldest
@pytest.mark.parametrize(
    ("table", "kind", "name", "expected"),
    [
        (TRANSFORMS, "transform", "native", "NativeTransform"),
        (FORMATS, "format", "tfrecord", "TFRecordFormat"),
        (ENGINES, "engine", "local", "LocalEngine"),
        (ENGINES, "engine", "spark", "SparkEngine"),
    ],
)
def test_rows_load(table: dict[str, Plugin], kind: str, name: str, expected: str) -> None:
    assert load(table, kind, name).__name__ == expected


def test_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        load(ENGINES, "engine", "dask")
    assert str(caught.value) == "unknown engine 'dask'; choose one of: local, spark"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Plugin]:
    """Plug-ins of our own: one lacks a package, one lacks a part of shardmill."""
    (tmp_path / "lacks_package.py").write_text("import no_such_package.part\n\nclass Thing: ...\n")
    (tmp_path / "lacks_ours.py").write_text("import shardmill.no_such_module\n\nclass Thing: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return {
        "extra": Plugin("lacks_package:Thing", extra="things"),
        "core": Plugin("lacks_package:Thing"),
        "ours": Plugin("lacks_ours:Thing", extra="things"),
    }


def test_a_missing_package_names_its_extra(plugins: dict[str, Plugin]) -> None:
    with pytest.raises(MissingExtraError) as caught:
        load(plugins, "engine", "extra")
    assert str(caught.value) == (
        "engine 'extra' needs the package no_such_package; install it with: pip install 'shardmill[things]'"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "missing"), [("core", "no_such_package"), ("ours", "shardmill.no_such_module")])
def test_what_no_extra_mends_is_a_bug(name: str, missing: str, plugins: dict[str, Plugin]) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        load(plugins, "engine", name)
    assert caught.value.name == missing


@pytest.mark.oldest
@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [("pyspark", ["--engine", "spark"], "spark"), ("tensorflow", ["--transform", "tensorflow"], "tf")],
)
def test_extras_that_are_not_installed(package: str, words: list[str], extra: str, tmp_path: Path) -> None:
    """As it is told on the command line; None in `sys.modules` makes an import fail as if nothing were installed."""
    (tmp_path / "in").mkdir()
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
    program = "import sys; from shardmill.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "prepare", "in", "out", *words]
    environment = {"PATH": "", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert f"needs the package {package}; install it with: pip install 'shardmill[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
