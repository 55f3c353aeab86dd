"""The tasks of a stage on their slots, moved from event to event; many draws of one stage at once.

Symbols and shapes: D draws, S slots (a slot is a core that takes a task), T tasks, M machines. All arrays are over (D, S)
unless they say otherwise. Between two events every task moves at a constant rate, which its machine, the network, the
disks and the store set by what else runs then; where more is asked of one of them than it can move, all who use it wait in
proportion to what they ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.parameters import slowdown

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

_IDLE, _FIXED, _STREAMING = 0, 1, 2
CAUSES: Final = ("task overheads", "requests", "CPU", "network", "store", "disk", "idle slots")


@dataclass(frozen=True, slots=True)
class Slots:
    """Where tasks run."""

    machine: Numbers
    """Of each slot, (S,), in the order in which free slots get tasks."""
    cores: Floats
    """Of each machine, (M,)."""
    ready_s: Floats
    """When each slot takes its first task, from the start of the stage."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """What is to be done; each array is (D, T)."""

    fixed_core_s: Floats
    fixed_wait_s: Floats
    """On requests, which no core slows."""
    stream_core_s: Floats
    stream_wait_s: Floats
    """What the requests under way at once allow, at least."""
    read_bytes: Floats
    written_bytes: Floats


@dataclass(frozen=True, slots=True)
class First:
    """What the first task on each slot takes more; each array is (D,)."""

    core_s: Floats
    wait_s: Floats


@dataclass(frozen=True, slots=True)
class Stage:
    """How it went."""

    seconds: Floats
    """Of each draw, (D,), from the start of the stage to the end of its last task."""
    spent: Floats
    """Slot-seconds of each draw by cause, (D, len(CAUSES)); they sum to the slots' time while the stage lasted."""


def run_stage(tasks: Tasks, first: First, slots: Slots, caps: Caps, contention: Floats) -> Stage:
    """Run all draws to their end. `contention` is (D,)."""
    return _Run(tasks, first, slots, caps, contention).to_the_end()


class _Run:
    def __init__(self, tasks: Tasks, first: First, slots: Slots, caps: Caps, contention: Floats) -> None:
        self.tasks, self.first, self.slots, self.caps = tasks, first, slots, caps
        self.draws, self.total = tasks.fixed_core_s.shape
        shape = (self.draws, len(slots.machine))
        self.contention = contention[:, None]
        self.now = np.zeros(self.draws)
        self.next = np.zeros(self.draws, dtype=np.intp)
        self.phase = np.zeros(shape, dtype=np.intp)
        self.left = np.zeros(shape)  # share of the phase that is still to be done
        self.core_s, self.wait_s, self.read, self.written = (np.zeros(shape) for _ in range(4))
        self.task = np.zeros(shape, dtype=np.intp)
        self.fresh = np.ones(shape, dtype=bool)
        self.spent = np.zeros((self.draws, len(CAUSES)))
        # (S, M): sums over the slots of a machine are products with it.
        self.member = (slots.machine[:, None] == np.arange(len(slots.cores))[None, :]).astype(float)

    def to_the_end(self) -> Stage:
        while True:
            self._assign()
            busy = self.phase != _IDLE
            running = busy.any(axis=1) | (self.next < self.total)
            if not running.any():
                return Stage(self.now, self.spent)
            seconds, cause = self._durations(busy)
            ends = np.where(busy, self.left * seconds, np.inf)
            waits = np.where(
                ~busy & (self.slots.ready_s > self.now[:, None]), self.slots.ready_s - self.now[:, None], np.inf
            )
            waits[self.next >= self.total] = np.inf  # nothing is left for a slot that comes late
            step = np.minimum(ends.min(axis=1), waits.min(axis=1))
            step = np.where(running, step, 0.0)
            self._account(busy, cause, step, running)
            self.now += step
            with np.errstate(invalid="ignore", divide="ignore"):
                self.left -= np.where(busy, step[:, None] / seconds, 0.0)
            self._finish(busy & (ends <= step[:, None] * (1 + 1e-12)) & running[:, None])

    def _assign(self) -> None:
        """Give the next tasks to the free slots, in the slots' order."""
        free = (self.phase == _IDLE) & (self.slots.ready_s <= self.now[:, None] + 1e-12)
        order = np.cumsum(free, axis=1) - 1
        taken = free & (order + self.next[:, None] < self.total)
        if not taken.any():
            return
        row, slot = np.nonzero(taken)
        task = self.next[row] + order[row, slot]
        self.next += taken.sum(axis=1)
        self.task[row, slot] = task
        fresh = self.fresh[row, slot]
        self.core_s[row, slot] = self.tasks.fixed_core_s[row, task] + np.where(fresh, self.first.core_s[row], 0.0)
        self.wait_s[row, slot] = self.tasks.fixed_wait_s[row, task] + np.where(fresh, self.first.wait_s[row], 0.0)
        self.read[row, slot] = self.written[row, slot] = 0.0
        self.fresh[row, slot] = False
        self.phase[row, slot] = _FIXED
        self.left[row, slot] = 1.0

    def _durations(self, busy: NDArray[np.bool_]) -> tuple[Floats, Numbers]:
        """What the whole phase of each slot would take as things stand, and what it waits for: an index of `CAUSES`."""
        at_work = (busy.astype(float) @ self.member)[:, self.slots.machine]
        core_s = self.core_s * slowdown(self.contention, at_work, self.slots.cores[self.slots.machine])
        streaming = self.phase == _STREAMING
        alone = np.where(streaming, np.maximum(core_s, self.wait_s), core_s + self.wait_s)
        alone = np.maximum(alone, 1e-9)
        cause = np.where(streaming, np.where(self.wait_s > core_s, 1, 2), np.where(self.wait_s > core_s, 1, 0))
        slowest = np.ones_like(alone)
        moves_read, moves_written = streaming & (self.read > 0), streaming & (self.written > 0)
        read, written = np.where(moves_read, self.read / alone, 0.0), np.where(moves_written, self.written / alone, 0.0)
        caps = self.caps
        for number, cap, asked, users in (
            (3, caps.network_bytes_per_s, read if caps.from_store else None, moves_read),
            (3, caps.network_bytes_per_s, written if caps.to_store else None, moves_written),
            (4, caps.store_bytes_per_s, read if caps.from_store else None, moves_read),
            (5, caps.disk_read_bytes_per_s, None if caps.from_store else read, moves_read),
            (5, caps.disk_write_bytes_per_s, None if caps.to_store else written, moves_written),
        ):
            if asked is None or not np.isfinite(cap):
                continue
            if number == 4:
                over = np.broadcast_to(asked.sum(axis=1, keepdims=True) / cap, alone.shape)
            else:
                over = (asked @ self.member)[:, self.slots.machine] / cap
            binds = users & (over > slowest)
            slowest = np.where(binds, over, slowest)
            cause = np.where(binds, number, cause)
        return alone * slowest, cause

    def _account(self, busy: NDArray[np.bool_], cause: Numbers, step: Floats, running: NDArray[np.bool_]) -> None:
        rows = np.arange(self.draws)[:, None]
        np.add.at(self.spent, (rows, np.where(busy, cause, len(CAUSES) - 1)), np.where(running, step, 0.0)[:, None])

    def _finish(self, done: NDArray[np.bool_]) -> None:
        """Go on to the next phase, or free the slot."""
        to_stream = done & (self.phase == _FIXED)
        self.phase[done & (self.phase == _STREAMING)] = _IDLE
        row, slot = np.nonzero(to_stream)
        task = self.task[row, slot]
        self.core_s[row, slot] = self.tasks.stream_core_s[row, task]
        self.wait_s[row, slot] = self.tasks.stream_wait_s[row, task]
        self.read[row, slot] = self.tasks.read_bytes[row, task]
        self.written[row, slot] = self.tasks.written_bytes[row, task]
        self.phase[row, slot] = _STREAMING
        self.left[row, slot] = 1.0


def slots_of(
    cores: Sequence[int], machines: Sequence[int], machine_cores: Sequence[float], ready_s: Sequence[float]
) -> Slots:
    """The slots of executors, dealt out so that few tasks go to as many executors as they can.

    Args:
        cores: Of each executor.
        machines: On which each executor is.
        machine_cores: Cores of each machine.
        ready_s: When each executor takes tasks.
    """
    order = sorted((number, executor) for executor, count in enumerate(cores) for number in range(count))
    places = [executor for _, executor in order]
    return Slots(
        machine=np.array([machines[executor] for executor in places], dtype=np.intp),
        cores=np.array(machine_cores, dtype=float),
        ready_s=np.array([ready_s[executor] for executor in places], dtype=float),
    )
