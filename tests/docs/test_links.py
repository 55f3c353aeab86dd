from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    astray = []
    for link in links(page.read_text()):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        target, _, fragment = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (fragment and fragment not in anchors(file.read_text())):
            astray.append(link)
    assert astray == []


def test_every_page_can_be_found_from_the_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index.read_text())}
    listed = {path for path in (REPOSITORY / "docs").rglob("*.md") if "decisions" not in path.parts} - {index}
    assert listed <= linked
