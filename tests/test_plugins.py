"""Plug-ins of other packages, installed as pip installs them: a module, and its metadata beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.errors import UsageError
from shardmill.formats.tfrecord import TFRecordFormat
from shardmill.operations.cluster.find import usable_providers
from shardmill.registry import ENGINES, FORMATS, SEARCH_STRATEGIES, load, maker, offers
from tests.pictures import class_folder

Install = Callable[..., None]

ENGINE = """
from contextlib import closing
from shardmill import isolation

class InTurn:
    def __init__(self, partitions=None):
        self.partitions = partitions

    def run(self, work, items):
        with closing(isolation.Child()) as child:
            isolation.adopt(child)
            yield from map(work, items)

    def describe(self):
        return {"engine": "in-turn", "partitions": self.partitions or 0}
"""
FORMAT = """
from shardmill.formats.tfrecord import TFRecordFormat

class Renamed(TFRecordFormat):
    suffix = ".renamed"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))  # for the workers

    def add(package: str, entries: str, code: str = "", version: str = "1.0") -> None:
        (site / f"{package}.py").write_text(code)
        info = site / f"{package}-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(entries)

    return add


@pytest.fixture
def photos(tmp_path: Path) -> str:
    class_folder(tmp_path / "photos", 6)
    return str(tmp_path / "photos")


def test_an_engine_runs_and_gets_the_options_given(install: Install, photos: str, tmp_path: Path) -> None:
    install("in_turn", "[shardmill.engines]\nin-turn = in_turn:InTurn\n", ENGINE)
    result = shardmill.prepare(photos, str(tmp_path / "out"), size="32", engine="in-turn", partitions=3)
    assert result.written == 6
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert (manifest["run"]["engine"], manifest["run"]["partitions"]) == ("in-turn", 3)
    with pytest.raises(UsageError, match="--engine in-turn has no --workers; leave it out"):
        shardmill.prepare(photos, str(tmp_path / "other"), size="32", engine="in-turn", workers=3)


def test_a_format_is_written_read_and_part_of_the_plan(install: Install, photos: str, tmp_path: Path) -> None:
    entries = "[shardmill.formats]\nrenamed = renamed_format:Renamed\n"
    install("renamed_format", entries, FORMAT)
    out = str(tmp_path / "out")
    words = ["prepare", photos, out, "--size", "32", "--format", "renamed", "--num-shards", "2"]
    assert main(words) == 0
    assert min(path.name for path in Path(out).glob("*.renamed")) == "train-00000-of-00002.renamed"
    assert shardmill.verify(out).ok
    assert len(shardmill.open(out)) == 6
    assert (
        shardmill.speedtest(
            out,
            reader="native",
            batch_size="2",
            num_batches="1",
            repetitions=1,
            min_seconds=0,
            out=str(tmp_path / "run"),
        )
        .cells[0]
        .cell.format
        == "renamed"
    )
    assert shardmill.convert(out, str(tmp_path / "back"), format="tfrecord").written == 6
    fingerprint = json.loads(Path(out, "_manifest.json").read_text())["data"]["fingerprint"]
    assert fingerprint.endswith(" renamed_format 1.0")
    install("renamed_format", entries, FORMAT, version="1.1")
    assert main(words) == 2  # other bytes, for all anybody knows


def test_a_format_that_was_uninstalled_is_named(
    install: Install, photos: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("renamed_format", "[shardmill.formats]\nrenamed = renamed_format:Renamed\n", FORMAT)
    shardmill.prepare(photos, str(tmp_path / "out"), size="32", format="renamed")
    install("renamed_format", "", FORMAT)
    assert main(["verify", str(tmp_path / "out")]) == 2
    assert "unknown format 'renamed'; choose one of: parquet, tfrecord, webdataset" in capsys.readouterr().err


PROVIDER = """
class Nowhere:
    def find(self):
        return []
"""


def test_a_provider_is_asked_for_its_clusters(install: Install) -> None:
    install("nowhere", "[shardmill.providers]\nnowhere = nowhere:Nowhere\n", PROVIDER)
    assert "nowhere" in dict(usable_providers(None))


def test_doctor_lists_them(install: Install) -> None:
    install("mine", "[shardmill.engines]\ndask = mine:Dask\n", version="2.3")
    (check,) = [check for check in shardmill.doctor().checks if check.name == "engine dask"]
    assert (check.status, check.value) == ("ok", "of the package mine 2.3")


def test_none_replaces_one_of_ours(install: Install) -> None:
    install("mine", "[shardmill.formats]\ntfrecord = mine:Mine\n", "class Mine: ...\n")
    assert load(FORMATS, "format", "tfrecord") is TFRecordFormat
    assert maker(FORMATS, "format", "tfrecord") == ""


def test_what_is_offered_is_told(install: Install) -> None:
    install("mine", "[shardmill.engines]\ndask = mine:Dask\n[shardmill.search]\nluck = mine:Luck\n", version="2.3")
    assert offers("engine") == [("dask", "mine 2.3")]
    assert maker(SEARCH_STRATEGIES, "strategy", "luck") == "mine 2.3"
    with pytest.raises(UsageError, match=r"unknown engine 'ray'; choose one of: dask, local, spark$"):
        load(ENGINES, "engine", "ray")
    with pytest.raises(UsageError, match="unknown strategy 'dask'"):
        load(SEARCH_STRATEGIES, "strategy", "dask")


def test_two_packages_of_one_name_are_refused(install: Install) -> None:
    install("one", "[shardmill.engines]\ndask = one:Dask\n")
    install("two", "[shardmill.engines]\ndask = two:Dask\n", version="0.2")
    with pytest.raises(UsageError) as caught:
        load(ENGINES, "engine", "dask")
    assert str(caught.value) == (
        "engine 'dask' is offered by several packages (one 1.0, two 0.2); uninstall all but one."
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_package\n", "No module named 'no_such_package'"),
        ("", "module 'broken' has no attribute 'Dask'"),
    ],
)
def test_a_broken_package_is_named(
    code: str, reason: str, install: Install, photos: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("broken", "[shardmill.engines]\ndask = broken:Dask\n", code)
    assert main(["prepare", photos, str(tmp_path / "out"), "--engine", "dask"]) == 2
    assert capsys.readouterr().err == (
        f"shardmill: engine 'dask' of the package broken 1.0 cannot be loaded ({reason}); "
        "install what it lacks, or uninstall it.\n"
    )
