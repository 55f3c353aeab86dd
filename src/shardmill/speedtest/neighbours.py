"""Tells how much of the machine other processes took while something was measured."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import psutil

MOST_TAKEN: Final = 0.05
"""Share of all cores' time that others may take before a pass counts as disturbed.

Measured on two cores, 480 passes: the rate of a pass halves where a neighbour holds a core, which happened to one in five
on a machine that was kept free, while the CPU seconds of an image stayed within 10 % for 47 of 48 combinations.
"""
_FREE: Final = 0.25  # of the cores' time idle: then others have taken nothing that was wanted
_NOT_BUSY: Final = frozenset({"idle", "iowait", "guest", "guest_nice"})  # guests are in user and nice already


_LEAST_S: Final = 0.05
"""Seconds of CPU below which others are not told from rounding: the kernel counts in steps of 10 ms, core by core."""


class Taken(NamedTuple):
    """Shares of the time of all cores of the machine, 0 to 1."""

    by_others: float
    idle: float
    seconds: float
    """Of CPU that others took."""

    @property
    def disturbing(self) -> bool:
        """Others took more than may be, and there was little left."""
        return self.by_others > MOST_TAKEN and self.idle < _FREE and self.seconds > _LEAST_S


class Neighbours:
    """Watches from its making on; this process and those that it started are not the neighbours, steal by a host is."""

    def __init__(self) -> None:
        self._before = _times()

    def taken(self) -> Taken:
        """Since the making."""
        busy, idle, own = (after - before for after, before in zip(_times(), self._before, strict=True))
        total = busy + idle
        if total <= 0:
            return Taken(0.0, 1.0, 0.0)
        others = max(busy - own, 0.0)
        return Taken(others / total, idle / total, others)


def _times() -> tuple[float, float, float]:
    """Seconds of all cores busy and idle, and those that this process and its children used."""
    times: dict[str, Any] = psutil.cpu_times()._asdict()
    busy = sum(seconds for name, seconds in times.items() if name not in _NOT_BUSY)
    return busy, times["idle"] + times.get("iowait", 0.0), _own()


def _own() -> float:
    this = psutil.Process()
    seconds = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # ended meanwhile: nothing of ours does so while it measures
        seconds += used.user + used.system
    return seconds
