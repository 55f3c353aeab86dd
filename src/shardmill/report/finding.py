"""What was found, in one sentence with its number: the part of a report that tells people what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shardmill.report.quantity import between, quantity

Use = Literal["batch", "streaming", "hardware", "cost", "trust"]

Topic = Literal["format", "shard size", "batch size", "parallel reads", "partitions", "shape", "disk"]
"""What people choose, and want to be told how: `shape` is that of the cluster, or the machine."""

USES: Final[dict[Use, tuple[str, str]]] = {
    "batch": ("Batch jobs", "epochs over everything, as many images a second as there can be"),
    "streaming": ("Streaming", "small batches, and the first of them soon"),
    "hardware": ("What limits, and what to add", "disk, network or processor"),
    "cost": ("What it costs", "time and money of machines"),
    "trust": ("How far to trust this", "spread, caches, and what cannot be told"),
}
"""Heading and explanation of each kind of use, in the order of the page."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence that was computed from measurements."""

    kind: str
    """What sort of sentence: the same for all measurements that lead to it, and different from that of its opposite. Each
    has a test that plants what must lead to it, and what must not."""
    use: Use
    sentence: str
    """Whole, with a full stop, and with its number in words: it is printed without the fields below as well."""
    number: float
    unit: str
    """As `quantity` takes it: `images/s`, `x`, `s`, `%`, `$` ..."""
    interval: tuple[float, float] | None
    """Interval of `number`, in the same unit, as `level` says; None where there is none, as for a count."""
    source: str
    """Id of the section it comes from."""
    topics: tuple[Topic, ...] = ()
    """What it helps to choose; a topic without any such sentence is one that could not be told."""
    level: str = "95% interval"
    """What the interval is."""

    @property
    def figure(self) -> str:
        """The number with its unit, short, for the margin."""
        return quantity(self.number, self.unit)

    @property
    def range(self) -> str:
        """`6.1 to 7.2`, or nothing."""
        return "" if self.interval is None else between(self.interval, self.unit)
