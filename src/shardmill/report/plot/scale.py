"""From values to places on an axis, and the ticks between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows."""

    label: str
    kind: Literal["linear", "log"] = "linear"
    from_zero: bool = False
    """Begin at 0, so that lengths and heights can be compared; for linear axes."""
    ticks: tuple[float, ...] = ()
    """Where to put ticks; by default at round numbers."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis laid out over pixels."""

    low: float
    high: float
    first: float
    """Pixel of `low`."""
    last: float
    """Pixel of `high`."""
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """The pixel of `value`."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        share = ((math.log(value) if self.log else value) - low) / (high - low)
        return self.first + share * (self.last - self.first)

    def clipped(self, value: float) -> float:
        """The pixel of `value`, or of the end of the axis beyond which it lies."""
        return self.place(min(self.high, max(self.low, value)))


def laid_out(axis: Axis, values: Iterable[float], first: float, last: float, *, count: int = 5) -> Scale:
    """A scale for `axis` on which all `values` have a place, between the pixels `first` and `last`."""
    found = [value for value in values if math.isfinite(value) and (axis.kind == "linear" or value > 0)]
    low, high = (min(found), max(found)) if found else (0.0, 1.0) if axis.kind == "linear" else (1.0, 10.0)
    if axis.kind == "log":
        ticks = tuple(tick for tick in axis.ticks if tick > 0) or _decades(low, high)
        low, high = min(low, *ticks), max(high, *ticks)
        margin = (high / low) ** 0.04 if high > low else 2.0
        return Scale(low / margin, high * margin, first, last, ticks, log=True)
    if axis.from_zero:
        low, high = min(0.0, low), max(0.0, high)
    if low == high:
        low, high = (low - 1, high + 1) if low == 0 or not axis.from_zero else (0.0, high)
    if axis.ticks:
        margin = 0.04 * (high - low)
        return Scale(min(low - margin, *axis.ticks), max(high + margin, *axis.ticks), first, last, axis.ticks)
    ticks = round_ticks(low, high, count)
    return Scale(min(low, ticks[0]), max(high, ticks[-1]), first, last, ticks)


def round_ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """About `count` round numbers of which the first is at most `low` and the last at least `high`."""
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    begin, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{number * step:.12g}") for number in range(begin, end + 1))


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """The ticks as text, all with the decimals that the finest of them needs."""
    step = min((abs(b - a) for a, b in itertools.pairwise(ticks)), default=abs(ticks[0]) if ticks else 1.0)
    decimals = next((digits for digits in range(7) if abs(round(step, digits) - step) < step * 1e-6), 7)
    if any(abs(tick - round(tick, decimals)) > step * 1e-6 for tick in ticks):
        decimals += 1
    return [f"{tick:,.{decimals}f}".replace("-", "\u2212") for tick in ticks]


def _decades(low: float, high: float) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    ticks = tuple(10.0**power for power in range(first, last + 1))
    return ticks if len(ticks) > 1 else (ticks[0], ticks[0] * 10)
