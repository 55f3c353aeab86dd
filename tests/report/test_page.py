from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shardmill.report.advice import Gap, UseAdvice
from shardmill.report.finding import Finding
from shardmill.report.page import Page, render
from shardmill.report.section import Section
from tests.browser import opened
from tests.report.gallery import EVIL, gallery
from tests.report.test_html import Reader


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(gallery()), encoding="utf-8")
    return file


def test_the_first_of_each_use_stands_at_the_top_and_all_of_it_last() -> None:
    findings = (
        Finding("limit", "hardware", "The processor limits: 97 % busy.", 97, "%", (95, 99), "a"),
        Finding("saved", "hardware", "An image costs 2 ms.", 0.002, "s", None, "b"),
    )
    gap = Gap("one-format", "batch", ("format",), "only <tfrecord> was measured", ("shardmill speedtest 'a b'",))
    told = (UseAdvice("batch", (), (gap,)), UseAdvice("hardware", findings, ()))
    sections = (Section("a", "The section", (), findings), Section("b", "Another", ()))
    text = render(Page("T", "s", sections, "1", told))
    short, last = text.index('id="in-short"'), text.index('id="what-to-do"')
    assert short < text.index('id="a"') < text.index('id="b"') < last
    assert short < found(text, "The processor limits")[0] < text.index('id="a"')
    assert [place > last for place in found(text, "An image costs")] == [True]
    assert '<a href="#a">The section</a>' in text
    read = Reader(text).text
    assert "95 to 99" in read
    assert "Format: only <tfrecord> was measured." in read
    assert "shardmill speedtest 'a b'" in read


def found(text: str, words: str) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(words), text)]


def test_without_findings_there_is_no_advice() -> None:
    text = render(Page("T", "s", (Section("a", "A", ()),), "1"))
    assert "What to do" not in text
    assert "In short" not in text


def test_ids_must_differ() -> None:
    with pytest.raises(ValueError, match="share an id"):
        render(Page("T", "s", (Section("a", "A", ()), Section("a", "B", ())), "1"))


def test_a_renamed_section_keeps_its_findings() -> None:
    section = gallery().sections[0].renamed("other")
    assert {finding.source for finding in section.findings} == {"other"}


def test_text_of_the_data_is_text(file: Path) -> None:
    read = Reader(file.read_text(encoding="utf-8"))
    assert read.text.count("<script>document.title='broken'</script>") >= 5
    assert "\u202e" not in read.text
    assert [name for name, _ in read.tags].count("script") == 1
    assert {attributes["src"][:11] for name, attributes in read.tags if name == "img" and attributes["src"]} == {
        "data:image/"
    }


@pytest.mark.browser
def test_nothing_runs_and_nothing_is_fetched(browser: Any, file: Path) -> None:
    with opened(browser, file) as visit:
        assert visit.page.title() == gallery().title
        assert visit.page.locator("img[src=x]").count() == 0
        assert (
            visit.page.locator("h2", has_text="Words and tables").inner_text().startswith("Words and tables <script>")
        )
        visit.page.evaluate("fetch('https://example.org/').catch(() => null)")
        visit.page.wait_for_timeout(50)
        refused = [text for text in visit.complaints if "Content Security Policy" in text]
        assert refused, "the policy of the page lets it fetch"
        assert visit.requests == []
    with opened(browser, file) as visit:
        visit.page.wait_for_timeout(50)
        assert (visit.requests, visit.complaints) == ([], [])


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1200, True)])
def test_it_holds_at_the_width_of_a_phone_and_of_a_desk(browser: Any, file: Path, width: int, dark: bool) -> None:
    with opened(browser, file, width=width, dark=dark) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        drawn = visit.page.locator("svg.plot:visible")
        assert drawn.count() == 6
        for number in range(drawn.count()):
            box = drawn.nth(number).bounding_box()
            assert box["width"] > 200
            assert box["x"] + box["width"] <= width
            assert box["height"] > 60


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_contrast(browser: Any, file: Path, dark: bool) -> None:
    with opened(browser, file, dark=dark) as visit:
        colours = visit.page.evaluate(
            "Object.fromEntries(['--paper','--ink','--soft','--accent','--h0','--h1','--h2','--h3','--h4','--h5']"
            ".map(name => [name, getComputedStyle(document.documentElement).getPropertyValue(name).trim()]))"
        )
    for name, colour in colours.items():
        if name != "--paper":
            ratio = contrast(colour, colours["--paper"])
            assert ratio >= (3 if name.startswith("--h") else 4.5), (name, ratio)


@pytest.mark.browser
def test_values_appear_under_the_pointer_and_the_keys(browser: Any, file: Path) -> None:
    with opened(browser, file) as visit:
        plot = visit.page.locator("svg.plot").first
        tip = visit.page.locator("#tip")
        assert not tip.is_visible()
        plot.locator(".median").nth(3).hover(force=True)
        assert tip.inner_text().startswith("batch 16: median")
        box, window = tip.bounding_box(), visit.page.viewport_size
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= window["width"]
        visit.page.mouse.move(2, 2)
        assert not tip.is_visible()
        plot.focus()
        visit.page.keyboard.press("ArrowRight")
        assert tip.inner_text() == "batch 2, repetition 0"
        visit.page.keyboard.press("ArrowLeft")
        assert tip.inner_text().startswith("batch 64")
        visit.page.keyboard.press("Escape")
        assert not tip.is_visible()


@pytest.mark.browser
def test_every_plot_has_words_and_every_table_a_caption(browser: Any, file: Path) -> None:
    with opened(browser, file) as visit:
        for plot in visit.page.locator("svg.plot").all():
            assert plot.get_attribute("role") == "img"
            assert plot.get_attribute("aria-label")
        assert visit.page.locator("table").count() == visit.page.locator("table > caption").count() > 0
        assert visit.page.locator("img:not([alt])").count() == 0


@pytest.mark.browser
def test_in_print(browser: Any, file: Path, tmp_path: Path) -> None:
    with opened(browser, file, dark=True) as visit:
        visit.page.emulate_media(media="print")
        background, ink = visit.page.evaluate(
            "[document.body, document.querySelector('p')].map(e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])"
        )
        assert background[0] == "rgb(255, 255, 255)"
        assert ink[1] != background[0]
        assert not visit.page.locator("nav").is_visible()
        assert visit.page.locator("svg.plot:visible").count() == 6
        content = visit.page.pdf(format="A4")
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 2


def test_evil_is_evil_enough() -> None:
    section = replace(gallery().sections[0], title=EVIL)
    assert "<script>document" not in render(Page(EVIL, EVIL, (section,), "1"))


def contrast(one: str, other: str) -> float:
    """By WCAG 2.2, of two colours written `#rrggbb` or `#rgb`."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
