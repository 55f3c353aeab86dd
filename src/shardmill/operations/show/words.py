"""The facts as words: for the contact sheet and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from shardmill.formats.base import Sample
from shardmill.operations.show.facts import SetFacts
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.sampling import ClassKey
from shardmill.operations.show.sheet import Group, SheetFacts
from shardmill.operations.show.typography import ELLIPSIS, printable, shortened
from shardmill.units import format_bytes, format_count

UNLABELLED: Final = "unlabelled"
_DOT: Final = "  ·  "
_BAR_WIDTH: Final = 32
_MOST_BARS: Final = 20
_MOST_FAILURES: Final = 10
_NAME_WIDTH: Final = 28
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def groups_of(samples: Sequence[Sample], facts: SetFacts) -> tuple[tuple[Group, ...], list[int]]:
    """The classes of `samples` in label order, and for each sample the place of its own; no classes if none has one."""
    keys: list[ClassKey] = [(sample.label, sample.text) for sample in samples]
    if all(key == (-1, "") for key in keys):
        return (), [0] * len(keys)
    counts: dict[str, int | None] = {entry.name: entry.count for entry in facts.classes}
    ordered = sorted(set(keys), key=lambda key: (key == (-1, ""), key))
    groups = []
    for label, text in ordered:
        name = text or (str(label) if label >= 0 else UNLABELLED)
        groups.append(Group(name, counts.get(name, facts.unlabelled if name == UNLABELLED else None)))
    return tuple(groups), [ordered.index(key) for key in keys]


def sheet_facts(
    name: str,
    facts: SetFacts,
    groups: tuple[Group, ...],
    sizes: Mapping[str, int],
    damage: Sequence[tuple[str, str]],
) -> SheetFacts:
    """The words around the pictures."""
    summary = [_records(facts), format_count(facts.shards, "shard"), format_bytes(facts.bytes)]
    if len(facts.classes) > 1:
        summary.append(format_count(len(facts.classes), "class"))
    if not facts.complete:
        summary.append("NOT FINISHED")
    details = [("Size in the shards", _sizes(sizes)), ("Splits", _splits(facts))]
    if facts.source_sizes:
        details.append(("Size of the sources", _source_sizes(facts)))
    if facts.conversions:
        details.append(("Converted", _counts(facts.conversions)))
    if facts.duplicates:
        details.append(("Copies", _duplicates(facts)))
    if facts.reasons:
        details.append(("Not written", _counts(facts.reasons)))
    if facts.missing_shards:
        details.append(("Missing", f"{format_count(facts.missing_shards, 'file')} that the names promise"))
    troubles = [
        format_count(number, noun) + state
        for number, noun, state in ((len(damage), "record", " damaged"), (facts.failed, "input", " failed"))
        if number
    ]
    return SheetFacts(
        title=name,
        summary=_DOT.join(summary),
        groups=groups,
        details=tuple(details),
        mean=facts.mean,
        std=facts.std,
        failures=(*damage, *facts.failures),
        failed=facts.failed + len(damage),
        failed_heading=", ".join(troubles),
    )


def lines(result: ShowResult) -> list[str]:
    """The result for people, at most some forty lines of a hundred columns."""
    facts = result.facts
    state = "" if facts.complete else ", NOT FINISHED"
    text = [
        f"{result.dest}: {_records(facts)} in {format_count(facts.shards, 'shard')}, {format_bytes(facts.bytes)}{state}"
    ]
    text += _class_lines(facts)
    rows = [("splits", _splits(facts)), ("sizes", _sizes(result.shown_sizes))]
    if facts.source_sizes:
        rows.append(("sources", _source_sizes(facts)))
    if facts.mean is not None and facts.std is not None:
        rows.append(("mean", "  ".join(f"{value:.4f}" for value in facts.mean) + "   red, green, blue, of 0 to 1"))
        rows.append(("std", "  ".join(f"{value:.4f}" for value in facts.std)))
    if facts.conversions:
        rows.append(("converted", _counts(facts.conversions)))
    if facts.duplicates:
        rows.append(("copies", _duplicates(facts)))
    if facts.ignored_files:
        rows.append(
            ("ignored", _counts({suffix or "no suffix": count for suffix, count in facts.ignored_files.items()}))
        )
    if facts.missing_shards:
        rows.append(("missing", f"{format_count(facts.missing_shards, 'file')} that the names of the others promise"))
    if facts.reasons:
        rows.append(("not written", _counts(facts.reasons)))
    text += [f"  {heading:<12} {words}" for heading, words in rows]
    text += _listed(facts.failures, facts.failed)
    if result.damage:
        text.append(f"  {'damaged':<12} {format_count(len(result.damage), 'record')} of those to be shown")
        text += _listed(result.damage, len(result.damage))
    return [*text, f"contact sheet of {format_count(result.shown, 'image')}: {result.sheet}"]


def _class_lines(facts: SetFacts) -> list[str]:
    entries = sorted(facts.classes, key=lambda entry: entry.label)
    if len(entries) > _MOST_BARS:
        entries = sorted(entries, key=lambda entry: (-(entry.count or 0), entry.label))
        half = _MOST_BARS // 2
        entries = [*entries[:half], *entries[-half:]] if entries[0].count is not None else entries[:_MOST_BARS]
    most = max((entry.count or 0 for entry in entries), default=0)
    names = [shortened(printable(entry.name), _NAME_WIDTH - 1) for entry in entries]
    width = max((len(name) for name in names), default=0)
    text = []
    for number, (entry, name) in enumerate(zip(entries, names, strict=True)):
        if len(facts.classes) > _MOST_BARS and number == _MOST_BARS // 2:
            text.append(f"  {ELLIPSIS} {len(facts.classes) - _MOST_BARS:,} more classes {ELLIPSIS}")
        bar = "" if entry.count is None else f"  {entry.count:>9,}  {_bar(entry.count, most)}"
        text.append(f"  {name:<{width}}{bar}".rstrip())
    if facts.unlabelled:
        text.append(f"  {format_count(facts.unlabelled, 'record')} without a class")
    return text


def _bar(count: int, most: int) -> str:
    eighths = round(8 * _BAR_WIDTH * count / most) if most else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _listed(failures: Sequence[tuple[str, str]], total: int) -> list[str]:
    shown = failures[:_MOST_FAILURES]
    text = [
        f"    {shortened(printable(key), 60, middle=True)}: {shortened(printable(reason), 120)}"
        for key, reason in shown
    ]
    if total > len(shown) > 0:
        text.append(f"    and {total - len(shown):,} more")
    return text


def _records(facts: SetFacts) -> str:
    return "images not counted" if facts.records is None else format_count(facts.records, "image")


def _splits(facts: SetFacts) -> str:
    parts = []
    for name, split in facts.splits.items():
        shards = format_count(split["shards"], "shard")
        parts.append(f"{name} {split['written']:,} in {shards}" if "written" in split else f"{name}: {shards}")
    return ", ".join(parts)


def _sizes(sizes: Mapping[str, int]) -> str:
    if len(sizes) <= 1:
        return next(iter(sizes), "none")
    widths, heights = zip(*((int(side) for side in size.split("x")) for size in sizes), strict=True)
    return f"{min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"


def _source_sizes(facts: SetFacts) -> str:
    smallest, median, largest = (f"{width}x{height}" for width, height in facts.source_sizes)
    return smallest if smallest == largest else f"{smallest} to {largest}, median {median}"


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ordered)


def _duplicates(facts: SetFacts) -> str:
    exact, across = facts.duplicates["exact"], facts.duplicates["across_splits"]
    if not exact:
        return "none"
    return f"{exact:,} exact" + (f", {across:,} across splits: a leak" if across else ", none across splits")
