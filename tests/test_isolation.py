from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shardmill import isolation
from shardmill.errors import DamageError
from shardmill.isolation import CHILD_ENVIRONMENT, Child, ChildDiedError, Journal, Limits, StoppedError
from tests import in_child


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.close()


def await_file(path: Path) -> str:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)
    return path.read_text()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestCall:
    @pytest.mark.oldest
    def test_answers_from_another_process(self, child: Child) -> None:
        assert child.call(in_child.double, 21) == 42
        first = child.call(in_child.pid, None)
        assert first != os.getpid()
        assert child.call(in_child.pid, None) == first, "one process serves all calls"

    def test_large_arguments_and_results(self, child: Child) -> None:
        data = os.urandom(1 << 20) * 40
        assert child.call(in_child.reverse, data) == data[::-1]

    @pytest.mark.oldest
    def test_errors_keep_their_type_and_tell_where(self, child: Child) -> None:
        with pytest.raises(DamageError, match="it is damaged; look at it") as caught:
            child.call(in_child.raise_damage, None)
        (note,) = caught.value.__notes__
        assert "in raise_damage" in note
        with pytest.raises(KeyError, match="what"):
            child.call(in_child.raise_, KeyError("what"))
        assert child.call(in_child.double, 1) == 2, "the child outlives errors"

    def test_an_os_error_of_the_function_is_no_death(self, child: Child) -> None:
        first = child.call(in_child.pid, None)
        for error in (OSError(28, "No space left on device"), EOFError(), BrokenPipeError()):
            with pytest.raises(type(error)):
                child.call(in_child.raise_, error)
        assert child.call(in_child.pid, None) == first

    def test_an_error_that_does_not_unpickle(self, child: Child) -> None:
        with pytest.raises(RuntimeError) as caught:
            child.call(in_child.raise_odd, None)
        assert str(caught.value) == "OddError: one"
        assert "in raise_odd" in caught.value.__notes__[0]

    def test_arguments_that_do_not_pickle(self, child: Child) -> None:
        first = child.call(in_child.pid, None)
        with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
            child.call(lambda number: number, 1)
        assert child.call(in_child.pid, None) == first

    def test_results_that_do_not_pickle(self, child: Child) -> None:
        with pytest.raises(ChildDiedError, match="lambda"):
            child.call(in_child.unpicklable, None)
        assert child.call(in_child.double, 1) == 2

    def test_interrupts_are_the_parents_business(self, child: Child, tmp_path: Path) -> None:
        def interrupt() -> None:
            os.kill(int(await_file(tmp_path / "pid")), signal.SIGINT)
            time.sleep(0.2)
            (tmp_path / "pid.go").touch()

        thread = threading.Thread(target=interrupt)
        thread.start()
        assert child.call(in_child.say_and_wait, str(tmp_path / "pid")) == "went on"
        thread.join()

    def test_threads_of_native_code_are_held_back(self, child: Child) -> None:
        assert child.call(in_child.read_environment, "OMP_NUM_THREADS") == "1"
        assert os.environ.get("OMP_NUM_THREADS") != "1"

    def test_modules_of_the_working_folder_are_left_alone(
        self, child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("colorsys", "numpy", "shardmill"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from the working folder')")
        monkeypatch.chdir(tmp_path)
        files = child.call(in_child.found_modules, ["colorsys", "numpy", "shardmill"])
        assert all(file is not None and not file.startswith(str(tmp_path)) for file in files)


class TestDeath:
    @pytest.mark.oldest
    def test_of_a_crash(self, child: Child) -> None:
        with pytest.raises(ChildDiedError) as caught:
            child.call(in_child.die_at, 5)
        death = caught.value
        assert (death.reason, death.cause) == ("crashed", "crashed the decoder (SIGSEGV)")
        assert (death.taken, death.done) == (7, 5)

    def test_of_an_exit_with_last_words(self, child: Child) -> None:
        with pytest.raises(ChildDiedError) as caught:
            child.call(in_child.exit_with, 3)
        assert str(caught.value) == "crashed the decoder (exit 3)\nlast words"
        with pytest.raises(ChildDiedError) as caught:
            child.call(in_child.die_at, 0)
        assert caught.value.stderr == "", "the words of the one before"

    def test_pickles(self) -> None:
        death = ChildDiedError("crashed", "crashed the decoder", 3, 2, "words")
        copy = pickle.loads(pickle.dumps(death))
        assert (str(copy), copy.taken, copy.done) == (str(death), 3, 2)

    def test_between_calls(self, child: Child) -> None:
        os.kill(child.call(in_child.pid, None), signal.SIGKILL)
        time.sleep(0.1)
        with pytest.raises(ChildDiedError, match="SIGKILL") as caught:
            child.call(in_child.double, 1)
        assert (caught.value.taken, caught.value.done) == (0, 0)

    def test_of_taking_too_long(self, child: Child) -> None:
        with pytest.raises(ChildDiedError) as caught:
            child.call(in_child.sleep_busy, 60, Limits(item_timeout_s=0.3))
        death = caught.value
        assert (death.reason, death.cause) == ("timed_out", "took more than 0.3 s")
        assert (death.taken, death.done) == (4, 3)

    def test_reading_may_take_its_time(self, child: Child) -> None:
        assert child.call(in_child.sleep_idle, 0.9, Limits(item_timeout_s=0.3)) == "rested"

    def test_the_time_is_that_of_one_item(self, child: Child) -> None:
        """Eight items, of which each alone stays within it."""
        assert child.call(in_child.sleep_between_items, 0.18, Limits(item_timeout_s=1.0)) == "done"

    def test_of_eating_memory(self, child: Child) -> None:
        began = time.monotonic()
        with pytest.raises(ChildDiedError) as caught:
            child.call(in_child.eat, 300 << 20, Limits(memory_bytes=200 << 20))
        death = caught.value
        assert (death.reason, death.cause) == ("out_of_memory", "needed more than 200 MB of memory")
        assert death.taken == 8
        assert time.monotonic() - began < 30

    def test_is_followed_by_a_new_life(self, child: Child) -> None:
        first = child.call(in_child.pid, None)
        with pytest.raises(ChildDiedError):
            child.call(in_child.die_at, 0)
        assert child.call(in_child.pid, None) != first
        assert not psutil.pid_exists(first), "the dead one is not reaped"

    def test_keeps_the_total_of_items(self, child: Child) -> None:
        child.call(in_child.do_items, 4)
        assert child.items_done() == 4
        with pytest.raises(ChildDiedError):
            child.call(in_child.die_at, 3)
        assert child.items_done() == 7
        child.call(in_child.do_items, 2)
        assert child.items_done() == 9

    def test_leaves_no_open_files(self) -> None:
        before = open_files()
        child = Child()
        for _ in range(3):
            with pytest.raises(ChildDiedError):
                child.call(in_child.die_at, 0)
        child.call(in_child.double, 1)
        child.close()
        del child  # the journal stays readable until then
        assert open_files() == before


class TestStop:
    def test_from_another_thread(self, child: Child, tmp_path: Path) -> None:
        def stop() -> None:
            await_file(tmp_path / "pid")
            child.stop()

        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(StoppedError):
            child.call(in_child.say_and_wait, str(tmp_path / "pid"))
        thread.join()
        with pytest.raises(StoppedError):
            child.call(in_child.double, 1)

    def test_between_calls(self, child: Child) -> None:
        child.call(in_child.double, 1)
        child.stop()
        child.stop()
        with pytest.raises(StoppedError):
            child.call(in_child.double, 1)

    def test_before_the_first_call(self, child: Child) -> None:
        child.stop()
        with pytest.raises(StoppedError):
            child.call(in_child.double, 1)

    def test_close_ends_the_process(self) -> None:
        child = Child()
        pid = child.call(in_child.pid, None)
        child.close()
        assert not psutil.pid_exists(pid)
        with pytest.raises(StoppedError):
            child.call(in_child.double, 1)


@pytest.mark.oldest
@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("forked", [False, True])
def test_a_child_ends_with_its_parent_by_kill_9(state: str, forked: bool, tmp_path: Path) -> None:
    """Whether it waits for a call or is in the middle of one."""
    program = f"""
import pathlib, sys
from shardmill.isolation import Child, fork_children
from tests import in_child
if {forked}:
    fork_children()
child = Child()
pathlib.Path({str(tmp_path)!r}, "idle").write_text(str(child.call(in_child.pid, None)))
if {state!r} == "idle":
    sys.stdin.read()
child.call(in_child.sleep_busy, 60)
"""
    environment = {**os.environ, **CHILD_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, env=environment) as parent:
        process = psutil.Process(int(await_file(tmp_path / "idle")))
        time.sleep(0.2)
        assert process.is_running()
        assert (process.cmdline() == psutil.Process(parent.pid).cmdline()) == forked
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        _, alive = psutil.wait_procs([process], timeout=10)
    assert alive == []


def test_each_thread_has_a_child_of_its_own() -> None:
    pids: list[int] = []
    children: list[Child] = []

    def work() -> None:
        children.append(Child())
        isolation.adopt(children[-1])
        pids.extend(isolation.call(in_child.pid, None) for _ in range(2))

    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    for child in children:
        child.close()
    assert len(pids) == 4
    assert len(set(pids)) == 2


def test_journal_tells_what_is_in_flight() -> None:
    memory = bytearray(64)
    journal = Journal(memory, total=10)
    seen = []
    for step in (journal.reset, lambda: journal.take(0), lambda: journal.take(1), lambda: journal.finish(0),
                 journal.pause, lambda: journal.finish(1), journal.pause):  # fmt: skip
        step()
        seen.append(Journal.snapshot(memory))
    assert seen == [
        (0, 0, 10, False),
        (1, 0, 10, True),
        (2, 0, 10, True),
        (2, 1, 11, True),
        (2, 1, 11, True),
        (2, 2, 12, False),
        (2, 2, 12, False),
    ]


@pytest.mark.slow
def test_forked_children_pass_the_same_tests() -> None:
    program = f"""
import sys, pytest
from shardmill import isolation
isolation.fork_children()
child = isolation.Child()
assert child.call(str, 1) == "1"
assert type(child._process) is isolation._Forked
child.close()
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {__file__!r}, "-k", "not held_back and (TestCall or TestDeath or TestStop)"]))
"""
    environment = {**os.environ, **CHILD_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "skipped" not in run.stdout


def test_a_process_with_threads_does_not_fork(monkeypatch: pytest.MonkeyPatch, child: Child) -> None:
    monkeypatch.setattr(isolation, "_forks", True)
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        child.call(in_child.pid, None)
    finally:
        over.set()
        thread.join()
    assert isinstance(child._process, subprocess.Popen)
