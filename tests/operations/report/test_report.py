from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from shardmill.cli.main import main
from shardmill.errors import DamageError, UsageError
from shardmill.operations.prepare.run import prepare
from shardmill.operations.report.run import report
from shardmill.runs import begin_run
from tests.browser import opened
from tests.report.test_html import Reader

EVIL = "<script>document.title=1<"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 images of two classes, one of which would be markup, one file that is no image, and one copy."""
    root = tmp_path_factory.mktemp("prepared")
    for name, count in ((EVIL, 20), ("plain & simple", 5)):
        folder = root / "photos" / name
        folder.mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (60, 40), (10 * number, 90, 120)).save(folder / f"{number}.jpg")
    (root / "photos" / EVIL / "b&quot;<i>.jpg").write_text("no image")
    prepare(str(root / "photos"), str(root / "a set"), size="48", num_shards="3", max_errors="10%", workers=1)
    return root / "a set"


def test_a_prepared_set(prepared: Path, tmp_path: Path) -> None:
    result = report(str(prepared), output=str(tmp_path / "r.html"))
    text = Path(result.page).read_text(encoding="utf-8")
    assert result.bytes == len(text.encode())
    read = Reader(text)
    assert "25 images in 3 shards" in read.text
    assert "26 inputs, 25 were written, 0 skipped and 1 failed" in read.text
    assert EVIL in read.text
    assert "b&quot;<i>.jpg" in read.text
    (sheet,) = (attributes for name, attributes in read.tags if name == "img")
    assert (sheet["src"] or "").startswith("data:image/jpeg;base64,")
    assert [finding.use for finding in result.findings] == ["trust"]
    assert result.findings[0].number == 1
    json.dumps(asdict(result))


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_it_opens(browser: Any, prepared: Path, tmp_path: Path, width: int) -> None:
    page = report(str(prepared), output=str(tmp_path / "r.html")).page
    with opened(browser, Path(page), width=width) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert visit.page.title() == "a set"
        visit.page.locator("img").scroll_into_view_if_needed()
        visit.page.wait_for_function("document.querySelector('img').naturalWidth > 1000")
        assert (visit.requests, visit.complaints) == ([], [])


def test_an_earlier_report_is_replaced_and_nothing_else(prepared: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    report(str(prepared), output=str(page), title="One <title>")
    first = page.read_text(encoding="utf-8")
    report(str(prepared), output=str(page))
    assert first != page.read_text(encoding="utf-8")
    assert "<title>One &lt;title&gt;</title>" in first
    page.write_text("my own page")
    with pytest.raises(UsageError, match="is no report of shardmill"):
        report(str(prepared), output=str(page))
    assert page.read_text() == "my own page"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_one_set_twice_and_two_of_one_name(prepared: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "a set"
    other.parent.mkdir()
    other.symlink_to(prepared)
    result = report(str(prepared), str(prepared), str(other), output=str(tmp_path / "r.html"))
    assert len(result.runs) == 2
    assert [finding.source for finding in result.findings] == ["prepared-a-set", "prepared-a-set-2"]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda folder: str(folder / "absent"), UsageError, "there is nothing at"),
        (lambda folder: str(folder), UsageError, "holds no shard"),
        (lambda folder: str(unfinished(folder)), DamageError, "not finished"),
    ],
)
def test_runs_that_are_none(make: Any, error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        report(make(tmp_path), output=str(tmp_path / "r.html"))
    assert not (tmp_path / "r.html").exists()


def unfinished(folder: Path) -> Path:
    (folder / "set" / "_plan").mkdir(parents=True)
    return folder / "set"


def test_wrong_requests(tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(UsageError, match="at least one run"):
        report()
    with pytest.raises(UsageError, match=r"ends in \.html"):
        report(str(prepared), output=str(tmp_path / "r.pdf"))
    with pytest.raises(UsageError, match=r"Choose another file|choose another file"):
        report(str(prepared), output=str(tmp_path / "absent" / "r.html"))


def test_the_command(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(prepared), "--output", str(tmp_path / "r.html")]) == 0
    assert f"report: {tmp_path}/r.html" in capsys.readouterr().out
    assert main(["report", str(prepared), "--output", str(tmp_path / "r.html"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["use"] == "trust"
    assert main(["report", str(tmp_path / "absent")]) == 2
    assert "there is nothing at" in capsys.readouterr().err


def test_a_kind_of_run_without_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shardmill import registry

    begin_run(tmp_path / "run", "sweep", {})
    monkeypatch.setattr(registry, "SECTIONS", {})
    monkeypatch.setattr("shardmill.operations.report.parts.SECTIONS", {})
    with pytest.raises(UsageError, match="unknown kind of run 'sweep'"):
        report(str(tmp_path / "run"), output=str(tmp_path / "r.html"))
