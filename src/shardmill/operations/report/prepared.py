"""What the page tells of a prepared data set: its facts, its classes and its contact sheet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from shardmill.dataset import Dataset
from shardmill.operations.show.facts import SetFacts, set_facts
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.run import show
from shardmill.operations.show.sampling import Draw
from shardmill.report.finding import Finding
from shardmill.report.html import Element, Node, element, picture
from shardmill.report.plot.bars import Bar, bars
from shardmill.report.section import Section, definitions, figure, folded, table
from shardmill.units import format_bytes, format_count, format_seconds

_MOST_CLASSES: Final = 24
_MOST_PIXELS: Final = 2_200
"""Width of the sheet on the page: two pixels for each point of its column."""


def prepared_section(dest: str, id_: str) -> Section:
    """The section of the data set at `dest`.

    Raises:
        DamageError: it is not finished, or no record of it can be shown.
        UsageError: there is none.
    """
    with tempfile.TemporaryDirectory(prefix="shardmill-report-") as scratch:
        shown = show(dest, output=str(Path(scratch) / "sheet.png"))
        sheet = sheet_figure(Path(shown.sheet), shown)
    manifest = Dataset.open(dest).manifest
    facts = shown.facts
    parts: list[Node] = [definitions(_facts(facts, shown, manifest)), sheet]
    if len(facts.classes) > 1 and all(entry.count is not None for entry in facts.classes):
        parts.append(classes_figure(facts))
    if facts.failures:
        parts.append(_failures(facts))
    return Section(
        id=id_,
        title=f"Prepared: {shown.name}",
        parts=tuple(parts),
        findings=tuple(_findings(facts, id_, shown.name)),
        lead=_lead(facts, manifest),
    )


def prepared_findings(dest: str, id_: str) -> list[Finding]:
    """The findings of that section alone, without its pictures.

    Raises:
        DamageError: the data set is not finished.
        UsageError: there is none.
    """
    dataset = Dataset.open(dest)
    if dataset.manifest is None:
        return []
    return _findings(set_facts(dataset, Draw()), id_, Path(dataset.root).name)


def _lead(facts: SetFacts, manifest: Mapping[str, Any] | None) -> str:
    counted = "Images" if facts.records is None else format_count(facts.records, "image")
    text = f"{counted} in {format_count(facts.shards, 'shard')}, {format_bytes(facts.bytes)}."
    if manifest is None:
        return f"{text} Written by others, so that only what the files themselves say is known."
    run, totals = manifest["run"], manifest["data"]["totals"]
    text += (
        f" Of {format_count(totals['listed'], 'input')}, {totals['written']:,} were written, {totals['skipped']:,} skipped "
        f"and {totals['failed']:,} failed"
    )
    if run.get("seconds") and not run.get("resumed_shards"):
        text += f", in {format_seconds(run['seconds'])} on {run['host']}"
    return text + "."


def _facts(facts: SetFacts, shown: ShowResult, manifest: Mapping[str, Any] | None) -> list[tuple[str, Node]]:
    entries: list[tuple[str, Node]] = []
    for name, split in facts.splits.items():
        written = f"{split['written']:,} in " if "written" in split else ""
        entries.append((f"Split {name}", f"{written}{format_count(split['shards'], 'shard')}"))
    entries.append(
        ("Sizes seen", ", ".join(list(shown.shown_sizes)[:4]) + (" \u2026" if len(shown.shown_sizes) > 4 else ""))
    )
    if facts.source_sizes:
        smallest, median, largest = (f"{width}x{height}" for width, height in facts.source_sizes)
        entries.append(("Sources, smallest, median, largest", f"{smallest}, {median}, {largest}"))
    if facts.mean is not None and facts.std is not None:
        entries.append(("Channel mean, R G B", "  ".join(f"{value:.4f}" for value in facts.mean)))
        entries.append(("Channel deviation, R G B", "  ".join(f"{value:.4f}" for value in facts.std)))
    if facts.conversions:
        counts = sorted(facts.conversions.items(), key=lambda item: (-item[1], item[0]))
        entries.append(("Converted", ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts)))
    if facts.duplicates:
        entries.append(
            ("Exact copies", f"{facts.duplicates['exact']:,}, {facts.duplicates['across_splits']:,} across splits")
        )
    if facts.missing_shards:
        entries.append(
            ("Missing", f"{format_count(facts.missing_shards, 'file')} that the names of the others promise")
        )
    if manifest is not None:
        image = manifest["data"]["spec"]["image"]
        entries.append(("Resized", f"{image['resize_mode'].replace('_', ' ')}, JPEG quality {image['quality']}"))
        entries.append(("Plan", element("code", str(manifest["data"]["plan"])[:16])))
    return entries


def sheet_figure(path: Path, shown: ShowResult, widest: int = _MOST_PIXELS) -> Element:
    """The contact sheet in the file `path`, at most `widest` pixels wide."""
    with Image.open(path) as opened:
        sheet = opened.convert("RGB")
    if sheet.width > widest:
        sheet = sheet.resize((widest, round(sheet.height * widest / sheet.width)), Image.Resampling.LANCZOS)
    file = BytesIO()
    sheet.save(file, "JPEG", quality=86, optimize=True, progressive=True)
    alternative = f"Contact sheet: {format_count(shown.shown, 'image')} of {shown.name}, ordered by class"
    image = picture(file.getvalue(), "jpeg", alternative, width=sheet.width, height=sheet.height)
    return element(
        "figure", element("div", image, class_="sheet", tabindex=0, role="region", aria_label="Contact sheet")
    )


def classes_figure(facts: SetFacts) -> Element:
    """How many images each class has."""
    ordered = sorted(facts.classes, key=lambda entry: (-(entry.count or 0), entry.label))
    shown = ordered[:_MOST_CLASSES]
    caption = "Images in each class" + (
        f": the {_MOST_CLASSES} largest of {len(ordered):,}" if len(ordered) > len(shown) else ""
    )
    plot = bars(
        [Bar(entry.name or str(entry.label), entry.count or 0, f"{entry.count:,}") for entry in shown],
        description=f"{caption}: from {shown[0].count:,} of {shown[0].name} to {shown[-1].count:,} of {shown[-1].name}",
    )
    behind = table(
        ("class", "label", "images"),
        [(entry.name, str(entry.label), f"{entry.count:,}") for entry in ordered],
        caption="Images in each class",
        numeric=(1, 2),
    )
    return figure(plot, caption, behind)


def _failures(facts: SetFacts) -> Element:
    rows = [(key, reason) for key, reason in facts.failures]
    caption = f"Inputs that failed: {len(rows):,} of {facts.failed:,}"
    return folded(caption, table(("input", "reason"), rows, caption=caption))


def _findings(facts: SetFacts, source: str, name: str) -> list[Finding]:
    found = []
    if facts.failed:
        listed = sum(split.get("listed", 0) for split in facts.splits.values())
        found.append(
            Finding(
                "inputs-failed",
                "trust",
                f"{format_count(facts.failed, 'input')} of {listed:,} did not become records of {name}; the reasons are in its "
                "section.",
                facts.failed,
                "failed",
                None,
                source,
            )
        )
    across = facts.duplicates.get("across_splits", 0)
    if across:
        found.append(
            Finding(
                "copies-across-splits",
                "trust",
                f"{format_count(across, 'exact copy')} in {name} {'lies' if across == 1 else 'lie'} in more than one split, which "
                "flatters any score on the smaller one: prepare it with --drop-duplicates or --group-col.",
                across,
                "leaked",
                None,
                source,
            )
        )
    return found
