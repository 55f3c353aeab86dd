"""`shardmill prepare`: images in, shards out."""

from __future__ import annotations

import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import shardmill
from shardmill import isolation
from shardmill.arguments import checked
from shardmill.engines.base import CountsItems, CountsSteps, Engine, StartsAhead
from shardmill.errors import ResumableError, ShardmillError, TooManyFailuresError, UsageError
from shardmill.formats.base import Compression, FeatureKeys, FormatName
from shardmill.formats.choose import make_format
from shardmill.formats.tfds import TfdsSplit, check_tfds_name, tfds_files
from shardmill.image.base import Chroma, ImageSpec, ResizeMode
from shardmill.layout import MANIFEST, SUCCESS, samples_name
from shardmill.machine import available_cores
from shardmill.operations.prepare.estimate import fingerprint
from shardmill.operations.prepare.events import Announcer, Event, event_file
from shardmill.operations.prepare.existing import OnExists, plan_to_follow
from shardmill.operations.prepare.finish import build_manifest, read_findings, scratch_folder, write_manifest
from shardmill.operations.prepare.job import Job
from shardmill.operations.prepare.planning import draft_plan, take_plan
from shardmill.operations.prepare.request import make_engine, parse_colour, read_labels
from shardmill.operations.prepare.result import PrepareResult, made, planned, recalled
from shardmill.operations.prepare.samples import LOST, ShardSummary, committed, has_status
from shardmill.operations.prepare.staging import has_staged, list_batches, remove_staged
from shardmill.operations.prepare.supervise import get_ready, run_shard
from shardmill.plan.cut import ShardTask
from shardmill.plan.store import Plan
from shardmill.sources.base import Source, StagedSource
from shardmill.sources.open import open_source
from shardmill.sources.spec import InputFormat, Layout, SourceSpec
from shardmill.spec import PrepareSpec, parse_sharding, parse_size, parse_splits
from shardmill.storage import Store, open_store, parse_settings
from shardmill.storage.retry import retries_so_far
from shardmill.storage.settings import DEFAULT_TIMEOUT_S
from shardmill.storage.window import in_order
from shardmill.units import in_range, parse_bytes, parse_limit

_TFDS_VERSION: Final = "1.0.0"
_WITHOUT_CLASSES: Final = ("tfrecord", "webdataset")
"""Formats whose shards do not carry the class names, so that tasks need not either."""


@checked
def prepare(
    source: str,
    dest: str,
    *,
    size: str = "256",
    resize_mode: ResizeMode = "center_crop",
    resize_only_if_bigger: bool = False,
    quality: int = 95,
    chroma: Chroma = "444",
    skip_reencode: bool = False,
    background: str = "white",
    ignore_exif: bool = False,
    keep_exif: bool = False,
    min_size: int = 0,
    max_area: int | None = None,
    max_aspect: float | None = None,
    max_pixels: int = 100_000_000,
    max_source_bytes: str = "256MB",
    transform: Literal["native", "tensorflow"] = "native",
    format: FormatName | str = "tfrecord",
    compression: Compression = "none",
    feature_keys: FeatureKeys = "imagenet",
    tfds: str | None = None,
    num_shards: str | None = None,
    samples_per_shard: int | None = None,
    max_shard_size: str | None = None,
    input_format: InputFormat = "auto",
    image_root: str | None = None,
    image_col: str | None = None,
    label_col: str | None = None,
    key_col: str | None = None,
    split_col: str | None = None,
    group_col: str | None = None,
    include: Sequence[str] = (),
    layout: Layout = "auto",
    labels_file: str | None = None,
    splits: str | None = None,
    seed: int = 0,
    no_shuffle: bool = False,
    limit: int | None = None,
    drop_duplicates: bool = False,
    engine: Literal["local", "spark"] | str = "local",
    workers: int | None = None,
    master: str | None = None,
    partitions: int | None = None,
    on_exists: OnExists = "resume",
    moved: bool = False,
    retry_failed: bool = False,
    on_error: Literal["skip", "fail"] = "skip",
    max_errors: str = "1%",
    image_timeout: float = 60.0,
    worker_memory: str = "4GiB",
    storage_options: str | Mapping[str, Any] | None = None,
    store_timeout: float = DEFAULT_TIMEOUT_S,
    no_lock: bool = False,
    dry_run: bool = False,
    events: str | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> PrepareResult:
    """Turn images into training-ready shards.

    Args:
        source: A folder of images (class/*.jpg, train/class/*.jpg or flat), a CSV, JSONL, Parquet or text list, a WebDataset
            tar, or a Parquet of image bytes.
        dest: Folder for the shards; made if absent.
        size: Size of the results in pixels: N, or WxH.
        resize_mode: center_crop fills the size and cuts the rest off; border fits inside and pads; keep_ratio brings the
            shorter side to size; keep_ratio_largest fits inside; no leaves the size alone.
        resize_only_if_bigger: Never enlarge.
        quality: JPEG quality, 1 to 100.
        chroma: Chroma subsampling of the JPEGs.
        skip_reencode: Keep the source's JPEG stream where nothing would change.
        background: Colour under transparent pixels and in borders: a name, or R,G,B.
        ignore_exif: Do not turn images upright by their EXIF orientation.
        keep_exif: Put the source's EXIF block, GPS and all, into the records.
        min_size: Skip images whose shorter side is smaller, in pixels.
        max_area: Skip images of more pixels.
        max_aspect: Skip images whose longer side is more than this many times the shorter.
        max_pixels: Images that claim more pixels than this are failures; they are not decoded.
        max_source_bytes: Files larger than this are failures; they are not read.
        transform: What decodes, resizes and encodes: native is fast; tensorflow is a tf.data pipeline.
        format: Kind of shard: tfrecord, webdataset (tar of .jpg, .cls and .json), parquet (as Hugging Face datasets), or that of a plug-in.
        compression: For tfrecord gzip, which TensorFlow and PyTorch readers know, at the price of the index and of random access;
            for parquet snappy, gzip or zstd, of all columns but the images; webdataset has none. JPEGs hardly shrink.
        feature_keys: Names of the features in a tfrecord: image/encoded and so on, or those of tfds.
        tfds: Name of the data set: file names, keys and metadata become what tfds.builder_from_directory opens.
        num_shards: Shards in all, shared out over the splits; or train=16,val=2.
        samples_per_shard: Inputs per shard.
        max_shard_size: Target size of a shard, like 64MB; by default 128MB, or less so that there are 16 shards to work on at once.
            Sizes are estimated from a sample.
        input_format: What SOURCE is; found out by itself.
        image_root: Where the relative locations of a list begin; by default the list's folder, or the folder beside it that is
            called like the list.
        image_col: Column of a list that holds the location or the bytes of the image.
        label_col: Column that holds the class.
        key_col: Column that holds the key of the sample; by default its location.
        split_col: Column that holds the split.
        group_col: Column whose equal values stay in one split.
        include: Glob of the files to take from a folder, instead of the usual image suffixes; repeatable.
        layout: What the folders mean: class/, split/class/, or flat for nothing.
        labels_file: File with one class name a line, in label order; by default the sorted names found, from 0.
        splits: Names and ratios, like train=0.9,val=0.1; decided by each key's hash, so that added images move no other.
        seed: Seed of the shuffle.
        no_shuffle: Keep the order of the listing.
        limit: Take only this many inputs, a random draw by the seed.
        drop_duplicates: Leave out inputs whose bytes are those of another; reads every input twice.
        engine: Where the work runs: processes of this machine, Spark, or the engine of a plug-in.
        workers: Images are processed by this many processes of the local engine; by default one a core.
        master: Spark master, like local[4] or spark://host:7077; by default the session that exists, or local[*].
        partitions: Spark partitions; changes the speed, never the bytes.
        on_exists: When DEST holds a data set: continue it if it is the same one, delete and start anew, or refuse.
        moved: Continue although SOURCE is another place than before: the same images were moved there.
        retry_failed: Make the shards again that have failed or lost inputs.
        on_error: What to do when an image is bad: record it and go on, or stop.
        max_errors: Failed inputs beyond this count or percentage leave the set unfinished, with exit code 4.
        image_timeout: Seconds after which an image is given up.
        worker_memory: Memory beyond which a worker's current image is given up.
        storage_options: What fsspec's file system takes for gs:// or s3://: endpoint_url=http://host:9000,anon=true, or JSON,
            or @file.json. Part of no plan, and never stored or shown.
        store_timeout: Seconds for which a request to an object store is retried.
        no_lock: Do not lock DEST, and write without conditions: for stores that have none. No two runs may write there.
        dry_run: Show the plan, write nothing.
        events: Append progress as JSON lines to this file.
        on_event: Called with each event, from any thread.

    Returns:
        What was made. With `dry_run`, what would be.

    Raises:
        UsageError: the request cannot be carried out as it stands.
        ResumableError: reading or writing failed; the same call continues.
        TooManyFailuresError: more inputs failed than `max_errors` allows; the set is there but not marked whole.
    """
    if not dest.strip():
        raise UsageError("DEST is empty; name a folder for the shards.")
    width, height = parse_size(size)
    image = ImageSpec(
        width=width,
        height=height,
        resize_mode=resize_mode,
        resize_only_if_bigger=resize_only_if_bigger,
        quality=in_range("--quality", quality, 1, 100),
        chroma=chroma,
        skip_reencode=skip_reencode,
        background=parse_colour(background),
        ignore_exif=ignore_exif,
        keep_exif=keep_exif,
        min_size=in_range("--min-size", min_size, 0),
        max_area=None if max_area is None else in_range("--max-area", max_area, 1),
        max_aspect=None if max_aspect is None else in_range("--max-aspect", max_aspect, 1),
        max_pixels=in_range("--max-pixels", max_pixels, 1),
    )
    storage = parse_settings(storage_options, store_timeout, conditional=not no_lock)
    spec = PrepareSpec(
        source=SourceSpec(input_format, image_col, label_col, key_col, split_col, group_col, tuple(include), layout),
        image=image,
        sharding=parse_sharding(
            num_shards, samples_per_shard, None if max_shard_size is None else parse_bytes(max_shard_size)
        ),
        transform=transform,
        shard_format=format,
        compression=compression,
        feature_keys="tfds" if tfds is not None else feature_keys,
        tfds_name=None if tfds is None else check_tfds_name(tfds),
        splits=parse_splits(splits),
        labels=None if labels_file is None else read_labels(labels_file, storage),
        seed=seed,
        shuffle=not no_shuffle,
        limit=None if limit is None else in_range("--limit", limit, 1),
        drop_duplicates=drop_duplicates,
        max_source_bytes=in_range("--max-source-bytes", parse_bytes(max_source_bytes), 1),
    )
    make_format(format, spec.format_options())
    if tfds is not None and (format, compression) != ("tfrecord", "none"):
        raise UsageError("--tfds makes TFRecords without compression; leave --format and --compression out.")
    allowed = parse_limit(max_errors)
    limits = isolation.parse_limits(image_timeout, worker_memory)
    runner = make_engine(engine, workers=workers, master=master, partitions=partitions)
    started, retries_before = time.perf_counter(), retries_so_far()
    with (
        event_file(events) as listeners,
        scratch_folder() as folder,
        closing(isolation.Child()) as child,
        ExitStack() as ahead,
    ):
        announce = Announcer([*listeners, *([on_event] if on_event else [])])
        scratch = Path(folder)

        def tick(rows: int) -> None:
            announce("listing", rows=rows)

        store = open_store(dest, storage)
        opened = open_source(source, spec.source, image_root=image_root, exclude=store.root, settings=storage)
        renewed = on_exists == "overwrite" or retry_failed
        if isinstance(runner, StartsAhead) and not dry_run and (renewed or store.size(SUCCESS) is None):
            ahead.enter_context(runner.ahead(partial(get_ready, spec)))
        try:
            codecs = child.call(fingerprint, spec)
        except isolation.ChildDiedError as death:
            raise ShardmillError(
                f"the image codecs crash on a built-in image ({death}); reinstall them, see `shardmill doctor`."
            ) from death
        if dry_run:
            draft = draft_plan(opened, spec, scratch, child, limits, tick, storage)
            return planned(draft, dest, time.perf_counter() - started, available_cores())
        with store.lock():
            plan = plan_to_follow(store, spec, opened.root, codecs, on_exists, moved=moved)
            if plan is None:
                plan = take_plan(opened, source, spec, codecs, scratch, store, runner, child, limits, tick, storage)
            child.close()
            job = Job(
                spec=spec,
                source_root=opened.root,
                dest=store.root,
                plan=plan.digest,
                fingerprint=plan.fingerprint,
                classes=plan.classes if format not in _WITHOUT_CLASSES else (),
                staged=isinstance(opened, StagedSource),
                retry=retry_failed,
                fail_fast=on_error == "fail",
                item_timeout_s=limits.item_timeout_s,
                memory_bytes=limits.memory_bytes,
                storage=storage,
            )
            run = _Run(
                store, plan, job, opened, runner, ahead, announce, allowed, started, scratch, Counter(), retries_before
            )
            return _carry_out(run)


@dataclass(frozen=True, slots=True)
class _Run:
    """What the steps of a run share."""

    store: Store
    plan: Plan
    job: Job
    source: Source | StagedSource
    engine: Engine
    ahead: ExitStack
    """What the engine has started; to be closed behind the last shard, so that no late attempt lives on."""
    announce: Announcer
    allowed: tuple[int | None, float | None]
    """Failures: a count, or a share of the inputs."""
    started: float
    scratch: Path
    retries: Counter[str]
    """Requests to object stores that workers have repeated, by reason."""
    retries_before: Counter[str]
    """Of this process, when the run began."""

    def all_retries(self) -> dict[str, int]:
        """Of the workers and of this process since the run began."""
        return dict(sorted((self.retries + retries_so_far() - self.retries_before).items()))


def _carry_out(run: _Run) -> PrepareResult:
    """Make the shards that are missing, count what all of them say, and mark the set whole."""
    store, plan, job, announce = run.store, run.plan, run.job, run.announce
    done = _committed_shards(run)
    announce(
        "planned", inputs=sum(plan.listed.values()), shards=len(plan.tasks), committed=len(done), splits=plan.listed
    )
    missing = [task for task in plan.tasks if task.number not in done]
    if not missing and store.size(SUCCESS) is not None and store.size(MANIFEST) is not None:
        result = recalled(store.root, plan, store.read(MANIFEST), time.perf_counter() - run.started)
        if result is not None:
            return result
    store.remove(SUCCESS)
    store.remove(MANIFEST)
    if missing:
        if job.staged and not has_staged(store):
            for _ in list_batches(run.source, store):  # the same images into the same files as when the plan was taken
                pass
        run.retries.update(_make_shards(run, missing, sum(summary.listed for summary in done.values())))
    run.ahead.close()
    announce("finishing")
    # As they stand on disk, which a late attempt may have changed since the engine told.
    asked = in_order(partial(_committed, run), plan.tasks, store.reads_at_once)
    ordered = [summary for _, answer in asked if (summary := answer()) is not None]
    if len(ordered) < len(plan.tasks):
        raise ResumableError(f"shards that were made are gone from {store.root} again; run the same command once more.")
    findings = read_findings(store, (task.number for task in plan.tasks), run.scratch)
    write_manifest(store, plan, build_manifest(plan, ordered, findings, store, _run_facts(run, len(done))))
    if job.spec.tfds_name is not None:
        _write_tfds(store, plan, job.spec, ordered)
    seconds = time.perf_counter() - run.started
    result = made(store.root, plan, ordered, findings, seconds, len(done), run.all_retries())
    announce("finished", written=result.written, skipped=result.skipped, failed=result.failed, seconds=result.seconds)
    count, share = run.allowed
    most = count if count is not None else math.floor((share or 0) * result.listed + 1e-9)
    if result.failed > most:
        raise TooManyFailuresError(_failure_message(result, most, run.allowed))
    remove_staged(store)
    with store.publish(SUCCESS):
        pass
    return result


def _committed_shards(run: _Run) -> dict[int, ShardSummary]:
    """The shards that need not be made, by number."""
    store, plan, kept = run.store, run.plan, {}
    finished = store.size(SUCCESS) is not None
    for task, answer in in_order(partial(_committed, run), plan.tasks, store.reads_at_once):
        name, summary = samples_name(task.number), answer()
        if summary is None or (run.job.retry and has_status(store, name, LOST)):
            continue
        if not finished and has_status(store, name, ("lost",)):  # a repaired set whose retry was interrupted
            store.remove(name)
            continue
        kept[task.number] = summary
    return kept


def _committed(run: _Run, task: ShardTask) -> ShardSummary | None:
    return committed(run.store, samples_name(task.number), run.plan.digest)


def _make_shards(run: _Run, missing: list[ShardTask], already: int) -> Counter[str]:
    """Make the shards `missing`; the others hold `already` inputs. Returns the workers' retries, by reason."""
    engine, listed = run.engine, sum(run.plan.listed.values())
    finished = ahead = 0
    left = {task.number for task in missing}
    retries: Counter[str] = Counter()

    def see_ahead(shards: int) -> None:
        nonlocal ahead
        ahead = sum(task.rows for task in missing[:shards])  # which ones it are is not known; they differ by one input

    def progress() -> Event:
        steps = engine.items_done() if isinstance(engine, CountsSteps) else ahead
        images = already + max(finished, min(steps, listed - already))
        near_the_end = isinstance(engine, CountsSteps) and len(left) <= 5 and images >= 0.9 * listed
        waiting = sorted(left) if near_the_end else []
        return {"images": images, "of": listed, "shards_left": len(left), "waiting_for": waiting}

    if isinstance(engine, CountsItems):
        engine.on_progress = see_ahead
    with run.announce.every(0.5, "progress", progress):
        for shard in engine.run(partial(run_shard, run.job), missing):
            summary = shard.summary
            retries.update(shard.retries)
            left.discard(summary.number)
            finished += summary.listed
            run.announce(
                "shard",
                name=summary.name,
                written=summary.count,
                skipped=summary.skipped,
                failed=summary.failed,
                bytes=summary.bytes,
            )
    return retries


def _write_tfds(store: Store, plan: Plan, spec: PrepareSpec, summaries: Sequence[ShardSummary]) -> None:
    assert spec.tfds_name is not None
    splits = []
    for split in sorted(plan.listed):
        shards = [summary for summary in summaries if summary.split == split]
        counts, sizes = zip(*((shard.count, shard.bytes) for shard in shards), strict=True)
        splits.append(TfdsSplit(split, counts, sizes))
    fixed = spec.image.resize_mode in ("center_crop", "border") and not spec.image.resize_only_if_bigger
    shape = (spec.image.height, spec.image.width) if fixed else None
    for name, content in tfds_files(spec.tfds_name, _TFDS_VERSION, splits, plan.classes, shape).items():
        with store.publish(name) as file:
            file.write(content)


def _run_facts(run: _Run, resumed: int) -> dict[str, Any]:
    return {
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.perf_counter() - run.started, 3),
        "resumed_shards": resumed,
        "retries": run.all_retries(),
        "source": run.plan.source,
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "shardmill": shardmill.__version__,
        **run.engine.describe(),
    }


def _failure_message(result: PrepareResult, most: int, allowed: tuple[int | None, float | None]) -> str:
    shown = "; ".join(f"{key}: {reason}" for key, reason in result.failures[:3])
    more = f"; and {result.failed - 3} more" if result.failed > 3 else ""
    limit = f"{most}" if allowed[1] is None else f"{allowed[1]:.4%}".rstrip("0%").rstrip(".") + f"% or {most}"
    return (
        f"{result.failed} of {result.listed} inputs failed, more than --max-errors allows, {limit} ({shown}{more}). All are listed in "
        f"{result.dest}/_samples. Mend them and add --retry-failed, or accept them with a higher --max-errors."
    )
