"""Debian's Chromium, driven by Playwright, and what a page did in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
not_run: Final[list[str]] = []
"""Why browser tests were not run, if they were not."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser. Without one the test is skipped, or fails where `SHARDMILL_BROWSER=required` says so."""
    program = shutil.which("chromium")
    if program is None:
        why = "there is no chromium on PATH; install it with: apt-get install chromium"
        if os.environ.get("SHARDMILL_BROWSER") == "required":
            pytest.fail(why)
        not_run.append(why)
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield running
        finally:
            running.close()


@dataclass
class Visit:
    """One page that was opened from its file."""

    page: Any
    requests: list[str] = field(default_factory=list)
    """Of everything but the file itself and the pictures that it carries."""
    complaints: list[str] = field(default_factory=list)
    """On the console, and errors of scripts."""


@contextmanager
def opened(browser: Any, file: Path, *, width: int = 1200, dark: bool = False) -> Iterator[Visit]:
    """Open `file` in a window `width` pixels wide."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        visit = Visit(page)
        address = file.resolve().as_uri()
        page.on("request", lambda request: _note(visit.requests, request.url, address))
        page.on("console", lambda message: visit.complaints.append(message.text))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.goto(address)
        yield visit
    finally:
        context.close()


def _note(requests: list[str], url: str, own: str) -> None:
    if url.partition("#")[0] != own and not url.startswith("data:"):
        requests.append(url)
