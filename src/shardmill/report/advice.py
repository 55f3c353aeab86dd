"""Findings by use, and for each thing to choose that none of them tells of, why not, and the command that would tell.

A finding names its topics. A topic that no finding of a use names is a gap; what was measured decides which one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shardmill.report.evidence import Evidence
from shardmill.report.finding import USES, Finding, Topic, Use
from shardmill.report.throughput.findings.contests import OTHER_SIZE, SMALL_BATCH
from shardmill.report.throughput.study import ReadSet

TOPICS: Final[Mapping[Use, tuple[Topic, ...]]] = {
    "batch": ("format", "shard size", "batch size", "parallel reads", "partitions", "shape", "disk"),
    "streaming": ("format", "shard size", "batch size", "parallel reads", "shape", "disk"),
}
"""What there is to choose. A stream has no partitions: these group the shards of a job."""
_ANSWERS: Final[Mapping[Use, frozenset[Use]]] = {
    "batch": frozenset({"batch", "hardware", "cost"}),
    "streaming": frozenset({"streaming"}),
}
"""Uses of findings that answer for a use."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be said."""

    kind: str
    """What sort of sentence, as that of a `Finding`."""
    use: Use
    topics: tuple[Topic, ...]
    why: str
    """Which measurement is missing, without a full stop."""
    commands: tuple[str, ...]
    """That supply it, one after the other."""

    @property
    def sentence(self) -> str:
        """Whole: `Format, shard size: no speed test is among these runs.`"""
        topics = ", ".join(self.topics)
        return f"{topics[0].upper()}{topics[1:]}: {self.why}."


@dataclass(frozen=True, slots=True)
class UseAdvice:
    """All about one use."""

    use: Use
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]

    @property
    def title(self) -> str:
        return USES[self.use][0]

    @property
    def explanation(self) -> str:
        return USES[self.use][1]


def advice(findings: Sequence[Finding], seen: Evidence) -> tuple[UseAdvice, ...]:
    """What was found and what could not be told, by use, in the order of `USES`; a use of which there is neither is left out."""
    grouped = [
        UseAdvice(use, tuple(one for one in findings if one.use == use), gaps(use, findings, seen)) for use in USES
    ]
    return tuple(one for one in grouped if one.findings or one.gaps)


def gaps(use: Use, findings: Sequence[Finding], seen: Evidence) -> tuple[Gap, ...]:
    """The topics of `use` that no finding tells of; those with the same reason together."""
    told = {topic for one in findings if one.use in _ANSWERS.get(use, ()) for topic in one.topics}
    merged: dict[str, Gap] = {}
    for topic in TOPICS.get(use, ()):
        if topic not in told:
            gap = _GAPS[topic](use, seen)
            known = merged.get(gap.kind)
            merged[gap.kind] = (
                gap if known is None else Gap(gap.kind, use, (*known.topics, topic), gap.why, gap.commands)
            )
    return tuple(merged.values())


def _unread(use: Use, topic: Topic, seen: Evidence) -> Gap | None:
    """Nothing that tells how fast anything is read, or not in such batches."""
    data = _quoted(seen.data)
    if not seen.rows:
        return Gap(
            "no-speed-test", use, (topic,), "no speed test is among these runs", (f"shardmill speedtest {data}",)
        )
    if use == "streaming" and min(seen.levels("batch_size")) > SMALL_BATCH:
        return Gap(
            "no-small-batch",
            use,
            (topic,),
            f"no batch of {SMALL_BATCH} images or fewer was measured",
            (f"shardmill speedtest {data} --batch-size 1,2,4,8,64",),
        )
    return None


def _no_format(use: Use, seen: Evidence) -> Gap:
    if (unread := _unread(use, "format", seen)) is not None:
        return unread
    data, formats = _quoted(seen.data), seen.formats
    if len(formats) < 2:
        here = formats[0] if formats else "tfrecord"
        other = "webdataset" if here != "webdataset" else "tfrecord"
        if not formats:
            return Gap(
                "only-files",
                use,
                ("format",),
                "only source files were measured, no shards",
                (f"shardmill prepare SOURCE {_ANY}", f"shardmill speedtest {_ANY} --files SOURCE"),
            )
        also = _beside(seen.data, other)
        return Gap(
            "one-format",
            use,
            ("format",),
            f"only {here} was measured",
            (f"shardmill convert {data} {also} --format {other}", f"shardmill speedtest {data} {also}"),
        )
    root = next(iter(seen.roots(formats[0])), seen.data)
    first, also = _quoted(root), _beside(root, formats[1])
    return Gap(
        "formats-not-alike",
        use,
        ("format",),
        f"{' and '.join(formats)} were measured, but not of the same images by the same reader in the same batches",
        (f"shardmill convert {first} {also} --format {formats[1]}", f"shardmill speedtest {first} {also}"),
    )


def _no_shard_size(use: Use, seen: Evidence) -> Gap:
    if (unread := _unread(use, "shard size", seen)) is not None:
        return unread
    data = _quoted(seen.data)
    alike = max((_sets_of(seen, name) for name in seen.formats), key=len, default=[])
    known = [size for one in alike if (size := one.shard_bytes) is not None]
    sets = " ".join(_quoted(one.root) for one in alike if one.root) or data
    if len(alike) > 1 and len(known) < len(alike):
        return Gap(
            "shard-sizes-not-known",
            use,
            ("shard size",),
            "the runs do not say how large the shards are that they read",
            (f"shardmill speedtest {sets} --out runs/again",),
        )
    if len(known) < 2 or max(known) / min(known) <= OTHER_SIZE:
        other = _beside(seen.data, "other-size")
        return Gap(
            "one-shard-size",
            use,
            ("shard size",),
            "no data set was measured in two shard sizes",
            (f"shardmill prepare SOURCE {other} --max-shard-size 32MB", f"shardmill speedtest {data} {other}"),
        )
    return Gap(
        "shard-sizes-not-alike",
        use,
        ("shard size",),
        "shards of several sizes were measured, but not of the same images by the same reader in the same batches",
        (f"shardmill speedtest {sets}",),
    )


def _sets_of(seen: Evidence, name: str) -> list[ReadSet]:
    """The data sets of one format."""
    names = dict.fromkeys(row.dataset for row in seen.shard_rows if row.format == name)
    return [seen.sets.get(one, ReadSet("", name, None, None, None)) for one in names]


def _no_batch_size(use: Use, seen: Evidence) -> Gap:
    if (unread := _unread(use, "batch size", seen)) is not None:
        return unread
    data = _quoted(seen.data)
    if use == "streaming":
        return Gap(
            "only-small-batches",
            use,
            ("batch size",),
            "small batches were measured and no large ones beside them, so that nobody knows what small ones cost",
            (f"shardmill speedtest {data} --batch-size 1,2,4,8,64",),
        )
    return Gap(
        "one-batch-size",
        use,
        ("batch size",),
        "the fastest way of reading was measured in batches of one size",
        (f"shardmill speedtest {data} --batch-size 2,8,32,128",),
    )


def _no_parallel_reads(use: Use, seen: Evidence) -> Gap:
    if (unread := _unread(use, "parallel reads", seen)) is not None:
        return unread
    small = " --batch-size 1,2,4,8" if use == "streaming" else ""
    return Gap(
        "one-level-of-parallel-reads",
        use,
        ("parallel reads",),
        "the best way of reading was measured with one number of parallel reads",
        (f"shardmill speedtest {_quoted(seen.data)} --parallel-reads 1,2,4{small}",),
    )


def _no_disk(use: Use, seen: Evidence) -> Gap:
    if (unread := _unread(use, "disk", seen)) is not None:
        return unread
    data = _quoted(seen.data)
    if use == "streaming":
        return Gap(
            "not-both-caches",
            use,
            ("disk",),
            "small batches were not measured both from memory and, seen to be cold, from the disk or network",
            (f"shardmill speedtest {data} --batch-size 1,2,4,8 --cache both",),
        )
    return Gap(
        "no-cold-pass",
        use,
        ("disk",),
        "no pass of the fastest data set was seen to be cold, so that nobody knows how fast its disk or network is",
        (f"shardmill speedtest {data} --cache both --decode both",),
    )


def _no_partitions(use: Use, seen: Evidence) -> Gap:
    if "sweep" in seen.kinds:
        return Gap(
            "one-number-of-partitions",
            use,
            ("partitions",),
            "no shape was swept with two numbers of partitions",
            (_SWEEP,),
        )
    return _no_sweep(use, "partitions")


def _no_shape(use: Use, seen: Evidence) -> Gap:
    if use == "streaming":
        return Gap(
            "one-machine",
            use,
            ("shape",),
            "small batches were not measured alike on two machines; run the same speed test on each"
            if seen.rows
            else "no speed test is among these runs; make the same one on each machine",
            (f"shardmill speedtest {_quoted(seen.data)} --batch-size 1,2,4,8 --out runs/on-another-machine",),
        )
    if "sweep" in seen.kinds or "pick" in seen.kinds:
        return Gap("no-two-shapes", use, ("shape",), "no two shapes ended the same job well", (_SWEEP,))
    return _no_sweep(use, "shape")


def _no_sweep(use: Use, topic: Topic) -> Gap:
    return Gap("no-sweep", use, (topic,), "no sweep is among these runs", (_SWEEP,))


_SWEEP: Final = "shardmill sweep SHAPES.yaml"
_ANY: Final = "SHARDS"
_GAPS: Final[Mapping[Topic, Callable[[Use, Evidence], Gap]]] = {
    "format": _no_format,
    "shard size": _no_shard_size,
    "batch size": _no_batch_size,
    "parallel reads": _no_parallel_reads,
    "partitions": _no_partitions,
    "shape": _no_shape,
    "disk": _no_disk,
}


def _quoted(path: str) -> str:
    return shlex.quote(path)


def _beside(path: str, suffix: str) -> str:
    return shlex.quote(f"{path.rstrip('/')}-{suffix}")
