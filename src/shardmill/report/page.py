"""The page: head, findings, sections, in one file that needs nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from shardmill.report.advice import Gap, UseAdvice
from shardmill.report.finding import USES, Finding
from shardmill.report.html import Element, Node, element, write
from shardmill.report.section import Section

_HEAD: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="shardmill {version}">
{icon}{title}
<style>{css}</style>
</head>
"""
_PARTS: Final = "/* parts.css */\n"
"""Where the style of the page takes in that of the parts, which notebooks use too."""
_ADVICE: Final = "what-to-do"
_ICON: Final = '<link rel="icon" href="data:,">\n'


@dataclass(frozen=True, slots=True)
class Page:
    """All that stands on a page."""

    title: str
    summary: str
    """One line under the title: of what, when, on which machine."""
    sections: tuple[Section, ...]
    version: str
    """Of the shardmill that writes it."""
    advice: tuple[UseAdvice, ...] = ()
    """The last section; its first sentences stand at the top as well."""


def render(page: Page) -> str:
    """The page as HTML that makes no request: its policy forbids any, and names the one style and the one script it has.

    Raises:
        ValueError: two sections have the same id.
    """
    ids = [section.id for section in page.sections]
    if len(set(ids)) != len(ids):
        raise ValueError(f"sections share an id: {ids}")
    css, script = _asset("page.css").replace(_PARTS, _asset("parts.css")), _asset("page.js")
    head = _HEAD.format(
        style=_hash(css),
        script=_hash(script),
        icon=_ICON,
        version=page.version,
        title=write(element("title", page.title)),
        css=css,
    )
    body = write(_body(page)).removesuffix("</body>")
    return f"{head}{body}\n<script>{script}</script>\n</body>\n</html>\n"


def _body(page: Page) -> Element:
    links = [(section.id, section.title) for section in page.sections]
    if page.advice:
        links.append((_ADVICE, "What to do"))
    found = any(one.findings for one in page.advice)
    titles = {section.id: section.title for section in page.sections}
    parts: list[Node] = [
        element("a", "Skip to the findings", href="#main", class_="skip"),
        element(
            "header",
            element("p", "shardmill report", class_="kicker"),
            element("h1", page.title),
            element("p", page.summary, class_="lead"),
            element(
                "nav",
                element("ul", *(element("li", element("a", title, href=f"#{id_}")) for id_, title in links)),
                aria_label="Sections",
            ),
        ),
        element(
            "main",
            *([_in_short(page.advice, titles)] if found else []),
            *(_section(section) for section in page.sections),
            *([_what_to_do(page.advice, titles)] if page.advice else []),
            id="main",
        ),
        element(
            "footer",
            element(
                "p",
                f"Written by shardmill {page.version}. The page is one file: it makes no request, and every sentence with a "
                "number was computed from the runs it names. Intervals are of 95% unless they say otherwise.",
            ),
        ),
        element("div", role="status", aria_live="polite", class_="tip", id="tip", hidden=True),
    ]
    return element("body", *parts)


def leading(findings: Sequence[Finding]) -> list[Finding]:
    """The first of each use, in the order of uses; those about trust only where there are no others."""
    first = [next((one for one in findings if one.use == use), None) for use in USES]
    known = [one for one in first if one is not None]
    return [one for one in known if one.use != "trust"] or known[:1]


def _in_short(advice: Sequence[UseAdvice], titles: dict[str, str]) -> Element:
    """The first finding of each use."""
    first = leading([finding for one in advice for finding in one.findings])
    more = element("p", element("a", "All that was found, and what could not be told", href=f"#{_ADVICE}"))
    return element(
        "section",
        element("h2", "In short"),
        findings_list(first, titles),
        more,
        id="in-short",
        class_="advice",
    )


def _what_to_do(advice: Sequence[UseAdvice], titles: dict[str, str]) -> Element:
    return element("section", element("h2", "What to do"), *advice_parts(advice, titles), id=_ADVICE, class_="advice")


def advice_parts(advice: Sequence[UseAdvice], titles: dict[str, str]) -> list[Node]:
    """A group for each use: what was found, and what could not be told, with the commands that would."""
    return [
        element(
            "div",
            element("h3", one.title, element("span", one.explanation, class_="soft")),
            *([findings_list(one.findings, titles)] if one.findings else []),
            *([_gaps(one.gaps)] if one.gaps else []),
            class_="use",
        )
        for one in advice
    ]


def findings_list(findings: Sequence[Finding], titles: dict[str, str]) -> Element:
    """Each with its number in the margin, and a link to its section where `titles` names that."""
    return element("ul", *(_finding(finding, titles) for finding in findings), class_="findings")


def _gaps(gaps: Sequence[Gap]) -> Element:
    items = [
        element("li", element("p", gap.sentence), *(element("pre", element("code", line)) for line in gap.commands))
        for gap in gaps
    ]
    return element("div", element("h4", "Could not be told"), element("ul", *items), class_="gaps")


def _finding(finding: Finding, titles: dict[str, str]) -> Element:
    number: list[Node] = [element("span", finding.figure, class_="figure")]
    if finding.range:
        number.append(element("span", finding.range, class_="interval", title=finding.level))
    where: list[Node] = []
    if finding.source in titles:
        link = element("a", titles[finding.source], href=f"#{finding.source}")
        where = [" ", element("span", link, class_="source")]
    return element("li", element("div", *number, class_="number"), element("p", finding.sentence, *where))


def _section(section: Section) -> Element:
    lead: list[Node] = [element("p", section.lead, class_="lead")] if section.lead else []
    return element("section", element("h2", section.title), *lead, *section.parts, id=section.id)


def _asset(name: str) -> str:
    return (resources.files("shardmill.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
