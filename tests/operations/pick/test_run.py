from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import shardmill
from shardmill.cli.main import main
from shardmill.errors import UsageError
from shardmill.operations.pick.result import lines
from shardmill.units import format_seconds
from tests.search.jobs import cpu_bound, memory_bound, rows_of, trace_of


@pytest.fixture
def trace(tmp_path: Path) -> str:
    return trace_of(tmp_path / "trace.csv", rows_of("sort", memory_bound, limit_s=9000.0), rows_of("grep", cpu_bound))


def test_the_pick_was_run_and_its_numbers_agree(trace: str, tmp_path: Path) -> None:
    result = shardmill.pick(trace=trace, workload="sort", out=str(tmp_path / "out"))
    chosen = next(trial for trial in result.trials if trial.shape == result.best)
    assert (chosen.outcome, chosen.run_usd) == ("ok", result.run_usd)
    assert result.run_usd == min(t.run_usd for t in result.trials if t.outcome == "ok" and t.run_usd is not None)
    assert result.run_usd_interval is not None
    assert result.run_usd is not None
    assert result.run_usd_interval[0] < result.run_usd < result.run_usd_interval[1]
    assert result.search_usd == pytest.approx(sum(trial.paid_usd for trial in result.trials))
    assert result.exhaustive_usd is not None
    assert result.exhaustive_usd > result.search_usd
    assert result.confidence is not None
    assert result.confidence >= 0.9
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.json", "trials.json", "pick.json", "pick.svg"}


def test_a_search_that_was_killed_goes_on_and_ends_the_same(trace: str, tmp_path: Path) -> None:
    whole = shardmill.pick(trace=trace, workload="sort", out=str(tmp_path / "whole"))
    program = """
import sys, time, shardmill
shardmill.pick(trace=sys.argv[1], workload="sort", out=sys.argv[2], say=lambda line: time.sleep(0.2))
"""
    out = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", program, trace, str(out)]) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            kept = out / "trials.json"
            if kept.exists() and len(json.loads(kept.read_bytes())) >= 2:
                break
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    before = json.loads((out / "trials.json").read_bytes())
    assert 2 <= len(before) < len(whole.trials)
    told: list[str] = []
    resumed = shardmill.pick(trace=trace, workload="sort", out=str(out), say=told.append)
    assert (resumed.best, resumed.trials) == (whole.best, whole.trials)
    assert told[0].startswith(f"run {len(before)} ")  # nothing was paid for twice


def test_another_request_does_not_take_up_the_folder(trace: str, tmp_path: Path) -> None:
    shardmill.pick(trace=trace, workload="grep", out=str(tmp_path / "out"), max_runs=2)
    more = shardmill.pick(trace=trace, workload="grep", out=str(tmp_path / "out"), max_runs=4)
    assert len(more.trials) == 4  # the same search, given more
    with pytest.raises(UsageError, match="asked with other objective"):
        shardmill.pick(trace=trace, workload="grep", out=str(tmp_path / "out"), objective="time")
    (tmp_path / "out" / "trials.json").write_text("[{}]")
    with pytest.raises(UsageError, match=r"trials\.json cannot be read"):
        shardmill.pick(trace=trace, workload="grep", out=str(tmp_path / "out"))


def test_limits_that_no_shape_keeps_are_no_pick(trace: str) -> None:
    result = shardmill.pick(trace=trace, workload="grep", deadline=1.0, strategy="exhaustive")
    assert (result.best, result.ending, len(result.trials)) == (None, "none", 36)
    assert "no pick     every shape was tried, and none ended well within the limits" in lines(result)
    fastest = min(trial.runtime_s for trial in result.trials if trial.runtime_s is not None)
    assert any(line.startswith("closest     ") and format_seconds(fastest) in line for line in lines(result))


def test_ours_gives_up_on_limits_that_no_shape_can_keep(trace: str) -> None:
    result = shardmill.pick(trace=trace, workload="grep", deadline=100.0)  # ten minutes are on one core
    assert (result.best, result.ending) == (None, "hopeless")
    assert result.confidence is not None
    assert result.confidence >= 0.99
    assert len(result.trials) < 12
    assert any("% sure that no shape ends well within the limits" in line for line in lines(result))


def test_a_strategy_that_says_no_probability_is_not_given_one(trace: str) -> None:
    result = shardmill.pick(trace=trace, workload="grep", strategy="cherrypick")
    assert "how sure    cherrypick does not say; its own rule ended the search" in lines(result)


def test_what_a_failed_run_cost_is_on_the_screen(trace: str) -> None:
    result = shardmill.pick(trace=trace, workload="sort", strategy="exhaustive")
    failed = [line for line in lines(result) if "failed; paid $" in line]
    assert len(failed) == result.failed > 0


def test_what_the_screen_says(trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert main(["pick", "--trace", trace, "--workload", "sort", "--out", out]) == 0
    told = capsys.readouterr()
    for words in (
        "pick        ",
        "one run     $",
        "runner-up   ",
        "how sure    9",
        "this search ",
        "running all 36 would have",
    ):
        assert words in told.out
    assert "best so far: " in told.err
    assert "chance that some shape is over 10 % better: " in told.err
    assert max(len(line.replace(out, "out")) for line in told.out.splitlines()) <= 120
    assert main(["pick", "--trace", trace, "--workload", "sort", "--budget", "0.5", "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["search_usd"] <= 0.5


def test_the_report_has_its_section_and_the_picture_its_marks(trace: str, tmp_path: Path) -> None:
    out = tmp_path / "<b>out"
    result = shardmill.pick(trace=trace, workload="sort", out=str(out))
    page = shardmill.report(str(out), output=str(tmp_path / "report.html"))
    html = (tmp_path / "report.html").read_text()
    assert result.best is not None
    assert result.best in html
    assert "The runs that were paid for" in html
    assert {finding.use for finding in page.findings} == {"cost"}
    picture = (out / "pick.svg").read_text()
    assert picture.startswith("<svg xmlns=")
    numbers = [
        int(number) for label in re.findall(r'class="value">([0-9, ]+)<', picture) for number in label.split(",")
    ]
    assert sorted(numbers) == list(range(1, len(result.trials) + 1))
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "run.json").write_text((out / "run.json").read_text())
    with pytest.raises(UsageError, match="has not ended; repeat its command"):
        shardmill.report(str(unfinished), output=str(tmp_path / "other.html"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a sweep file to try its shapes, or a table of measured runs with --trace"),
        (["--trace", "none.csv"], "cannot read the trace none.csv"),
        (["--trace", "TRACE"], "the trace has several workloads; name one with --workload: sort, grep."),
        (["--trace", "TRACE", "--workload", "wedding"], "the trace has no workload 'wedding'"),
        (["--trace", "TRACE", "--workload", "sort", "--strategy", "luck"], "unknown strategy 'luck'"),
        (["--trace", "TRACE", "--workload", "sort", "--budget", "0"], "--budget is 0; it takes a number above 0"),
        (["--trace", "TRACE", "--workload", "sort", "--deadline", "-5"], "--deadline is -5"),
        (["--trace", "TRACE", "--workload", "sort", "--cut-off", "1"], "--cut-off is 1; it takes a number above 1"),
        (["--trace", "TRACE", "--workload", "sort", "--sure", "100"], "--sure is 100"),
        (["--trace", "TRACE", "--workload", "sort", "--within", "-1"], "--within is -1"),
        (["--trace", "TRACE", "--workload", "sort", "--max-runs", "0"], "--max-runs is 0"),
    ],
)
def test_wrong_requests_end_in_a_sentence(
    words: list[str], message: str, trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pick", *(trace if word == "TRACE" else word for word in words)]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""
