"""What limits: the rate at which this processor could decode, the rate at which this disk or link could read, and which binds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from shardmill.model.observations import Arm, Factors, Timed, factors_of
from shardmill.model.ratio import centre

_BUSY: Final = 0.85
"""Share of the cores, or of the read ceiling, from which it counts as the limit."""

Limit = Literal["processor", "reading", "waiting"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A positive number from repetitions, and its 95 % interval."""

    value: float
    interval: tuple[float, float]

    def times(self, factor: float) -> Estimate:
        return Estimate(self.value * factor, (self.interval[0] * factor, self.interval[1] * factor))

    def over(self, other: Estimate) -> Estimate:
        """The ratio of two independent estimates; their relative errors add as squares."""
        value = self.value / other.value
        halves = [_log_half(one) for one in (self, other)]
        if not all(map(math.isfinite, halves)):
            return Estimate(value, (0.0, math.inf))
        spread = math.exp(math.hypot(*halves))
        return Estimate(value, (value / spread, value * spread))


@dataclass(frozen=True, slots=True)
class Roofline:
    """One arm at its fastest cell."""

    cell: Factors
    rate: Estimate
    """Images a second of all concurrent readers together."""
    first_batch_s: float
    """Median of that cell."""
    cpu_per_image: Estimate
    """CPU seconds, of all threads."""
    busy: float
    """Share of the cores that the readers kept busy."""
    busy_interval: tuple[float, float]
    processor: Estimate
    """Images a second if every core did nothing else."""
    bytes_per_image: float
    """Encoded bytes handed over."""
    reading: Estimate | None
    """Images a second at the fastest cold read of these bytes; None where no pass was seen to be cold."""
    read_mb_per_s: float | None
    reading_is_least: bool
    """The cold reads decoded as well, so that the disk or link may be faster than they could tell."""
    decode_cpu_per_image: float | None
    """CPU seconds an image that decoding adds, where passes without it were measured too."""
    limit: Limit


def rooflines(arms: Mapping[Arm, Sequence[Timed]], cores: int) -> dict[Arm, Roofline]:
    """For each arm that has passes, `cores` being those of the machine that measured."""
    return {arm: _roofline(arm, rows, arms, cores) for arm, rows in arms.items() if rows}


def _roofline(arm: Arm, rows: Sequence[Timed], arms: Mapping[Arm, Sequence[Timed]], cores: int) -> Roofline:
    cells: dict[Factors, list[Timed]] = {}
    for row in rows:
        cells.setdefault(factors_of(row), []).append(row)
    best = max(cells, key=lambda factors: factors.concurrency * median([_rate(row) for row in cells[factors]]))
    chosen = cells[best]
    rate = _estimate(_rate(row) for row in chosen).times(best.concurrency)
    cpu = _estimate(max(row.cpu_s, 1e-9) / row.images for row in chosen)
    shares = [max(row.cpu_s, 1e-9) / row.elapsed_s * best.concurrency / cores for row in chosen]
    busy = median(shares)
    per_image = median([row.bytes_read / row.images for row in chosen])
    speed, least = _reading(arm, arms)
    reading = speed.times(1 / per_image) if speed is not None and per_image > 0 else None
    processor = Estimate(
        cores / cpu.value, (cores / cpu.interval[1], cores / cpu.interval[0] if cpu.interval[0] else math.inf)
    )
    limit: Limit = "waiting"
    if busy >= _BUSY:
        limit = "processor"
    elif arm.cache == "cold" and reading is not None and rate.value >= _BUSY * reading.value:
        limit = "reading"
    return Roofline(
        cell=best,
        rate=rate,
        first_batch_s=median([row.first_batch_s for row in chosen]),
        cpu_per_image=cpu,
        busy=busy,
        busy_interval=centre(shares)[1],
        processor=processor,
        bytes_per_image=per_image,
        reading=reading,
        read_mb_per_s=None if speed is None else speed.value / 1e6,
        reading_is_least=least,
        decode_cpu_per_image=_decode_cost(arm, best, cpu.value, arms),
        limit=limit,
    )


def _reading(arm: Arm, arms: Mapping[Arm, Sequence[Timed]]) -> tuple[Estimate | None, bool]:
    """Bytes a second of the fastest cell that was seen to be cold, of the same files; and whether it decoded as well."""
    for decode in (False, True):
        cells: dict[tuple[Arm, Factors], list[float]] = {}
        for other, rows in arms.items():
            if (other.dataset, other.format, other.decode) != (arm.dataset, arm.format, decode):
                continue
            for row in rows:
                if row.cache_seen == "cold":
                    speed = row.concurrency * row.device_bytes / row.elapsed_s
                    cells.setdefault((other, factors_of(row)), []).append(speed)
        if cells:
            return _estimate(max(cells.values(), key=median)), decode
    return None, False


def _decode_cost(arm: Arm, cell: Factors, cpu: float, arms: Mapping[Arm, Sequence[Timed]]) -> float | None:
    if not arm.decode:
        return None
    plain = Arm(arm.dataset, arm.source, arm.format, arm.reader, False, arm.cache, arm.engine)
    spent = [row.cpu_s / row.images for row in arms.get(plain, ()) if factors_of(row) == cell]
    return cpu - median(spent) if spent else None


def _log_half(one: Estimate) -> float:
    low, high = one.interval
    return math.log(high / low) / 2 if 0 < low <= high < math.inf else math.inf


def _rate(row: Timed) -> float:
    return row.images / row.elapsed_s


def _estimate(values: Iterable[float]) -> Estimate:
    return Estimate(*centre(list(values)))
