"""A part of the page, and the pieces it is built of: paragraphs, tables, figures with the table behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shardmill.report.finding import Finding
from shardmill.report.html import Element, Node, element


@dataclass(frozen=True, slots=True)
class Section:
    """What one run has to say."""

    id: str
    """Unique on the page: letters, digits and dashes. Findings name it as their source."""
    title: str
    parts: tuple[Node, ...]
    findings: tuple[Finding, ...] = ()
    lead: str = ""
    """What was done, in a sentence under the title."""

    def renamed(self, id_: str) -> Section:
        """The same section under another id, for a page that has that id already."""
        return replace(self, id=id_, findings=tuple(replace(finding, source=id_) for finding in self.findings))


def paragraph(*children: Node) -> Element:
    """A paragraph of text."""
    return element("p", *children)


def note(*children: Node) -> Element:
    """A paragraph in small type: how to read what stands above."""
    return element("p", *children, class_="note")


def heading(text: str) -> Element:
    """A heading within a section."""
    return element("h3", text)


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Node]],
    *,
    caption: str,
    numeric: Sequence[int] = (),
    strong: Sequence[int] = (),
) -> Element:
    """A table that scrolls within itself where the page is narrow.

    Args:
        columns: Headings.
        rows: A cell for each column; the first is the heading of its row.
        caption: What it holds; shown above it.
        numeric: Columns of numbers, set flush right.
        strong: Rows to emphasise.
    """
    kinds = dict.fromkeys(numeric, "number")
    head = element(
        "tr", *(element("th", name, scope="col", class_=kinds.get(place)) for place, name in enumerate(columns))
    )
    body = [
        element(
            "tr",
            *(
                element("th", cell, scope="row", class_=kinds.get(place))
                if place == 0
                else element("td", cell, class_=kinds.get(place))
                for place, cell in enumerate(row)
            ),
            class_="strong" if number in strong else None,
        )
        for number, row in enumerate(rows)
    ]
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def definitions(entries: Sequence[tuple[str, Node]]) -> Element:
    """Names and what stands for them, in two columns."""
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in entries]
    return element("dl", *pairs)


def figure(plot: Node, caption: str, behind: Element | None = None, *, legend: Element | None = None) -> Element:
    """A plot with its caption, its legend above it, and the table of its values folded away behind it."""
    parts: list[Node] = [element("figcaption", caption)]
    if legend is not None:
        parts.append(legend)
    parts.append(plot)
    if behind is not None:
        parts.append(folded("Values", behind))
    return element("figure", *parts)


def folded(title: str, *children: Node) -> Element:
    """Something to be opened by those who want it."""
    return element("details", element("summary", title), *children)


def panels(plots: Sequence[Node]) -> Element:
    """Plots side by side, as many in a row as fit."""
    return element("div", *plots, class_="panels even" if len(plots) in (2, 4) else "panels")
