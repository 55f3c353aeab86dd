"""The same data read alike on several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.ratio import ratio
from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.contests import WORTH, promptness, same_images
from shardmill.report.throughput.findings.words import bounded
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study


def machine_findings(machines: Sequence[tuple[str, Study]], source: str) -> Iterator[Finding]:
    """The first machine against each of the others, by the fastest way of reading that both measured.

    Args:
        machines: A name and the speed tests of each.
        source: Id of the section that shows the first one's.
    """
    first, *others = machines
    for other in others:
        yield from _throughput(first, other, source)
        yield from _first_batch(first, other, source)


def _throughput(one: tuple[str, Study], other: tuple[str, Study], source: str) -> Iterator[Finding]:
    pair = _alike(one[1], other[1])
    found = None if pair is None else ratio(pair[0].seen, pair[1].seen)
    if pair is None or found is None:
        return
    fast, slow, gain, interval = one[0], other[0], found.value, found.interval
    if gain < 1:
        fast, slow, gain, interval = slow, fast, 1 / gain, (1 / interval[1], _inverse(interval[0]))
    times = quantity(gain, "x", bare=True)
    if found.sure and gain >= 1 + WORTH:
        yield Finding(
            "machine-faster",
            "batch",
            f"{fast} reads {pair[0].name} {times} times as fast as {slow}, by one process at a time of each.",
            gain,
            "x",
            bounded(interval),
            source,
            ("shape",),
        )
    else:
        yield Finding(
            "machine-same",
            "batch",
            f"Between {fast} and {slow} no difference in speed that matters can be told: the former reads {pair[0].name} {times} times "
            "as fast.",
            gain,
            "x",
            bounded(interval),
            source,
            ("shape",),
        )


def _first_batch(one: tuple[str, Study], other: tuple[str, Study], source: str) -> Iterator[Finding]:
    pair = _alike(one[1], other[1])
    if pair is None:
        return
    ours, theirs = promptness(one[1])(pair[0]), promptness(other[1])(pair[1])
    found = None if ours is None or theirs is None else ratio(ours, theirs)
    if ours is None or found is None:
        return
    soon, late, gain, interval = one[0], other[0], found.value, found.interval
    if gain < 1:
        soon, late, gain, interval = late, soon, 1 / gain, (1 / interval[1], _inverse(interval[0]))
    size, times = int(ours.batch_size[0]), quantity(gain, "x", bare=True)
    if found.sure and gain >= 1 + WORTH:
        yield Finding(
            "machine-sooner",
            "streaming",
            f"On {soon} the first batch of {size} of {pair[0].name} is there {times} times as soon as on {late}.",
            gain,
            "x",
            bounded(interval),
            source,
            ("shape",),
        )
    else:
        yield Finding(
            "machine-as-soon",
            "streaming",
            f"On {soon} and on {late} the first batch of {size} of {pair[0].name} is there equally soon, as far as can be told: {times} "
            "times as soon on the former.",
            gain,
            "x",
            bounded(interval),
            source,
            ("shape",),
        )


def _alike(one: Study, other: Study) -> tuple[ArmAnalysis, ArmAnalysis] | None:
    """The fastest arm that both have, of the same images."""
    theirs = {arm.arm: arm for arm in other.arms}
    both = [arm for arm in one.arms if arm.arm in theirs and ratio(arm.seen, theirs[arm.arm].seen) is not None]
    both = [arm for arm in both if arm.arm.source == "files" or same_images(one, arm, theirs[arm.arm])]
    decoded = [arm for arm in both if arm.arm.decode] or both
    if not decoded:
        return None
    best = fastest(decoded)
    return best, theirs[best.arm]


def _inverse(bound: float) -> float:
    return 1 / bound if bound > 0 else float("inf")
