"""Data sets: prepared, verified, looked at."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from shardmill.display.frame import framed
from shardmill.errors import ShardmillError
from shardmill.operations.prepare.result import PrepareResult
from shardmill.operations.report.prepared import classes_figure, sheet_figure
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.run import show
from shardmill.operations.verify.result import VerifyResult, remedy
from shardmill.report.html import Node, element
from shardmill.report.section import definitions, folded, note, paragraph, table
from shardmill.storage import scheme_of
from shardmill.units import format_bytes, format_count, format_seconds

_IMAGES: Final = 24
_WIDEST: Final = 1_200
"""Pixels of a contact sheet in a notebook, which keeps it in its file."""
_MOST_ROWS: Final = 20


def prepared(result: PrepareResult) -> str:
    """Counts of each split, the inputs that failed, and a few of the images."""
    size = f"{format_count(result.shards, 'shard')}, {format_bytes(result.bytes)}"
    if result.dry_run:
        title = f"{result.dest} would become {size}, from {format_count(result.listed, 'input')}"
    elif result.already_complete:
        title = f"{result.dest} is complete: {format_count(result.written, 'record')} in {size}"
    else:
        title = (
            f"{result.dest}: {format_count(result.written, 'record')} in {size}, in {format_seconds(result.seconds)}"
        )
    columns = [name for name in ("shards", "listed", "written", "skipped", "failed") if _any_has(result, name)]
    caption = "What would become of the inputs" if result.dry_run else "What became of the inputs"
    rows = [
        [split or "all", *(f"{counts.get(name, 0):,}" for name in columns)] for split, counts in result.splits.items()
    ]
    parts: list[Node] = [table(("split", *columns), rows, caption=caption, numeric=range(1, len(columns) + 1))]
    if result.failures:
        failures = table(("input", "reason"), result.failures[:_MOST_ROWS], caption="The first inputs that failed")
        parts.append(folded(f"{format_count(result.failed, 'input')} failed", failures))
    copies = result.duplicates.get("exact", 0)
    if copies:
        across = result.duplicates.get("across_splits", 0)
        parts.append(note(f"{format_count(copies, 'exact copy')}, {across:,} across splits."))
    if not result.dry_run and result.written:
        parts += _sheet(result.dest)
    return framed(title, parts)


def _any_has(result: PrepareResult, name: str) -> bool:
    return any(name in counts for counts in result.splits.values())


def _sheet(dest: str) -> list[Node]:
    """A few images of the set, where it lies on this machine: a notebook does not wait for a store to show a result."""
    if scheme_of(dest):
        return [note("Its images are not on this machine; shardmill.show draws some of them.")]
    try:
        with tempfile.TemporaryDirectory(prefix="shardmill-display-") as scratch:
            drawn = show(dest, output=str(Path(scratch) / "sheet.png"), count=_IMAGES)
            return [sheet_figure(Path(drawn.sheet), drawn, _WIDEST)]
    except ShardmillError as error:
        return [note(f"Its images cannot be shown: {error}")]


def shown(result: ShowResult) -> str:
    """The contact sheet, and how many images each class has."""
    facts = result.facts
    counted = "" if facts.records is None else f"{format_count(facts.records, 'image')} in "
    parts: list[Node] = []
    if Path(result.sheet).is_file():
        parts.append(sheet_figure(Path(result.sheet), result, _WIDEST))
    else:
        parts.append(note(f"The contact sheet {result.sheet} is no longer there."))
    if len(facts.classes) > 1 and all(entry.count is not None for entry in facts.classes):
        parts.append(classes_figure(facts))
    if result.damage:
        parts.append(table(("shard", "what is wrong"), result.damage[:_MOST_ROWS], caption="Damage that was met"))
    title = f"{result.name}: {counted}{format_count(facts.shards, 'shard')}, {format_bytes(facts.bytes)}"
    return framed(title, parts)


def verified(result: VerifyResult) -> str:
    """Whole or not, and what is wrong where."""
    counted = f"{format_count(result.shards, 'shard')}, {format_count(result.records, 'record')}, {format_bytes(result.bytes)}"
    verdict = "whole" if result.ok else f"damaged, {format_count(result.findings_total, 'finding')}"
    how = "every record read" if result.deep else "no record read"
    parts: list[Node] = [
        definitions([("Looked at", counted), ("How", how), ("In", format_seconds(result.seconds))]),
    ]
    if result.findings:
        rows = [
            (
                one.file,
                "" if one.record is None else f"{one.record:,}",
                "" if one.offset is None else f"{one.offset:,}",
                element("code", one.kind),
                one.detail,
            )
            for one in result.findings[:_MOST_ROWS]
        ]
        hidden = result.findings_total - len(rows)
        caption = "What is wrong" + (f"; {hidden:,} more in findings" if hidden else "")
        parts.append(table(("file", "record", "byte", "kind", "detail"), rows, caption=caption, numeric=(1, 2)))
    if result.repairs:
        repairs = [(one.file, one.action, f"{one.kept:,}", f"{one.lost:,}", one.written_to) for one in result.repairs]
        parts.append(
            table(("file", "action", "kept", "lost", "written to"), repairs, caption="Repaired", numeric=(2, 3))
        )
    if not result.ok:
        parts.append(paragraph(remedy(result)))
    return framed(f"{result.dest} is {verdict}", parts)
