"""What a sweep tells people to do, each in a sentence with its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.report.finding import Finding, Topic, Use
from shardmill.report.quantity import quantity, rounded
from shardmill.report.shapes.best import Best, best_of
from shardmill.report.shapes.bill import LIMIT_WORDS
from shardmill.report.shapes.study import Study, middle
from shardmill.sweep.cells import counted_partitions, partitions_words
from shardmill.sweep.compare import ratio_of, repetition_of
from shardmill.sweep.limits import Limits
from shardmill.sweep.partitions import Suggestion
from shardmill.units import format_count, format_seconds

_TOPICS: Final[dict[str, tuple[Topic, ...]]] = {
    "too few tasks": ("partitions",),
    "uneven tasks": ("partitions",),
    "disk": ("disk",),
}
KINDS: Final = (
    "fastest",
    "fastest-not-told",
    "cheapest",
    "cheapest-not-told",
    "cheapest-job",
    "cheapest-job-not-told",
    "disk-matters",
    "disks-alike",
    "limit-start-up",
    "limit-too-few-tasks",
    "limit-uneven-tasks",
    "limit-waiting",
    "limit-processor",
    "limit-network",
    "limit-disk",
)
"""Of the findings below whose kind is put together where they are made."""


def findings(study: Study, source: str) -> list[Finding]:
    """In the order of the page."""
    found = _shapes(study, source)
    found += _partitions(study, source)
    found += _limits(study, source)
    found += _disks(study, source)
    found += _trust(study, source)
    return found


def _shapes(study: Study, source: str) -> list[Finding]:
    """The fastest and the cheapest shape, each with how much better than the next it is."""
    fastest, full, job = (
        best_of(study, value)
        for value in (lambda row: row.elapsed_s, lambda row: row.full_usd, lambda row: row.job_usd)
    )
    found = [] if fastest is None else [_best(study, source, "fastest", "batch", fastest)]
    found += [] if full is None else [_best(study, source, "cheapest", "cost", full)]
    if job is not None and full is not None and job.first.cell.shape != full.first.cell.shape:
        found.append(_best(study, source, "cheapest-job", "cost", job))  # a cluster that is there changes the answer
    return found


def _best(study: Study, source: str, kind: str, use: Use, best: Best) -> Finding:
    where = {"fastest": "", "cheapest": " with its cluster", "cheapest-job": " on a cluster that is there already"}[
        kind
    ]
    unit, aim, takes = ("s", "fastest", "takes") if kind == "fastest" else ("$", "cheapest", "costs")
    amount = format_seconds(best.median) if unit == "s" else quantity(best.median, "$")
    images = middle(best.first, lambda row: row.images_per_usd)
    if kind == "cheapest" and images is not None:
        amount += f", {quantity(rounded(images))} images for a dollar"
    name, other, ratio = study.name(best.first.cell), study.name(best.second.cell), best.ratio
    more = f"{takes} {_times(ratio.value, 'longer' if unit == 's' else 'more')}"
    if ratio.sure and ratio.interval is not None:
        sentence = (
            f"{name} is the {aim} of {best.shapes} shapes{where}: a run {takes} {amount}; {other}, the next, {more}."
        )
        number, shown, interval = _shown(ratio.value, ratio.interval)
        return Finding(kind, use, sentence, number, shown, interval, source, ("shape",))
    why = "which is no more than repetitions differ by" if ratio.interval else "once, which may be chance"
    sentence = (
        f"Which of {best.shapes} shapes is {aim}{where} cannot be told: on {name}, a run {takes} {amount}; on {other}, the "
        f"next, it {more}, {why}."
    )
    return Finding(f"{kind}-not-told", use, sentence, best.median, unit, None, source, ("shape",))


def _shown(ratio: float, interval: tuple[float, float]) -> tuple[float, str, tuple[float, float]]:
    """A ratio as `_times` says it: in percent more, or as what it is from 2 on."""
    if ratio >= 2:
        return ratio, "x", interval
    low, high = interval
    return 100 * (ratio - 1), "%", (100 * (low - 1), 100 * (high - 1))


def _times(ratio: float, word: str) -> str:
    """`12% longer`, or `2.5 times as long`, or `as long`."""
    much = {"longer": "long", "more": "much"}[word]
    if ratio < 1.005:
        return f"as {much}"
    return f"{ratio:.1f} times as {much}" if ratio >= 2 else f"{100 * (ratio - 1):.0f}% {word}"


def _partitions(study: Study, source: str) -> list[Finding]:
    """How many partitions on the fastest shape, and on others if they want another number."""
    several = [one for one in study.suggestions.values() if len(one.tried) > 1]
    if not several:
        return []
    told = [one for one in several if one.told]
    if not told:
        widest = max((one.interval[1] for s in several for one in s.tried if one.interval), default=None)
        if widest is None:
            return [_tried_once(one, source) for one in several]
        tried = sorted({one.partitions or 0 for s in several for one in s.tried})
        sentence = (
            f"Between {partitions_words(tried[0] or None)} and {counted_partitions(tried[-1])}, no difference could be told on "
            f"{'this shape' if len(several) == 1 else 'any shape'}; a run may yet take up to {_times(1 + widest, 'longer')} "
            f"{'as' if widest >= 1 else 'than'} with another number, which more repetitions would show."
        )
        number, shown, _ = _shown(1 + widest, (1.0, 1 + widest))
        return [Finding("partitions-alike", "batch", sentence, number, shown, None, source, ("partitions",))]
    return [_suggested(one, source) for one in told]


def _tried_once(one: Suggestion, source: str) -> Finding:
    sentence = (
        f"Of single runs on {one.shape}, that with {counted_partitions(one.best.partitions)} was the fastest, which may be "
        "chance: repetitions would tell."
    )
    return Finding("partitions-once", "batch", sentence, one.best.elapsed_s, "s", None, source, ("partitions",))


def _suggested(one: Suggestion, source: str) -> Finding:
    worst = max((tried for tried in one.tried if tried.told_apart), key=lambda tried: tried.longer)
    assert worst.interval is not None
    low, high = worst.interval
    number, shown, interval = _shown(1 + worst.longer, (1 + low, 1 + high))
    sentence = (
        f"Give {one.shape} {counted_partitions(one.best.partitions)}: with "
        f"{partitions_words(worst.partitions)}, a run takes {_times(1 + worst.longer, 'longer')}."
    )
    return Finding("partitions-matter", "batch", sentence, number, shown, interval, source, ("partitions",))


def _limits(study: Study, source: str) -> list[Finding]:
    """What limits: one sentence for all shapes that the same thing limits."""
    groups: dict[str, list[tuple[str, Limits]]] = {}
    for shape in study.shapes:
        found = study.limits[study.chosen(shape).cell]
        if found.limit != "not known":
            groups.setdefault(found.limit, []).append((shape, found))
    sentences = []
    for limit, members in groups.items():
        _, words = LIMIT_WORDS[members[0][1].limit]
        shares = sorted(found.share for _, found in members)
        most = f"{shares[-1]:.0%}" if len(members) == 1 else f"{shares[0]:.0%} to {shares[-1]:.0%}"
        names = _listed([shape for shape, _ in members])
        sentences.append(
            Finding(
                f"limit-{limit.replace(' ', '-')}",
                "hardware",
                f"On {names}, {most} {words}.",
                100 * shares[-1],
                "%",
                None,
                source,
                _TOPICS.get(limit, ()),
            )
        )
    return sentences


def _disks(study: Study, source: str) -> list[Finding]:
    """Shapes that differ in their disks alone."""
    specs = {shape: study.spec(shape) for shape in study.shapes}
    found = []
    times = [[row.elapsed_s for row in cell.rows] for cell in study.cells]
    for place, first in enumerate(study.shapes):
        for second in study.shapes[place + 1 :]:
            if _disk(specs[first]) == _disk(specs[second]) or _but_disks(specs[first]) != _but_disks(specs[second]):
                continue
            one, other = sorted((study.chosen(first), study.chosen(second)), key=lambda cell: cell.elapsed_s)
            ratio = ratio_of(
                [row.elapsed_s for row in other.rows], [row.elapsed_s for row in one.rows], repetition_of(times)
            )
            if ratio.interval is None:
                continue
            quick, slow = (_disk(specs[cell.cell.shape]) for cell in (one, other))
            number, shown, interval = _shown(ratio.value, ratio.interval)
            if ratio.sure:
                kind = "disk-matters"
                sentence = (
                    f"With {slow}, a run takes {_times(ratio.value, 'longer')}{' as' if ratio.value >= 2 else ' than'} with "
                    f"{quick} ({first} and {second})."
                )
            else:
                kind = "disks-alike"
                sentence = f"Between {slow} and {quick} no difference could be told ({first} and {second}): take the cheaper disk."
            found.append(Finding(kind, "hardware", sentence, number, shown, interval, source, ("disk",)))
    return found


def _disk(spec: ClusterSpec) -> str:
    node = spec.task_node
    if node.local_ssds:
        return f"{format_count(node.local_ssds, f'local {node.local_ssd_interface.upper()} SSD')}"
    return f"{node.boot_disk_gb:,} GB of {node.boot_disk_type}" if node.boot_disk_type else "the machine's own disk"


def _but_disks(spec: ClusterSpec) -> tuple[object, ...]:
    def bare(node: NodeSpec) -> tuple[object, ...]:
        return node.machine_type, node.cores, node.memory_mb

    machines = (bare(spec.worker), spec.workers, bare(spec.master))
    return spec.provider, *machines, spec.region, spec.image_version, sorted(spec.properties.items())


def _trust(study: Study, source: str) -> list[Finding]:
    found = []
    spread = study.spread
    repetition = next((one for one in spread.components if one.source == "repetition"), None) if spread else None
    if spread is not None and repetition is not None and spread.repeated:
        sentence = (
            f"The same run on the same cluster again differs by {repetition.percent:.1f}% (one standard deviation)"
        )
        share = "" if repetition.share is None else f", which is {repetition.share:.0%} of all the spread of the sweep"
        found.append(
            Finding(
                "repetition",
                "trust",
                f"{sentence}{share}.",
                repetition.percent,
                "%",
                repetition.percent_interval,
                source,
            )
        )
    elif len(study.rows) > 1:
        sentence = "No run was repeated, so that no difference can be told from chance: give repetitions: 3 or more."
        found.append(Finding("no-repetition", "trust", sentence, 1, "run each", None, source))
    if spread is not None and spread.first is not None and spread.first.interval and spread.first.interval[0] > 1:
        low, high = (100 * (end - 1) for end in spread.first.interval)
        more = 100 * (spread.first.ratio - 1)
        sentence = (
            f"The first run on a cluster takes {more:.0f}% longer than the others; it is left out of every comparison."
        )
        found.append(Finding("first-run", "trust", sentence, more, "%", (low, high), source))
    failed = [row for row in study.rows if row.state != "done"]
    if failed:
        sentence = (
            f"{format_count(len(failed), 'run')} of {len(study.rows)} did not end well; the reasons are in the section."
        )
        found.append(Finding("failed-runs", "trust", sentence, len(failed), "failed", None, source))
    return found


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
