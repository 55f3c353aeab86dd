from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import shardmill
from shardmill.operations.speedtest.result import SpeedtestResult
from shardmill.operations.sweep.result import PlanLine, SweepResult
from shardmill.registry import DISPLAYS
from shardmill.speedtest.summary import summarise
from tests.browser import opened
from tests.report.speed_test import measurements, write_run
from tests.report.test_html import Reader
from tests.search.jobs import cpu_bound, rows_of, trace_of
from tests.sweep.made import renamed, run_folder, run_of, shape

EVIL = "<script>document.title='x'<"
"""Would be markup, and stays within what a folder may be called."""


class Made:
    """One result of each class that shows itself."""

    def __init__(self, root: Path) -> None:
        photos, shards = root / "photos", root / "shards"
        for name, count in ((EVIL, 8), ("plain", 4)):
            (photos / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (60, 40), (20 * number, 90, 120)).save(photos / name / f"{number}.jpg")
        (photos / "plain" / "b<i>.jpg").write_text("no image")
        options: dict[str, Any] = {"size": "48", "num_shards": "2", "max_errors": "20%", "workers": 1}
        self.prepared = shardmill.prepare(str(photos), str(shards), **options)
        self.dry = shardmill.prepare(str(photos), str(root / "other"), dry_run=True, **options)
        self.shown = shardmill.show(str(shards), output=str(root / "sheet.png"))
        damaged = next(shards.glob("*.tfrecord"))
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:2000] + b"\0" + whole[2001:])
        self.verified = shardmill.verify(str(shards))
        damaged.write_bytes(whole)
        rows = measurements(batch_sizes=(2, 8, 32), num_batches=(4, 8), repetitions=3, dataset=EVIL)
        self.run = write_run(root / "run", rows)
        self.measured = self.speed_test(rows)
        self.one_size = self.speed_test([row for row in rows if row.batch_size == 8])
        self.modelled = shardmill.model(str(self.run))
        trace = trace_of(root / "trace.csv", rows_of(EVIL, cpu_bound))
        self.picked = shardmill.pick(trace=trace)
        self.benched = shardmill.bench_pick(trace, seeds=1, strategy=["random", "coordinate"], workers=1)
        specs = (shape("1x2", workers=1, cores=2), shape("2x1"))
        runs = [renamed(run_of(spec, elapsed_s=8.0 + place), place) for place, spec in enumerate((*specs, *specs))]
        self.swept = SweepResult(
            out=str(run_folder(root / "sweep", specs, runs).path), workload=EVIL, results=None, trace=None, dry_run=False, runs=4,
            made=4, left=0, rows=(), lines=(), clusters=(), spent_usd=None, prices="", notes=("of <late>",), seconds=60.0,
            plan=(PlanLine("1x2", 2, 90.0, 3.6, 0.09),),
        )  # fmt: skip
        self.reported = shardmill.report(str(shards), str(self.run), output=str(root / "a page.html"))
        self.advised = shardmill.advise(str(self.run))
        self.of_class = {
            type(one).__name__: one
            for one in (
                self.prepared, self.shown, self.verified, self.measured, self.modelled, self.picked, self.benched,
                self.reported, self.advised, self.swept,
            )
        }  # fmt: skip

    def speed_test(self, rows: list[Any]) -> SpeedtestResult:
        return SpeedtestResult(
            out=str(self.run),
            results=str(self.run / "results.parquet"),
            engine="local",
            passes=len(rows),
            made=len(rows),
            warm_ups=0,
            seconds=12.0,
            cells=tuple(summarise(rows)),
            warnings=("it was <loud>",),
            pickle=None,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("results"))


def test_every_display_is_of_a_public_result(made: Made) -> None:
    assert set(made.of_class) == set(DISPLAYS) <= set(shardmill.__all__)


@pytest.mark.parametrize("name", sorted(DISPLAYS))
def test_text_is_text_and_nothing_runs_or_is_fetched(made: Made, name: str) -> None:
    read = Reader(made.of_class[name]._repr_html_())
    tags = [tag for tag, _ in read.tags]
    assert not {"script", "iframe", "link", "form"} & set(tags)
    assert tags.count("style") == 1
    for _, attributes in read.tags:
        assert not [key for key in attributes if key.startswith("on")]
        assert (attributes.get("src") or "data:image/").startswith("data:image/")


SHOWN: list[tuple[Callable[[Made], Any], list[str], int]] = [
    (lambda made: made.prepared, ["12 records in 2 shards", "What became of the inputs", "b<i>.jpg", "1 input failed"], 0),
    (lambda made: made.dry, ["would become", "What would become of the inputs"], 0),
    (lambda made: made.shown, ["12 images in 2 shards", EVIL, "Images in each class"], 1),
    (lambda made: made.verified, ["is damaged, 1 finding", "data_crc", "verify --repair"], 0),
    (lambda made: made.measured, [f"{EVIL}-tfrecord", "over batch size", "Every combination", "it was <loud>"], 1),
    (lambda made: made.one_size, [f"{EVIL}-tfrecord", "whiskers: the middle half"], 1),
    (lambda made: made.modelled, ["per image", "95% interval", "the strongest is", "ceilings", "read as source files"], 2),
    (lambda made: made.picked, [f"{EVIL}: pick ", "The runs that were paid for", "Expected cost"], 1),
    (lambda made: made.swept, [f"{EVIL}: 4 runs", "of <late>", "2x1"], 1),
    (lambda made: replace(made.swept, dry_run=True), ["What it would make", "$0.09"], 0),
    (lambda made: replace(made.swept, out="/nowhere"), ["holds no run.json"], 0),
    (lambda made: made.benched, ["coordinate", "runs until a trial was within 10%"], 1),
    (lambda made: made.reported, ["A report of 2 runs", "a page.html", "findings in all"], 0),
    (lambda made: made.advised, ["Batch jobs", "Could not be told", "shardmill sweep"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("result", "words", "plots"), SHOWN)
def test_what_is_shown(made: Made, result: Callable[[Made], Any], words: list[str], plots: int) -> None:
    html = result(made)._repr_html_()
    read = Reader(html)
    for word in words:
        assert word in read.text
    drawn = [attributes for tag, attributes in read.tags if tag == "svg" and "plot" in (attributes.get("class") or "")]
    assert len(drawn) >= plots
    assert not re.search(r"\bnan\b", read.text)


def test_the_images_of_a_set_that_is_gone_are_left_out_and_said(made: Made, tmp_path: Path) -> None:
    gone = replace(made.prepared, dest=str(tmp_path / "gone"))
    assert "Its images cannot be shown: there is nothing at" in Reader(gone._repr_html_()).text
    far = replace(made.prepared, dest="s3://a-bucket/shards")
    assert "not on this machine" in Reader(far._repr_html_()).text
    assert "no longer there" in replace(made.shown, sheet=str(tmp_path / "no.png"))._repr_html_()


def test_images_are_within_the_page_and_small(made: Made) -> None:
    for one in (made.prepared, made.shown):
        html = one._repr_html_()
        assert html.count("data:image/jpeg;base64,") == 1
        assert len(html) < 400_000


def test_a_page_below_the_notebook_is_linked_relative_to_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(made.reported.page)
    monkeypatch.chdir(page.parent)
    assert 'href="./a%20page.html"' in made.reported._repr_html_()
    monkeypatch.chdir("/")
    assert "a%20page.html" in made.reported._repr_html_()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1000, True)])
def test_it_holds_in_light_and_dark_notebooks(browser: Any, made: Made, tmp_path: Path, width: int, dark: bool) -> None:
    shown = "".join(one._repr_html_() for one in made.of_class.values())
    page = tmp_path / "notebook.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><title>nb</title><body data-jp-theme-light="{str(not dark).lower()}" '
        f'style="margin:0"><table><tr><td>theirs</td></tr></table>{shown}',
        encoding="utf-8",
    )
    with opened(browser, page, width=width) as visit:
        assert visit.page.title() == "nb"
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        paper = visit.page.evaluate("getComputedStyle(document.querySelector('.shardmill')).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") is not dark
        assert visit.page.locator("svg.plot:visible").count() >= 8
        padding = "getComputedStyle(document.querySelector('body > table td')).paddingLeft"
        assert visit.page.evaluate(padding) == "1px", "the style reaches what is not ours"
        assert (visit.requests, visit.complaints) == ([], [])
