from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.report.html import element, picture, text_of, write
from shardmill.units import printable


class Reader(HTMLParser):
    """What a browser would make of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text())
def test_text_stays_text_wherever_it_stands(text: str) -> None:
    markup = write(element("p", text, element("b", text), title=text, data_tip=text))
    markup.encode("utf-8")  # surrogates too
    read = Reader(markup)
    shown = "\n".join(map(printable, text.split("\n")))
    assert read.tags == [("p", {"title": shown, "data-tip": shown}), ("b", {})]
    assert read.text == shown * 2


def test_attributes() -> None:
    node = element(
        "svg",
        element("line", x1=1.0, x2=2.346, y1=0),
        viewBox="0 0 1 1",
        class_="a b",
        aria_label="x",
        hidden=True,
        id=None,
    )
    assert (
        write(node)
        == '<svg viewBox="0 0 1 1" class="a b" aria-label="x" hidden=""><line x1="1" x2="2.35" y1="0"></line></svg>'
    )
    assert write(element("br")) == "<br>"
    assert text_of(element("p", "a<", element("b", "c"))) == "a<c"


@pytest.mark.parametrize("name", ["script", "style", "iframe", "link", "foreignObject", "p onload=x", "b>", ""])
def test_elements_that_could_run_something_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no element"):
        element(name)


@pytest.mark.parametrize("name", ["onclick", "onLoad", "style", "a b", 'a"'])
def test_attributes_that_could_run_something_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no attribute"):
        element("p", **{name: "x"})


@pytest.mark.parametrize(
    "address", ["https://example.org", "javascript:alert(1)", "data:text/html;base64,AAAA", "//x", ""]
)
def test_links_that_leave_the_page_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="leaves the page"):
        element("a", "x", href=address)


def test_what_a_page_carries() -> None:
    assert write(picture(b"abc", "png", "a <b>")) == '<img src="data:image/png;base64,YWJj" alt="a &lt;b&gt;">'
    assert write(element("a", "up", href="#top")) == '<a href="#top">up</a>'
