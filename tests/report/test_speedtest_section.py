from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import UsageError
from shardmill.model.analysis import analyse
from shardmill.operations.report.run import report
from shardmill.report.finding import Finding
from shardmill.report.html import Element, text_of, write
from shardmill.report.sections.agreement import agreement_section, agreements, wilson
from shardmill.report.sections.speedtest import section
from shardmill.report.throughput.findings import findings
from shardmill.report.throughput.study import study
from shardmill.runs import open_run
from shardmill.speedtest.record import Measurement
from tests.browser import opened
from tests.report.speed_test import CORES, PER_IMAGE, measurements, write_run
from tests.report.test_plot import below

EVIL = "<script>document.title='x'</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two formats and the files, two readers' worth of parallel reads, warm and cold; the data set's name would be markup."""
    root = tmp_path_factory.mktemp("runs")
    rows = measurements(
        formats=("tfrecord", "webdataset", "files"),
        batch_sizes=(2, 8, 32),
        num_batches=(4, 16),
        parallel_reads=(1, 2),
        caches=("warm", "cold"),
        repetitions=3,
        stubborn=5,
        dataset=EVIL,
    )
    return write_run(root / "grid", rows)


def said(rows: list[Measurement], cores: int = CORES) -> list[Finding]:
    return findings(study(rows, cores), "here")


def the(found: list[Finding], words: str) -> Finding:
    (one,) = (finding for finding in found if words in finding.sentence)
    return one


def test_every_finding_carries_its_number_in_words(folder: Path) -> None:
    found = section(open_run(folder)).findings
    assert len(found) > 8
    assert {finding.use for finding in found} == {"batch", "streaming", "hardware", "trust"}
    for finding in found:
        assert finding.sentence.endswith(".")
        assert re.search(r"\d|no pass", finding.sentence)
        if finding.interval is not None:
            slack = 0.5 if finding.unit == "images/s" else 1e-9
            assert finding.interval[0] - slack <= finding.number <= finding.interval[1] + slack


def test_the_format_the_batch_and_the_reads_to_use() -> None:
    found = said(measurements(parallel_reads=(1, 2, 4), num_batches=(8, 32), noise=0.01))
    best = the(found, "fastest of")
    assert best.sentence.startswith("Read tfrecord shards with the native reader in batches of 64")
    ratio = the(found, "times as fast as the source files")
    assert ratio.interval is not None
    assert ratio.interval[0] < ratio.number < PER_IMAGE["files"] / PER_IMAGE["tfrecord"]
    assert "Use 2 parallel reads" in the(found, "parallel reads for").sentence
    enough = the(found, "gain next to nothing")
    assert enough.sentence.startswith(("Batches of 16 give", "Batches of 32 give"))
    assert 95 <= enough.number < 100


def test_more_parallel_reads_that_gain_nothing() -> None:
    found = said(measurements(parallel_reads=(2, 4), num_batches=(8, 32)))
    assert "gains nothing that can be told" in the(found, "2 parallel reads gains").sentence


def test_parallel_reads_are_judged_at_the_concurrency_that_is_advised() -> None:
    """Two readers with one read each fill two cores as well as one with two: beside each other, more reads gain nothing."""
    rows = measurements(formats=("tfrecord",), parallel_reads=(1, 2), concurrency=(2,), num_batches=(8, 32), noise=0.01)
    finding = the(said(rows), "parallel read gains nothing")
    assert "with 2 readers at once" in finding.sentence
    assert finding.number == pytest.approx(1, abs=0.03)


def test_the_processor_limits() -> None:
    finding = the(said(measurements(noise=0.01)), "The processor limits")
    assert finding.number > 90
    assert "Add cores" in finding.sentence


def test_nothing_is_full() -> None:
    finding = the(said(measurements(noise=0.01), cores=16), "No hardware is full")
    assert finding.number < 20


def test_reading_limits() -> None:
    rows = measurements(
        caches=("cold",),
        decode=(True, False),
        noise=0.01,
        num_batches=(32,),
        batch_sizes=(16, 32, 64),
        formats=("tfrecord",),
    )
    found = said(rows)
    assert "more cores do not" in the(found, "Reading limits").sentence
    disk = the(found, "This disk or link delivers")
    assert disk.number == pytest.approx(150e6 / 41_000 / (CORES / PER_IMAGE["tfrecord"]), rel=0.05)


def test_what_was_not_cold_is_left_out_and_said() -> None:
    rows = measurements(caches=("warm", "cold"), stubborn=7, num_batches=(8, 32))
    finding = the(said(rows), "not in the state asked for")
    assert finding.number == 7
    assert analyse(rows, CORES).not_as_asked == 7
    for one in study(rows, CORES).arms:
        if one.arm.cache == "cold":
            assert len(one.seen) <= 2 * 6 * 5
    text = text_of(Element("div", (), section_parts(rows)))
    assert sum(map(int, re.findall(r"cold, (\d+) warm", text))) == 7


def section_parts(rows: list[Measurement]) -> tuple[Element, ...]:
    from shardmill.report.throughput.tables import cache_evidence

    return (cache_evidence(rows),)


def test_concurrent_readers_are_a_factor() -> None:
    finding = the(said(measurements(concurrency=(1, 2, 4), num_batches=(8, 32), repetitions=3)), "slow each other")
    assert finding.unit == "s"
    assert finding.interval is not None
    assert finding.interval[0] > 0


def test_nothing_to_find_is_said() -> None:
    rows = measurements(formats=("tfrecord",), batch_sizes=(2048, 4096, 8192), num_batches=(512, 1024))
    finding = the(said(rows), "Nothing to find for tfrecord")
    assert 0 < finding.number < 20


@pytest.mark.parametrize(
    "rows",
    [
        lambda: measurements(batch_sizes=(8,), num_batches=(4,), repetitions=1, formats=("tfrecord",)),
        lambda: measurements(batch_sizes=(8, 16), num_batches=(4,), repetitions=2),
        lambda: measurements(batch_sizes=(64,), num_batches=(4,), parallel_reads=(1, 2), decode=(False,)),
    ],
)
def test_hardly_any_rows(rows: Callable[[], list[Measurement]], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", rows())
    made = section(open_run(run))
    assert made.findings
    assert "nan" not in " ".join(write(part) for part in made.parts)


def test_no_row_that_counts(tmp_path: Path) -> None:
    rows = measurements(caches=("cold",), batch_sizes=(8,), num_batches=(4,), stubborn=1000)
    with pytest.raises(UsageError, match="no pass that counts"):
        section(open_run(write_run(tmp_path / "run", rows)))


def test_points_and_medians_are_drawn(folder: Path) -> None:
    made = section(open_run(folder))
    nodes = [node for part in made.parts for node in below(part)]
    points = [node for node in nodes if dict(node.attributes).get("class", "").startswith("point ")]
    assert len(points) > 200
    assert any("repetition 3" in dict(node.attributes).get("data-tip", "") for node in points)
    for kind in ("line ", "band "):
        assert any(dict(node.attributes).get("class", "").startswith(kind) for node in nodes)


def test_runs_that_agree(tmp_path: Path) -> None:
    grid = {"num_batches": (4, 16), "batch_sizes": (2, 8, 32)}
    runs = [open_run(write_run(tmp_path / str(seed), measurements(seed, **grid))) for seed in range(2)]  # type: ignore[arg-type]
    slow = open_run(write_run(tmp_path / "slow", measurements(3, slower=1.3, **grid)))  # type: ignore[arg-type]
    close, far = agreements([*runs, slow])
    assert close.close == len(close.cells) == 12
    assert far.close <= 1
    made = agreement_section([*runs, slow])
    assert made is not None
    assert [finding.number for finding in made.findings] == [100, pytest.approx(100 * far.close / 12)]
    assert agreement_section(runs[:1]) is None
    on_spark = [replace(row, engine="spark") for row in measurements(1, **grid)]  # type: ignore[arg-type]
    assert agreements([runs[0], open_run(write_run(tmp_path / "spark", on_spark))]) == []


def test_the_interval_of_a_share() -> None:
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_of_two_runs(browser: Any, folder: Path, tmp_path: Path, width: int) -> None:
    again = write_run(
        tmp_path / "again",
        measurements(5, formats=("tfrecord",), batch_sizes=(2, 8, 32), num_batches=(4, 16), dataset=EVIL),
    )
    page = report(str(folder), str(again), output=str(tmp_path / "r.html")).page
    with opened(browser, Path(page), width=width) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert visit.page.title().startswith("grid and again")
        assert visit.page.locator("h2").all_inner_texts()[-2:] == ["Do the runs agree?", "What to do"]
        plot = visit.page.locator("svg.plot:visible").first
        plot.locator(".median").first.hover(force=True)
        assert "images/s" in visit.page.locator("#tip").inner_text()
        assert visit.page.get_by_text(EVIL).count() > 0
        assert (visit.requests, visit.complaints) == ([], [])
