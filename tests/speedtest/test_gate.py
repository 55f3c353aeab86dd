from __future__ import annotations

import threading
import time
from pathlib import Path

from shardmill.speedtest.gate import MEASURED, READY, Gate, make_gate


def test_nobody_begins_before_all_are_ready(tmp_path: Path) -> None:
    make_gate(tmp_path / "gate", 3)
    ready: list[float] = []
    begun: list[float] = []

    def join(place: int) -> None:
        gate = Gate(tmp_path / "gate", place)
        time.sleep(0.05 * place)
        ready.append(time.monotonic())
        gate.reach(READY)
        gate.wait_for(READY)
        begun.append(time.monotonic())
        assert not gate.all_are(MEASURED)
        gate.close()

    threads = [threading.Thread(target=join, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(begun) == 3
    assert max(ready) <= min(begun)


def test_a_state_is_reached_when_the_last_reaches_it(tmp_path: Path) -> None:
    make_gate(tmp_path / "gate", 2)
    first, second = Gate(tmp_path / "gate", 0), Gate(tmp_path / "gate", 1)
    first.reach(MEASURED)
    second.reach(READY)
    assert first.all_are(READY)
    assert not first.all_are(MEASURED)
    second.reach(MEASURED)
    assert first.all_are(MEASURED)
    make_gate(tmp_path / "gate", 2)
    again = Gate(tmp_path / "gate", 0)
    assert not again.all_are(READY)
    for gate in (first, second, again):
        gate.close()
