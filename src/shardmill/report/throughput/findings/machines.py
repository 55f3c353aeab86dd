"""The same data read alike on several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shardmill.model.analysis import ArmAnalysis
from shardmill.model.ratio import ratio
from shardmill.report.finding import Finding
from shardmill.report.quantity import quantity
from shardmill.report.throughput.findings.contests import promptness, same_images, verdict
from shardmill.report.throughput.models import fastest
from shardmill.report.throughput.study import Study

Machine = tuple[str, Study]
"""Its name and its speed tests."""


def machine_findings(machines: Sequence[Machine], source: str) -> Iterator[Finding]:
    """The first machine against each of the others, by the fastest way of reading that both measured.

    Args:
        machines: Two or more.
        source: Id of the section that shows the first one's.
    """
    first, *others = machines
    for other in others:
        yield from _throughput(first, other, source)
        yield from _first_batch(first, other, source)


def _throughput(one: Machine, other: Machine, source: str) -> Iterator[Finding]:
    pair = _alike(one[1], other[1])
    found = None if pair is None else ratio(pair[0].seen, pair[1].seen)
    if pair is None or found is None:
        return
    fast, slow, gain = (one[0], other[0], found) if found.value >= 1 else (other[0], one[0], found.inverse)
    times, name = quantity(gain.value, "x", bare=True), pair[0].name
    told = f"{fast} reads {name} {times} times as fast as {slow}, in the same batches with as many readers."
    same = f"Between {fast} and {slow} no difference in speed that matters can be told: the former reads {name} {times} times as fast."
    yield verdict("machine-faster", "machine-same", "batch", gain, (told, same), source, ("shape",))


def _first_batch(one: Machine, other: Machine, source: str) -> Iterator[Finding]:
    pair = _alike(one[1], other[1])
    if pair is None:
        return
    ours, theirs = promptness(one[1])(pair[0]), promptness(other[1])(pair[1])
    found = None if ours is None or theirs is None else ratio(ours, theirs)
    if ours is None or found is None:
        return
    soon, late, gain = (one[0], other[0], found) if found.value >= 1 else (other[0], one[0], found.inverse)
    times, batch = (
        quantity(gain.value, "x", bare=True),
        f"the first batch of {int(ours.batch_size[0])} of {pair[0].name}",
    )
    told = f"On {soon} {batch} is there {times} times as soon as on {late}."
    same = f"On {soon} and on {late} {batch} is there equally soon, as far as can be told: {times} times as soon on the former."
    yield verdict("machine-sooner", "machine-as-soon", "streaming", gain, (told, same), source, ("shape",))


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
