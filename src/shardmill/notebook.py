"""Progress in a notebook: one bar that is redrawn in place, under the cell that waits."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Final

from IPython.display import HTML, display

from shardmill.cli.progress import Rate, describe
from shardmill.operations.prepare.events import Event

_REDRAW_S: Final = 0.25


def progress() -> Callable[[Event], None]:
    """A listener for the `on_event` of `prepare` that draws a bar under the cell, and leaves one line when it is over."""
    rate, drawn = Rate(), 0.0
    place = display(HTML(""), display_id=True)

    def listener(event: Event) -> None:
        nonlocal drawn
        kind = event["event"]
        if kind == "progress":
            rate.update(event)
        text = describe(event, rate)
        if kind == "finished":
            text = f"{event['written']:,} written, {event['skipped']:,} skipped, {event['failed']:,} failed"
        elif not text or time.monotonic() - drawn < _REDRAW_S:
            return
        drawn = time.monotonic()
        share = event["images"] / max(event["of"], 1) if kind == "progress" else None
        place.update(HTML(_bar(text, share)))

    return listener


def _bar(text: str, share: float | None) -> str:
    meter = "" if share is None else f'<progress max="1" value="{share:.4f}" style="width:16em"></progress> '
    return f'<div style="font:0.9em sans-serif">{meter}{html.escape(text)}</div>'
