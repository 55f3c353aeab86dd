from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.errors import UsageError
from shardmill.report.finding import Finding
from shardmill.report.html import text_of, write
from shardmill.report.page import Page, render
from shardmill.report.section import Section
from shardmill.report.sections.sweep import section
from shardmill.runs import begin_run
from shardmill.sweep.evidence import RunSeen
from shardmill.sweep.simulation.record import Simulated, save
from shardmill.sweep.simulation.validation import Checked
from tests.browser import opened
from tests.sweep.made import renamed, rows, run_folder, run_of, shape

Elapsed = Callable[[ClusterSpec, int | None, int], float]
SHAPES = (shape("1x2", workers=1, cores=2), shape("2x1"), shape("1x1", workers=1, usd_per_hour=2.0))
COUNTS: tuple[int | None, ...] = (1, 4, 16)


def sweep(
    folder: Path,
    elapsed: Elapsed,
    *,
    specs: Sequence[ClusterSpec] = SHAPES,
    counts: Sequence[int | None] = COUNTS,
    repetitions: int = 3,
    change: Callable[[RunSeen], RunSeen] = lambda run: run,
    **of_run: Any,
) -> Section:
    """The section of a sweep in which each run takes what `elapsed` says, half of it tasks."""
    runs: list[RunSeen] = []
    for spec in specs:
        for repetition in range(repetitions):
            for count in counts:
                seconds = elapsed(spec, count, repetition)
                tasks = [seconds / 2 * spec.task_cores / (count or 4)] * (count or 4)
                given: dict[str, Any] = {"elapsed_s": seconds, "tasks": tasks, "repetition": repetition} | of_run
                runs.append(change(renamed(run_of(spec, count, **given), len(runs))))
    return section(run_folder(folder / "monday", specs, runs))


def steady(spec: ClusterSpec, count: int | None, repetition: int) -> float:
    """1x1 takes twice as long, one partition a third longer; repetitions differ by a percent."""
    return (20.0 if spec.name == "1x1" else 10.0) * (1.3 if count == 1 else 1.0) * (1 + 0.01 * repetition)


def noisy(spec: ClusterSpec, count: int | None, repetition: int) -> float:
    """Nothing but chance."""
    return (10.0, 14.0, 9.0)[(repetition + (count or 0) + len(spec.name) * spec.workers) % 3]


def of(made: Section, kind: str) -> Finding:
    (one,) = (finding for finding in made.findings if finding.kind == kind)
    return one


def kinds(made: Section) -> set[str]:
    return {finding.kind for finding in made.findings}


def text(made: Section) -> str:
    return " ".join(text_of(part) for part in made.parts)


def test_shapes_stand_side_by_side_like_a_bill(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady)
    assert made.id == "sweep-monday"
    assert made.title == "Cluster shapes: photos-256"
    assert made.lead == "27 runs on 3 shapes, with 1, 4 and 16 partitions."
    markup = write(made.parts[0])
    lines = re.findall(r"<tr.*?</tr>", markup)
    assert [re.sub(r"<[^>]+>", "|", line).count("|") > 0 for line in lines] == [True] * 4
    for spec in SHAPES:
        assert sum(spec.name in line for line in lines) == 1
    (twice,) = (line for line in lines if "2x1" in line)
    # 10.1 s at a tenth of a cent each; with 20 s to create it and 5 s to delete it
    assert "10.1 s" in twice
    assert "$0.0101" in twice
    assert "$0.0351" in twice
    assert "28,500" in twice
    assert "strong" in next(line for line in lines if "fastest seen" in line)  # two are alike


def test_what_was_planted_is_found(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady, before_s=4.0, cpu_share=0.9)
    assert "fastest-not-told" in kinds(made)  # two shapes are alike
    told = [finding for finding in made.findings if finding.kind == "partitions-matter"]
    assert len(told) == 3
    assert told[0].number == pytest.approx(30, abs=2)
    assert "Give 1x2 4 partitions" in told[0].sentence
    assert told[0].topics == ("partitions",)
    repetition = of(made, "repetition")
    assert 0.5 < repetition.number < 2
    assert "limit-start-up" in kinds(made)
    assert not {"first-run", "failed-runs", "no-repetition", "partitions-alike"} & kinds(made)
    assert all(finding.source == made.id and finding.sentence.endswith(".") for finding in made.findings)


def test_chance_is_called_chance(tmp_path: Path) -> None:
    made = sweep(tmp_path, noisy)
    assert {"fastest-not-told", "partitions-alike"} <= kinds(made)
    assert not {"fastest", "partitions-matter"} & kinds(made)
    assert of(made, "fastest-not-told").sentence.startswith("Which of 3 shapes is fastest cannot be told")
    assert "No difference could be told" in text(made)


def test_fastest_and_cheapest_differ(tmp_path: Path) -> None:
    specs = (shape("big", workers=4, usd_per_hour=40.0), shape("small", workers=1, usd_per_hour=2.0))

    def elapsed(spec: ClusterSpec, count: int | None, repetition: int) -> float:
        return (10.0 if spec.name == "big" else 30.0) + 0.1 * repetition

    made = sweep(tmp_path, elapsed, specs=specs)
    fastest, cheapest = of(made, "fastest"), of(made, "cheapest")
    assert fastest.sentence.startswith("big, 4 partitions is the fastest of 2 shapes: a run takes 10.1 s; small")
    assert fastest.number == pytest.approx(2.98, abs=0.04)
    assert fastest.unit == "x"
    assert fastest.interval is not None
    assert fastest.interval[0] < fastest.number < fastest.interval[1]
    assert "3.0 times as long" in fastest.sentence
    assert "fastest seen" not in text(made)
    assert "cheapest" in text(made)
    assert cheapest.sentence.startswith(
        "small, 1 partition is the cheapest of 2 shapes with its cluster: a run costs $0.03"
    )
    assert "images for a dollar" in cheapest.sentence
    assert "cheapest-job" not in kinds(made)


def test_a_cluster_that_is_there_already_can_change_the_answer(tmp_path: Path) -> None:
    specs = (shape("big", workers=4, usd_per_hour=36.0), shape("small", workers=1, usd_per_hour=18.0))

    def elapsed(spec: ClusterSpec, count: int | None, repetition: int) -> float:
        return (
            10.0 if spec.name == "big" else 24.0
        ) + 0.1 * repetition  # with its cluster 35 s at 1 against 49 s at 0.5

    made = sweep(tmp_path, elapsed, specs=specs)
    assert of(made, "cheapest").sentence.startswith("small")
    assert of(made, "cheapest-job").sentence.startswith(
        "big, 4 partitions is the cheapest of 2 shapes on a cluster that is there already"
    )


def test_without_prices_money_is_left_out(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady, specs=[replace(spec, usd_per_hour=None) for spec in SHAPES])
    assert not any(finding.use == "cost" for finding in made.findings)
    assert "$" not in text(made)
    assert "No shape has a price" in text(made)


def test_the_date_of_the_prices_is_said(tmp_path: Path) -> None:
    specs = (replace(disk("hdd", "pd-standard"), usd_per_hour=None), disk("declared", "pd-ssd"))
    made = sweep(tmp_path, steady, specs=specs)
    assert "price table of 2026-" in text(made)
    assert "the price declared with declared" in text(made)


def disk(name: str, kind: str, ssds: int = 0) -> ClusterSpec:
    node = NodeSpec("n1-standard-2", 2, 7500, boot_disk_type=kind, boot_disk_gb=100, local_ssds=ssds)
    return ClusterSpec(name, "dataproc", node, 2, node, usd_per_hour=1.0)


def test_shapes_that_differ_in_disks_alone_tell_of_disks(tmp_path: Path) -> None:
    specs = (disk("hdd", "pd-standard"), disk("ssd", "pd-ssd"), replace(disk("more", "pd-ssd"), workers=3))

    def elapsed(spec: ClusterSpec, count: int | None, repetition: int) -> float:
        return (15.0 if spec.name == "hdd" else 10.0) + 0.1 * repetition

    made = sweep(tmp_path, elapsed, specs=specs)
    found = of(made, "disk-matters")
    assert found.topics == ("disk",)
    assert (
        found.sentence == "With 100 GB of pd-standard, a run takes 50% longer than with 100 GB of pd-ssd (hdd and ssd)."
    )
    alike = sweep(tmp_path / "alike", lambda spec, count, repetition: 10.0 + repetition, specs=specs[:2])
    assert "take the cheaper disk" in of(alike, "disks-alike").sentence
    twins = sweep(tmp_path / "twins", elapsed, specs=(disk("a", "pd-ssd"), disk("b", "pd-ssd")))
    assert not {"disk-matters", "disks-alike"} & kinds(twins)


@pytest.mark.parametrize(
    ("kind", "of_run"),
    [
        ("limit-processor", {"before_s": 1.0, "cpu_share": 1.0, "elapsed_s": 10.0, "tasks": [4.5] * 4}),
        ("limit-waiting", {"before_s": 1.0, "cpu_share": 0.2, "elapsed_s": 10.0, "tasks": [4.5] * 4}),
        ("limit-too-few-tasks", {"before_s": 1.0, "cpu_share": 1.0, "elapsed_s": 10.0, "tasks": [9.0]}),
        ("limit-uneven-tasks", {"before_s": 1.0, "cpu_share": 0.5, "elapsed_s": 10.0, "tasks": [8.5, 1.0]}),
        ("limit-start-up", {"before_s": 6.0, "cpu_share": 1.0, "elapsed_s": 10.0, "tasks": [3.0] * 2}),
    ],
)
def test_what_limits_is_said(tmp_path: Path, kind: str, of_run: dict[str, Any]) -> None:
    made = sweep(tmp_path, steady, specs=[shape("2x1")], **of_run)
    assert [finding.kind for finding in made.findings if finding.kind.startswith("limit-")] == [kind]


def test_runs_that_failed_are_listed_and_count_for_nothing(tmp_path: Path) -> None:
    def change(run: RunSeen) -> RunSeen:
        broken = run.cell.shape == "1x1" and run.cell.partitions == 1
        return run_of(SHAPES[2], 1, name=run.name, position=run.position, state="failed") if broken else run

    made = sweep(tmp_path, steady, change=change)
    assert of(made, "failed-runs").number == 3
    assert "it broke" in text(made)
    assert "boom" not in text(made)
    assert "; 3 did not end well." in made.lead


def test_first_runs_are_told_apart(tmp_path: Path) -> None:
    def change(run: RunSeen) -> RunSeen:
        return replace(run, first=True) if run.repetition == 0 and run.cell.partitions == 4 else run

    def elapsed(spec: ClusterSpec, count: int | None, repetition: int) -> float:
        return steady(spec, count, repetition) * (1.5 if repetition == 0 and count == 4 else 1.0)

    made = sweep(tmp_path, elapsed, change=change)
    assert of(made, "first-run").number == pytest.approx(48, abs=3)
    assert of(made, "repetition").number < 2


def test_single_runs_are_not_trusted(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady, repetitions=1)
    assert "no-repetition" in kinds(made)
    assert not {"repetition", "fastest", "partitions-matter", "partitions-alike"} & kinds(made)
    once = [finding for finding in made.findings if finding.kind == "partitions-once"]
    assert len(once) == 3
    assert once[0].sentence.startswith("Of single runs on 1x2, that with 4 partitions was the fastest")
    assert "once, which may be chance" in of(made, "fastest-not-told").sentence


def test_one_number_of_partitions_is_drawn_as_bars(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady, counts=(None,))
    assert "partitions suggested" not in text(made)
    assert "How many partitions" not in text(made)
    assert made.lead == "9 runs on 3 shapes."


def predicted(folder: Path, *, checked: bool = True, counts: Sequence[int] = (4,)) -> Section:
    """The section of a sweep that was simulated: `small` takes 40 s, `big` 10."""
    specs = (shape("big", workers=4, usd_per_hour=40.0), shape("small", workers=1, usd_per_hour=2.0))
    runs = [
        run_of(spec, count, elapsed_s=seconds + 10 / count - 2.5)
        for spec, seconds in zip(specs, (10.0, 40.0), strict=True)
        for count in counts
    ]
    made = [
        replace(row, run=f"predicted-{row.shape}-p{row.partitions}", predicted=True, predicted_low_s=0.9 * row.elapsed_s, usage=None,
                predicted_high_s=1.2 * row.elapsed_s, tasks=None, cluster="", limited_by="CPU", notes="It is <large>.")
        for row in rows(specs, [renamed(run, place) for place, run in enumerate(runs)])
    ]  # fmt: skip
    errors = (1.1, 0.9, 1.05) if checked else ()
    seen = [
        Checked("r", "shape", "2x1", 4, 1000, 20.0, 20.0 * error, 17.0, 21.5, "CPU", 30.0, 28.0) for error in errors
    ]
    run = begin_run(folder / "tuesday", "sweep", {"workload": "photos-256"})
    save(run.path, Simulated(tuple(made), "monday", 24, {"cpu_s_per_image": (0.02, 0.018, 0.022)}, tuple(seen)))
    return section(run)


def test_what_was_predicted_is_marked_everywhere(tmp_path: Path) -> None:
    made = predicted(tmp_path)
    assert made.title == "Cluster shapes: photos-256 (predicted)"
    assert made.lead == "2 shapes, predicted from 24 runs of monday; none of them was run."
    assert of(made, "fastest-predicted").sentence == (
        "Predicted, not measured: big is the fastest of 2 shapes, 10.0 s a run."
    )
    assert of(made, "fastest-predicted").interval == pytest.approx((9.0, 12.0))
    assert of(made, "cheapest-predicted").sentence.startswith("Predicted, not measured: small is the cheapest")
    for part in made.parts:
        markup = write(part)
        assert "<tbody>" not in markup or "redict" in markup or "simulation" in markup
    assert "&lt;large&gt;" in "".join(map(write, made.parts))


def test_predictions_stand_beside_what_was_measured(tmp_path: Path) -> None:
    made = predicted(tmp_path)
    error = of(made, "prediction-error")
    assert error.number == pytest.approx(10)
    assert "missed by 10% in the median; images over cores and rate, by 40%" in error.sentence
    assert "100% lie within their range of 90%" in text(made)
    assert "partitions-predicted" not in kinds(made)
    several = predicted(tmp_path / "several", counts=(1, 4))
    suggested = [finding for finding in several.findings if finding.kind == "partitions-predicted"]
    assert suggested[1].sentence == (
        "Predicted, not measured: small is fastest with 4 partitions, of those asked for: 40.0 s a run."
    )
    unchecked = predicted(tmp_path / "unchecked", checked=False)
    assert "prediction-unchecked" in kinds(unchecked)
    assert "prediction-error" not in kinds(unchecked)


def test_machines_that_tell_nothing_are_said_to(tmp_path: Path) -> None:
    made = sweep(tmp_path, steady, sampled=False, logged=False)
    assert "not known" in text(made)
    assert "not sampled" in text(made)
    assert not [finding for finding in made.findings if finding.use == "hardware"]


def test_nothing_made_yet(tmp_path: Path) -> None:
    run = begin_run(tmp_path / "none", "sweep", {})
    with pytest.raises(UsageError, match="it has made no run yet"):
        section(run)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_it_opens(browser: Any, tmp_path: Path, width: int) -> None:
    made = sweep(tmp_path, steady)
    page = tmp_path / "r.html"
    page.write_text(render(Page("t", "s", (made,), "0")), encoding="utf-8")
    with opened(browser, page, width=width) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert visit.complaints == []
        assert visit.requests == []
