"""`shardmill demo`: a tour on pictures made here, without a network."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.errors import DamageError, MissingExtraError, UsageError
from shardmill.operations.demo.images import draw_images
from shardmill.operations.prepare.events import Event
from shardmill.operations.prepare.result import PrepareResult
from shardmill.operations.prepare.run import prepare
from shardmill.operations.report.run import report
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.run import show
from shardmill.operations.show.words import lines as show_lines
from shardmill.operations.speedtest.result import SpeedtestResult
from shardmill.operations.speedtest.run import speedtest
from shardmill.operations.verify.result import VerifyResult
from shardmill.operations.verify.run import verify
from shardmill.units import format_bytes, format_count, format_seconds

_MARK: Final = ".shardmill-demo"
_PHOTOS: Final = "photos"
_SHARDS: Final = "flowers"
_SPARK_SHARDS: Final = "flowers-by-spark"
_SPEED_TEST: Final = "speed-test"
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
_OPTIONS: Final = f"--size {_SIZE} --splits {_SPLITS} --num-shards {_NUM_SHARDS} --max-errors {_MAX_ERRORS}"


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
    """Make pictures of flowers, turn them into shards, prove these whole, show and measure them, and report it all.

    Offline and in about a minute. Each step is told with the command that does the same to images of your own.

    Args:
        folder: Where all of it goes; made if absent, renewed if an earlier demo made it.
        quick: Fewer pictures, and not on Spark as well.
        say: Called with each line of the tour.
        on_event: Called with each event of the preparations.

    Returns:
        What was made and seen.

    Raises:
        UsageError: `folder` holds something that is not of an earlier demo.
        DamageError: the shards are not as they should be, which is a bug.
    """
    tell = say or _keep_quiet
    started = time.perf_counter()
    root = _own_folder(Path(folder).expanduser())
    photos, shards = root / _PHOTOS, root / _SHARDS
    count = _QUICK_COUNT if quick else _COUNT

    tell(f"1. {count} pictures of five kinds of flowers, drawn here, into {photos}")
    tell(
        "   A few are as real folders have them: turned by EXIF, CMYK, 16 bit, transparent, truncated, no image at all."
    )
    draw_images(photos, count)

    tell("")
    tell("2. Images in, shards out: decoded, turned upright, cropped to a square, converted to sRGB, split, shuffled")
    tell(f"   $ shardmill prepare {_quoted(photos)} {_quoted(shards)} {_OPTIONS}")
    prepared = _prepare(photos, shards, "local", on_event)
    _tell_prepared(prepared, tell)

    tell("")
    tell("3. Every record read back, its checksums compared, its image decoded")
    tell(f"   $ shardmill verify {_quoted(shards)}")
    verified = verify(str(shards))
    if not verified.ok:
        raise DamageError(
            f"{shards} is not as it was written: {verified.findings[0]}. This is a bug: please report it."
        )
    tell(f"   whole: {format_count(verified.records, 'record')}, {format_bytes(verified.bytes)}")

    agrees = None if quick else _on_spark(photos, root / _SPARK_SHARDS, shards, tell, on_event)

    tell("")
    tell(f"{4 if quick else 5}. What is in them")
    tell(f"   $ shardmill show {_quoted(shards)}")
    shown = show(str(shards), output=str(root / "contact-sheet.png"))
    for line in show_lines(shown)[1:-1]:
        tell(f"   {line}")

    measured = _measured(photos, shards, root / _SPEED_TEST, 5 if quick else 6, tell)

    tell("")
    page = root / "report.html"
    tell(f"{6 if quick else 7}. All of it on one page, with what to do about it")
    tell(f"   $ shardmill report {_quoted(shards)} {_quoted(root / _SPEED_TEST)} --output {_quoted(page)}")
    reported = report(str(shards), measured.out, output=str(page), title="The demo of shardmill")
    for finding in reported.findings:
        if finding.use == "batch":
            tell(f"   {finding.sentence}")
    tell("")
    tell(f"Look at the contact sheet: {shown.sheet}")
    tell(f"Open the report:           {reported.page}")
    return DemoResult(
        photos=str(photos),
        shards=str(shards),
        sheet=shown.sheet,
        seconds=time.perf_counter() - started,
        prepared=prepared,
        verified=verified,
        shown=shown,
        measured=measured,
        report=reported.page,
        spark_agrees=agrees,
    )


def _measured(photos: Path, shards: Path, out: Path, number: int, tell: Callable[[str], None]) -> SpeedtestResult:
    tell("")
    tell(
        f"{number}. How fast the shards are read, beside the pictures themselves: a small grid, each combination three times"
    )
    tell(
        f"   $ shardmill speedtest {_quoted(shards)} --files {_quoted(photos)} --reader native --batch-size {_BATCH_SIZES} "
        f"--num-batches {_NUM_BATCHES} --repetitions {_REPETITIONS} --min-seconds {_MIN_SECONDS} --out {_quoted(out)}"
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
    tell(f"   {format_count(result.passes, 'timed pass')}, {format_seconds(result.seconds)}")
    return result


def _keep_quiet(line: str) -> None:
    """Say nothing."""


def _own_folder(root: Path) -> Path:
    """`root`, empty but for the mark by which the next demo knows that it may clear it."""
    try:
        if root.exists() and any(root.iterdir()) and not (root / _MARK).is_file():
            raise UsageError(f"{root} holds something else; name an empty or a new folder for the demo.")
        root.mkdir(parents=True, exist_ok=True)
        (root / _MARK).touch()
        for name in (_PHOTOS, _SHARDS, _SPARK_SHARDS, _SPEED_TEST):
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


def _tell_prepared(result: PrepareResult, tell: Callable[[str], None]) -> None:
    shards = f"{format_count(result.shards, 'shard')}, {format_bytes(result.bytes)}"
    tell(f"   {format_count(result.written, 'record')} in {shards}, {format_seconds(result.seconds)}")
    tell(f"   {result.listed:,} listed = {result.written:,} written + {result.failed:,} failed, each with its reason:")
    for key, reason in result.failures:
        tell(f"     {key}: {reason}")


def _on_spark(
    photos: Path,
    spark_shards: Path,
    shards: Path,
    tell: Callable[[str], None],
    on_event: Callable[[Event], None] | None,
) -> bool | None:
    tell("")
    tell("4. The same on Spark, as it would run on a cluster: the shards must come out the same, byte for byte")
    tell(f"   $ shardmill prepare {_quoted(photos)} {_quoted(spark_shards)} {_OPTIONS} --engine spark")
    try:
        result = _prepare(photos, spark_shards, "spark", on_event)
    except MissingExtraError as error:
        tell(f"   left out: {error}")
        return None
    local, spark = (
        [(shard.name, shard.sha256) for shard in Dataset.open(str(folder)).shards] for folder in (shards, spark_shards)
    )
    if local != spark:
        raise DamageError(f"the shards in {spark_shards} are not those in {shards}. This is a bug: please report it.")
    tell(f"   the same {format_count(result.shards, 'shard')}, byte for byte, {format_seconds(result.seconds)}")
    return True


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
