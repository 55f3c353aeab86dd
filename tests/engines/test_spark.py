from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from shardmill.errors import ResumableError, UsageError
from shardmill.testing.engines import EngineConformance, square
from tests.extras import needed

pyspark = needed("pyspark")
from pyspark import SparkContext, cloudpickle
from pyspark.errors import PySparkAttributeError, PySparkNotImplementedError

from shardmill.engines.spark import SparkEngine
from shardmill.engines.spark_session import with_retries

pytestmark = pytest.mark.spark

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import tests


class TestSparkEngine(EngineConformance):
    @pytest.fixture
    def engine(self, spark: SparkContext) -> SparkEngine:
        return SparkEngine()


@pytest.mark.parametrize("partitions", [1, 2, 7, 64])
def test_partitions_never_change_results(spark: SparkContext, partitions: int) -> None:
    engine = SparkEngine(partitions=partitions)
    assert sorted(engine.run(square, range(7))) == [0, 1, 4, 9, 16, 25, 36]
    assert engine.describe()["partitions"] == min(partitions, 7)


def die_once(folder: Path, number: int) -> int:
    if number == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_items_of_a_killed_worker_run_again(spark: SparkContext, tmp_path: Path) -> None:
    assert sorted(SparkEngine(partitions=3).run(partial(die_once, tmp_path), range(9))) == list(range(9))
    assert (tmp_path / "died").exists()


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_always_dies_ends_resumable(spark: SparkContext) -> None:
    with pytest.raises(
        ResumableError, match=r"^Spark gave up: Python worker exited .*\(4 attempts.*; the same command"
    ):
        list(SparkEngine().run(die, [1]))


def note_and_fail(folder: Path, number: int) -> int:
    with (folder / "calls").open("a") as calls:
        calls.write("called\n")
    raise ValueError("no")


def test_what_work_raises_is_not_repeated(spark: SparkContext, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no") as caught:
        list(SparkEngine().run(partial(note_and_fail, tmp_path), [1]))
    assert (tmp_path / "calls").read_text() == "called\n"
    assert "note_and_fail" in caught.value.__notes__[0]


class StubbornError(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


def fail_stubbornly(number: int) -> int:
    raise StubbornError(code=number)


def test_an_error_that_cannot_travel_sends_its_text(spark: SparkContext) -> None:
    with pytest.raises(RuntimeError, match="StubbornError: code 4"):
        list(SparkEngine().run(fail_stubbornly, [4]))


def test_progress_counts_up_to_the_items(spark: SparkContext) -> None:
    seen: list[int] = []
    list(SparkEngine(on_progress=seen.append).run(square, range(5)))
    assert seen == sorted(seen)
    assert seen[-1] == 5


def test_another_shardmill_on_the_executors_is_refused(spark: SparkContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shardmill.engines.spark.__version__", "99.0")
    with pytest.raises(UsageError, match=r"and the driver 99\.0; install the same"):
        list(SparkEngine().run(square, [1]))


def test_session_in_use_is_left_running(spark: SparkContext) -> None:
    list(SparkEngine("local[2]").run(square, [1]))
    assert spark.parallelize([1, 2]).sum() == 3


def test_another_master_than_the_running_one_is_refused(spark: SparkContext) -> None:
    with pytest.raises(UsageError, match=r"a Spark session on local\[2,4\] is already running"):
        list(SparkEngine("spark://elsewhere:7077").run(square, [1]))


class ConnectSession:
    """All that matters of a Spark Connect session, whose package needs more than pyspark itself."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @property
    def sparkContext(self) -> Any:  # noqa: N802
        raise self._error


@pytest.mark.parametrize("error", [PySparkNotImplementedError("3.5 says so"), PySparkAttributeError("4.x says so")])
def test_connect_session_is_refused(error: Exception) -> None:
    with pytest.raises(UsageError, match="Spark Connect"):
        list(SparkEngine(session=ConnectSession(error)).run(square, [1]))


def test_no_partitions_are_refused() -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        SparkEngine(partitions=0)


@pytest.mark.parametrize(
    ("master", "expected"),
    [("local", "local[1,4]"), ("local[3]", "local[3,4]"), ("local[*]", "local[*,4]"), ("local[2,1]", "local[2,1]"),
     ("local-cluster[2,1,512]", "local-cluster[2,1,512]"), ("spark://local:7077", "spark://local:7077"), ("yarn", "yarn")],
)  # fmt: skip
def test_local_masters_repeat_tasks(master: str, expected: str) -> None:
    assert with_retries(master) == expected


def in_own_process(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `program` where no context is active yet."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


class TestOwnContext:
    program: ClassVar[str] = """
        import json, os, signal, psutil
        from shardmill.engines.spark import SparkEngine
        before = dict(os.environ)
        def rank(number): return number, os.getppid()
        results = SparkEngine("local[2]", settings={"spark.app.name": "mine"}).run(rank, range(4))
        first = next(results)
        java = [child for child in psutil.Process().children(recursive=True) if "java" in child.name()]
        numbers = [first[0], *(number for number, _ in results)]
        print(json.dumps({
            "numbers": sorted(numbers),
            "java": len(java),
            "left": [child.name() for child in psutil.Process().children(recursive=True)] + [p.pid for p in java if p.is_running()],
            "changed": sorted(name for name in ("JAVA_HOME", "PYSPARK_PYTHON", "SPARK_LOCAL_IP", "SPARK_SUBMIT_OPTS")
                              if os.environ.get(name) != before.get(name)),
            "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        }))
        """

    def test_is_quiet_and_leaves_nothing_behind(self) -> None:
        run = in_own_process(self.program)
        assert run.stderr == ""
        said = json.loads(run.stdout)
        assert said == {"numbers": [0, 1, 2, 3], "java": 1, "left": [], "changed": [], "interrupt": True}

    def test_executors_without_shardmill_are_named(self, tmp_path: Path) -> None:
        venv.create(tmp_path / "bare", with_pip=False)
        program = """
            from shardmill.engines.spark import SparkEngine
            from shardmill.errors import UsageError
            try:
                list(SparkEngine("local[1]").run(abs, [1]))
            except UsageError as error:
                print(error)
            """
        run = in_own_process(program, PYSPARK_PYTHON=str(tmp_path / "bare" / "bin" / "python"))
        assert run.stdout.startswith("shardmill is not installed in the Python that the executors run; install"), (
            run.stderr
        )

    def test_missing_java_is_named(self) -> None:
        program = """
            from shardmill import java
            from shardmill.engines.spark import SparkEngine
            from shardmill.errors import UsageError
            java.candidates = lambda environ: iter(())
            try:
                list(SparkEngine("local[1]").run(abs, [1]))
            except UsageError as error:
                print(error)
            """
        run = in_own_process(program)
        assert "and no Java was found; " in run.stdout, run.stderr

    def test_unknown_master_is_named(self) -> None:
        program = """
            from shardmill.engines.spark import SparkEngine
            from shardmill.errors import UsageError
            try:
                list(SparkEngine("locl").run(abs, [1]))
            except UsageError as error:
                print(error)
            """
        run = in_own_process(program)
        assert run.stdout == (
            "Spark does not know this kind of master; write it like local[4], spark://host:7077 or yarn\n"
        ), run.stderr

    def test_workers_import_from_folders_only(self) -> None:
        program = """
            import sys
            from shardmill.engines.spark import SparkEngine
            def archives(number):
                return [path for path in [*sys.path, *sys.path_importer_cache] if ".jar" in path or ".zip" in path]
            print(list(SparkEngine("local[1]").run(archives, [1])))
            """
        assert in_own_process(program).stdout == "[[]]\n"

    def test_another_python_gets_the_daemon_of_spark(self) -> None:
        other = f"{Path(sys.executable).parent}/./{Path(sys.executable).name}"
        program = """
            import sys
            from shardmill.engines.spark import SparkEngine
            print(list(SparkEngine("local[1]").run(lambda number: "shardmill.engines.spark_daemon" in sys.orig_argv, [1])))
            """
        assert in_own_process(program).stdout == "[True]\n"
        assert in_own_process(program, PYSPARK_PYTHON=other).stdout == "[False]\n"

    def test_killed_driver_leaves_nothing_behind(self, tmp_path: Path) -> None:
        program = """
            import time
            from pathlib import Path
            from shardmill.engines.spark import SparkEngine
            def sleep(number):
                (Path(FOLDER) / str(number)).touch()
                time.sleep(300)
            list(SparkEngine("local[2]").run(sleep, range(2)))
            """
        folder = tmp_path / "begun"
        folder.mkdir()
        text = f"FOLDER = {str(folder)!r}\n{textwrap.dedent(program)}"
        driver = subprocess.Popen([sys.executable, "-c", text])
        until(lambda: len(list(folder.iterdir())) == 2)
        below = psutil.Process(driver.pid).children(recursive=True)
        assert len(below) >= 4  # the JVM, Python's daemon and two workers
        driver.kill()
        driver.wait()
        until(lambda: not any(process.is_running() for process in below))


class TestAhead:
    """A context that is started before it is needed."""

    program: ClassVar[str] = """
        import json, os, threading, time, psutil
        from shardmill.engines.spark import SparkEngine
        from shardmill.errors import UsageError
        engine, said = SparkEngine(MASTER), {}
        me = psutil.Process()
        def java(): return [child for child in me.children() if "java" in child.name() or "spark" in " ".join(child.cmdline())]
        def note(): open(FOLDER + "/" + str(time.time_ns()), "x").close()
        try:
            with engine.ahead(note):
                ACTION
        except UsageError as error:
            said["error"] = str(error)
        said["left"] = [child.name() for child in me.children(recursive=True)]
        said["threads"] = [thread.name for thread in threading.enumerate() if "spark" in thread.name]
        print(json.dumps(said))
        """

    def run(self, action: str, folder: Path, master: str = "local[2]") -> Any:
        program = self.program.replace("MASTER", repr(master)).replace("ACTION", action)
        run = in_own_process(program.replace("FOLDER", repr(str(folder))))
        assert run.stderr == ""
        said = json.loads(run.stdout)
        assert said.pop("left") == said.pop("threads") == []
        return said

    def test_all_runs_share_it_and_workers_are_called_first(self, tmp_path: Path) -> None:
        wait = "while len(os.listdir(FOLDER)) < 2: time.sleep(0.01)"
        runs = "said['runs'] = [sorted(engine.run(abs, range(3))) + [len(java())] for _ in range(2)]"
        action = f"{runs}\n                {wait}"
        assert self.run(action, tmp_path) == {"runs": [[0, 1, 2, 1], [0, 1, 2, 1]]}

    @pytest.mark.parametrize(
        "moment",
        [
            "None",
            "while not java(): time.sleep(0.01)",
            "while not engine._ahead._jvm.reached: time.sleep(0.01)",
            "engine._ahead.get()",
        ],
    )
    def test_what_is_not_needed_any_more_is_gone_at_once(self, moment: str, tmp_path: Path) -> None:
        assert self.run(moment, tmp_path) == {}

    def test_its_trouble_is_that_of_the_first_run(self, tmp_path: Path) -> None:
        assert self.run("list(engine.run(abs, [1]))", tmp_path, master="locl") == {
            "error": "Spark does not know this kind of master; write it like local[4], spark://host:7077 or yarn"
        }
        assert self.run("None", tmp_path, master="locl") == {}

    def test_a_first_call_that_fails_is_no_trouble(self, tmp_path: Path) -> None:
        assert self.run("said['runs'] = list(engine.run(abs, [1]))", tmp_path / "absent") == {"runs": [1]}

    def test_workers_share_the_module_of_the_first_call(self, tmp_path: Path) -> None:
        program = """
            import colorsys, sys
            from shardmill.engines.spark import SparkEngine
            engine = SparkEngine("local[1]")
            with engine.ahead(colorsys.hls_to_rgb):
                print(list(engine.run(lambda number: "colorsys" in sys.modules, [1])))
            """
        assert in_own_process(program).stdout == "[True]\n"

    def test_a_session_in_use_is_enough(self, spark: SparkContext) -> None:
        engine = SparkEngine()
        with engine.ahead(partial(square, 1)):
            assert engine._ahead is None
            assert list(engine.run(square, [3])) == [9]
        assert spark.parallelize([1, 2]).sum() == 3
