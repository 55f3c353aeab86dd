"""What every engine must do."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from shardmill.engines.base import Engine
from shardmill.errors import DamageError


def square(number: int) -> int:
    return number * number


def power(exponent: int, number: int) -> int:
    return int(number**exponent)


def fail_as_damage(number: int) -> int:
    raise DamageError(f"item {number} is damaged; look at it")


def fail_as_bug(number: int) -> int:
    return {0: 0}[number]


def leave_trace(folder: Path, number: int) -> int:
    (folder / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.2)
    return number


def fail_on_first(folder: Path, number: int) -> int:
    if number == 0:
        raise DamageError("the first is damaged; look at it")
    return leave_trace(folder, number)


def interrupt_when_work_began(folder: Path) -> None:
    while not any(folder.iterdir()):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


class EngineConformance:
    """Subclass it and give an `engine` fixture."""

    def test_runs_every_item_once(self, engine: Engine) -> None:
        assert sorted(engine.run(square, range(9))) == [0, 1, 4, 9, 16, 25, 36, 49, 64]

    def test_equal_items_count_each(self, engine: Engine) -> None:
        assert list(engine.run(square, [3, 3, 3])) == [9, 9, 9]

    def test_takes_partials(self, engine: Engine) -> None:
        assert sorted(engine.run(partial(power, 3), [1, 2, 3])) == [1, 8, 27]

    def test_no_items(self, engine: Engine) -> None:
        assert list(engine.run(fail_as_damage, [])) == []

    def test_one_item(self, engine: Engine) -> None:
        assert list(engine.run(square, [5])) == [25]

    def test_runs_again(self, engine: Engine) -> None:
        assert list(engine.run(square, [1])) == [1]
        assert list(engine.run(square, [2])) == [4]

    def test_own_error_keeps_type_and_text(self, engine: Engine) -> None:
        with pytest.raises(DamageError) as caught:
            list(engine.run(fail_as_damage, [3]))
        assert str(caught.value) == "item 3 is damaged; look at it"

    def test_any_error_keeps_type(self, engine: Engine) -> None:
        with pytest.raises(KeyError, match="7"):
            list(engine.run(fail_as_bug, [7]))

    def test_works_again_after_an_error(self, engine: Engine) -> None:
        with pytest.raises(DamageError):
            list(engine.run(fail_as_damage, [3]))
        assert list(engine.run(square, [4])) == [16]

    def test_first_error_stops_the_run(self, engine: Engine, tmp_path: Path) -> None:
        with pytest.raises(DamageError, match="the first is damaged"):
            list(engine.run(partial(fail_on_first, tmp_path), range(60)))
        assert len(list(tmp_path.iterdir())) < 59

    def test_interrupt_stops_the_run(self, engine: Engine, tmp_path: Path) -> None:
        threading.Thread(target=interrupt_when_work_began, args=(tmp_path,)).start()
        with pytest.raises(KeyboardInterrupt):
            list(engine.run(partial(leave_trace, tmp_path), range(100)))
        time.sleep(1)  # tasks under way may end
        begun = len(list(tmp_path.iterdir()))
        time.sleep(1)
        assert begun == len(list(tmp_path.iterdir())) < 100

    def test_closing_early_is_clean(self, engine: Engine) -> None:
        results = engine.run(square, range(9))
        next(results)
        results.close()  # type: ignore[attr-defined]  # engines are written as generators
        assert list(results) == []

    def test_describes_itself(self, engine: Engine) -> None:
        list(engine.run(square, [1]))
        facts = engine.describe()
        assert facts["engine"]
        assert isinstance(facts["engine"], str)
        assert json.loads(json.dumps(facts)) == facts
