"""`shardmill demo`: a tour on pictures made here, without a network."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.errors import DamageError, MissingExtraError, UsageError
from shardmill.operations.demo.images import draw_images
from shardmill.operations.demo.shapes import compare_shapes, predict_shapes, search_shapes
from shardmill.operations.demo.tour import Tour, quoted
from shardmill.operations.model.result import ModelResult
from shardmill.operations.model.run import model
from shardmill.operations.pick.result import PickResult
from shardmill.operations.prepare.events import Event
from shardmill.operations.prepare.result import PrepareResult
from shardmill.operations.prepare.run import prepare
from shardmill.operations.report.run import ReportResult, report
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.run import show
from shardmill.operations.show.words import lines as show_lines
from shardmill.operations.speedtest.result import SpeedtestResult
from shardmill.operations.speedtest.run import speedtest
from shardmill.operations.sweep.result import SweepResult
from shardmill.operations.verify.result import VerifyResult
from shardmill.operations.verify.run import verify
from shardmill.units import format_bytes, format_count, format_seconds

_MARK: Final = ".shardmill-demo"
_PHOTOS: Final = "photos"
_SHARDS: Final = "flowers"
_SPARK_SHARDS: Final = "flowers-by-spark"
_SPEED_TEST: Final = "speed-test"
_MODEL: Final = "model"
_SWEEP: Final = "sweep"
_PREDICTED: Final = "predicted"
_PICK: Final = "pick"
_WORK: Final = "work"
_COUNT: Final = 300
_QUICK_COUNT: Final = 120

_SIZE: Final = "192"
_SPLITS: Final = "train=0.8,val=0.2"
_NUM_SHARDS: Final = "8"
_MAX_ERRORS: Final = "5%"
_BATCH_SIZES: Final = "4,16,64"
_NUM_BATCHES: Final = "4,8"
_REPETITIONS: Final = 3
_MIN_SECONDS: Final = 0.2
_JOB: Final = f"--size {_SIZE} --max-errors {_MAX_ERRORS}"
_OPTIONS: Final = f"--size {_SIZE} --splits {_SPLITS} --num-shards {_NUM_SHARDS} --max-errors {_MAX_ERRORS}"


@dataclass(frozen=True, slots=True)
class Machines:
    """What the tour saw of clusters."""

    measured: SweepResult
    predicted: SweepResult
    picked: PickResult

    @property
    def folders(self) -> list[str]:
        """Their run folders, for the report."""
        assert self.picked.folder is not None  # it was given one
        return [self.measured.out, self.predicted.out, self.picked.folder]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the tour made and saw."""

    photos: str
    shards: str
    sheet: str
    """The contact sheet's file."""
    seconds: float
    prepared: PrepareResult
    verified: VerifyResult
    shown: ShowResult
    measured: SpeedtestResult
    modelled: ModelResult
    machines: Machines | None
    """None: not tried."""
    report: str
    """The page, HTML."""
    spark_agrees: bool | None
    """The shards that Spark made are the same, byte for byte; None: not tried."""


@checked
def demo(
    folder: str = "shardmill-demo",
    *,
    quick: bool = False,
    say: Callable[[str], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> DemoResult:
    """Make pictures of flowers, turn them into shards, prove these whole, show and measure them, compare machines, report it.

    Offline, in under two minutes on two cores. Each step is told with the command that does the same to images of your own.

    Args:
        folder: Where all of it goes; made if absent, renewed if an earlier demo made it.
        quick: Fewer pictures and nothing on Spark, in half a minute.
        say: Called with each line of the tour.
        on_event: Called with each event of the preparations.

    Returns:
        What was made and seen.

    Raises:
        UsageError: `folder` holds something that is not of an earlier demo.
        DamageError: the shards are not as they should be, which is a bug.
    """
    tour = Tour(say)
    started = time.perf_counter()
    root = _own_folder(Path(folder).expanduser())
    photos, shards = root / _PHOTOS, root / _SHARDS
    count = _QUICK_COUNT if quick else _COUNT

    tour.step(f"{count} pictures of five kinds of flowers, drawn here, into {photos}")
    tour.tell(
        "A few are as real folders have them: turned by EXIF, CMYK, 16 bit, transparent, truncated, no image at all."
    )
    draw_images(photos, count)
    prepared = _prepared(photos, shards, tour, on_event)
    verified = _verified(shards, tour)
    agrees = None if quick else _on_spark(photos, root / _SPARK_SHARDS, shards, tour, on_event)
    shown = _shown(shards, root / "contact-sheet.png", tour)
    measured = _measured(photos, shards, root / _SPEED_TEST, tour)
    modelled = _modelled(root / _SPEED_TEST, root / _MODEL, tour)
    machines = None if quick else _machines(photos, root, tour)
    runs = [str(shards), measured.out, *([] if machines is None else machines.folders)]
    reported = _reported(runs, root / "report.html", tour)
    tour.end(f"Look at the contact sheet: {shown.sheet}", f"Open the report:           {reported.page}")
    return DemoResult(
        photos=str(photos),
        shards=str(shards),
        sheet=shown.sheet,
        seconds=time.perf_counter() - started,
        prepared=prepared,
        verified=verified,
        shown=shown,
        measured=measured,
        modelled=modelled,
        machines=machines,
        report=reported.page,
        spark_agrees=agrees,
    )


def _prepared(photos: Path, shards: Path, tour: Tour, on_event: Callable[[Event], None] | None) -> PrepareResult:
    tour.step(
        "Images in, shards out: decoded, turned upright, cropped to a square, converted to sRGB, split, shuffled",
        f"prepare {quoted(photos)} {quoted(shards)} {_OPTIONS}",
    )
    result = _prepare(photos, shards, "local", on_event)
    made = f"{format_count(result.shards, 'shard')}, {format_bytes(result.bytes)}"
    tour.tell(f"{format_count(result.written, 'record')} in {made}, {format_seconds(result.seconds)}")
    tour.tell(
        f"{result.listed:,} listed = {result.written:,} written + {result.failed:,} failed, each with its reason:"
    )
    for key, reason in result.failures:
        tour.tell(f"  {key}: {reason}")
    return result


def _verified(shards: Path, tour: Tour) -> VerifyResult:
    tour.step("Every record read back, its checksums compared, its image decoded", f"verify {quoted(shards)}")
    result = verify(str(shards))
    if not result.ok:
        raise DamageError(f"{shards} is not as it was written: {result.findings[0]}. This is a bug: please report it.")
    tour.tell(f"whole: {format_count(result.records, 'record')}, {format_bytes(result.bytes)}")
    return result


def _shown(shards: Path, sheet: Path, tour: Tour) -> ShowResult:
    tour.step("What is in them", f"show {quoted(shards)}")
    result = show(str(shards), output=str(sheet))
    for line in show_lines(result)[1:-1]:
        tour.tell(line)
    return result


def _measured(photos: Path, shards: Path, out: Path, tour: Tour) -> SpeedtestResult:
    tour.step(
        "How fast the shards are read, beside the pictures themselves: a small grid, each combination three times",
        f"speedtest {quoted(shards)} --files {quoted(photos)} --reader native --batch-size {_BATCH_SIZES} "
        f"--num-batches {_NUM_BATCHES} --repetitions {_REPETITIONS} --min-seconds {_MIN_SECONDS} --out {quoted(out)}",
    )
    result = speedtest(
        str(shards),
        files=[str(photos)],
        reader="native",
        batch_size=_BATCH_SIZES,
        num_batches=_NUM_BATCHES,
        repetitions=_REPETITIONS,
        min_seconds=_MIN_SECONDS,
        out=str(out),
    )
    tour.tell(f"{format_count(result.passes, 'timed pass')}, {format_seconds(result.seconds)}")
    return result


def _modelled(speed_test: Path, out: Path, tour: Tour) -> ModelResult:
    tour.step("Which factor matters, and by how much", f"model {quoted(speed_test)} --out {quoted(out)}")
    result = model(str(speed_test), out=str(out))
    for one in result.speed_ups:
        known = "" if one.interval is None else f" ({one.interval[0]:.2f} to {one.interval[1]:.2f}, 95 %)"
        tour.tell(f"{one.shards} is read {one.value:.2f} times as fast as {one.files}{known}")
    return result


def _machines(photos: Path, root: Path, tour: Tour) -> Machines | None:
    measured = compare_shapes(photos, _JOB, root, root / _SWEEP, tour)
    if measured is None:
        return None
    predicted = predict_shapes(measured, _JOB, root, root / _PREDICTED, tour)
    return Machines(measured, predicted, search_shapes(predicted, root / _PICK, tour))


def _reported(runs: Sequence[str], page: Path, tour: Tour) -> ReportResult:
    folders = " ".join(quoted(Path(run)) for run in runs)
    tour.step("All of it on one page, with what to do about it", f"report {folders} --output {quoted(page)}")
    result = report(*runs, output=str(page), title="The demo of shardmill")
    for finding in result.findings:
        if finding.use == "batch":
            tour.tell(finding.sentence)
    return result


def _own_folder(root: Path) -> Path:
    """`root`, empty but for the mark by which the next demo knows that it may clear it."""
    try:
        if root.exists() and any(root.iterdir()) and not (root / _MARK).is_file():
            raise UsageError(f"{root} holds something else; name an empty or a new folder for the demo.")
        root.mkdir(parents=True, exist_ok=True)
        (root / _MARK).touch()
        for name in (_PHOTOS, _SHARDS, _SPARK_SHARDS, _SPEED_TEST, _MODEL, _SWEEP, _PREDICTED, _PICK, _WORK):
            if (root / name).exists():
                shutil.rmtree(root / name)
    except OSError as error:
        raise UsageError(f"cannot use {root} for the demo: {error.strerror}. Name another folder.") from error
    return root


def _prepare(
    photos: Path, shards: Path, engine: Literal["local", "spark"], on_event: Callable[[Event], None] | None
) -> PrepareResult:
    return prepare(
        str(photos),
        str(shards),
        size=_SIZE,
        splits=_SPLITS,
        num_shards=_NUM_SHARDS,
        max_errors=_MAX_ERRORS,
        engine=engine,
        on_event=on_event,
    )


def _on_spark(
    photos: Path, spark_shards: Path, shards: Path, tour: Tour, on_event: Callable[[Event], None] | None
) -> bool | None:
    tour.step(
        "The same on Spark, as it would run on a cluster: the shards must come out the same, byte for byte",
        f"prepare {quoted(photos)} {quoted(spark_shards)} {_OPTIONS} --engine spark",
    )
    try:
        result = _prepare(photos, spark_shards, "spark", on_event)
    except MissingExtraError as error:
        tour.tell(f"left out: {error}")
        return None
    local, spark = (
        [(shard.name, shard.sha256) for shard in Dataset.open(str(folder)).shards] for folder in (shards, spark_shards)
    )
    if local != spark:
        raise DamageError(f"the shards in {spark_shards} are not those in {shards}. This is a bug: please report it.")
    tour.tell(f"the same {format_count(result.shards, 'shard')}, byte for byte, {format_seconds(result.seconds)}")
    return True
