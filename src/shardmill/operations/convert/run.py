"""Shards of one format from those of another, images bit for bit."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq

import shardmill
from shardmill import isolation
from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.engines.local import LocalEngine
from shardmill.errors import ResumableError, TooManyFailuresError, UsageError
from shardmill.formats.base import Compression, FormatName
from shardmill.formats.choose import make_format
from shardmill.image.base import ImageSpec
from shardmill.layout import MANIFEST, SUCCESS, samples_name
from shardmill.loading.fetch import COPIED
from shardmill.operations.convert.shard import ConvertCall, convert_shard
from shardmill.operations.prepare.existing import check_empty, remove_old
from shardmill.operations.prepare.fingerprint import codec_versions
from shardmill.operations.prepare.finish import (
    build_manifest,
    read_findings,
    scratch_folder,
    shard_entries,
    write_manifest,
)
from shardmill.operations.prepare.names import shard_name
from shardmill.operations.prepare.samples import ShardSummary
from shardmill.plan import store as plan_store
from shardmill.plan.cut import ShardTask
from shardmill.plan.store import Plan
from shardmill.spec import PrepareSpec
from shardmill.storage import Store, open_store, parse_settings
from shardmill.units import parse_limit

_MOST_BLAMED: Final = 100
_MOST_CLASSES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ConvertResult:
    """What a conversion made."""

    source: str
    dest: str
    format: str
    already_complete: bool
    written: int
    failed: int
    """Records of files of others that could not be read or decoded."""
    shards: int
    bytes: int
    seconds: float
    failures: tuple[tuple[str, str], ...]
    """The first few that failed, with the reason."""


@checked
def convert(
    source: str,
    dest: str,
    *,
    format: FormatName | str = "tfrecord",
    compression: Compression = "none",
    workers: int | None = None,
    on_exists: Literal["resume", "overwrite", "fail"] = "resume",
    max_errors: str = "0",
    image_timeout: float = 60.0,
    worker_memory: str = "4GiB",
    storage_options: str | Mapping[str, Any] | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> ConvertResult:
    """Turn shards of one format into shards of another, images bit for bit.

    Each shard becomes one, in the same order; the result is a data set like those of prepare. Of a set that prepare made,
    all that is known of its inputs is kept.

    Args:
        source: A data set that prepare made, or shards of anyone (TFRecord, WebDataset tar, Parquet): a folder, a file or a
            pattern like 'train-*'.
        dest: Folder for the new shards; made if absent.
        format: Kind of shard to make: tfrecord, webdataset, parquet, or that of a plug-in.
        compression: As of prepare: gzip for tfrecord; snappy, gzip or zstd for parquet.
        workers: Shards converted at once; by default one a core.
        on_exists: When DEST holds a data set: continue it if it is the same one, delete and start anew, or refuse.
        max_errors: Records of files of others that may be damaged: a count or a percentage. Beyond it, the set is left
            unfinished, with exit code 4.
        image_timeout: Seconds after which decoding an image of others is given up.
        worker_memory: Memory beyond which decoding an image of others is given up.
        storage_options: What fsspec's file system takes for gs:// or s3://: endpoint_url=http://host:9000,anon=true, JSON, or
            the name of a JSON file after @.
        on_progress: Called with the shards done, the shards in all and the records written, from one thread.

    Returns:
        What was made.

    Raises:
        UsageError: the request cannot be carried out as it stands.
        DamageError: the source is a set of ours and not whole.
        ResumableError: reading or writing failed; the same call continues.
        TooManyFailuresError: more records were damaged than `max_errors` allows.
    """
    started = time.perf_counter()
    allowed = parse_limit(max_errors)
    limits = isolation.parse_limits(image_timeout, worker_memory)
    storage = parse_settings(storage_options)
    spec = PrepareSpec(
        image=ImageSpec(resize_mode="no"), transform=COPIED, shard_format=format, compression=compression
    )
    make_format(format, spec.format_options())
    opened = Dataset.open(source, storage=storage)
    store = open_store(dest, storage)
    if store.root == opened.root:
        raise UsageError(f"SRC and DEST are one folder, {store.root}; choose another DEST.")
    with store.lock():
        plan = _planned(opened, store, spec, on_exists)
        finished = _finished(store, plan)
        if finished is not None:
            return replace(finished, source=opened.root, seconds=time.perf_counter() - started)
        store.remove(SUCCESS)
        calls = _calls(opened, store, plan, spec)
        done, records = 0, 0
        summaries: dict[int, ShardSummary] = {}
        for summary in LocalEngine(workers).run(_Work(limits), calls):
            summaries[summary.number] = summary
            done, records = done + 1, records + summary.count
            if on_progress is not None:
                on_progress(done, len(calls), records)
        ordered = [summaries[number] for number in sorted(summaries)]
        failures = _finish(opened, store, plan, ordered, started)
        result = ConvertResult(
            source=opened.root,
            dest=store.root,
            format=format,
            already_complete=False,
            written=sum(summary.count for summary in ordered),
            failed=0 if opened.manifest is not None else sum(summary.failed for summary in ordered),
            shards=len(ordered),
            bytes=sum(summary.bytes for summary in ordered),
            seconds=time.perf_counter() - started,
            failures=failures,
        )
        _check_failures(result, allowed)
        with store.publish(SUCCESS):
            pass
    return result


class _Work:
    """`convert_shard` in this thread's child, again after each death of it that an image is to blame for."""

    def __init__(self, limits: isolation.Limits) -> None:
        self._limits = limits

    def __call__(self, call: ConvertCall) -> ShardSummary:
        while True:
            try:
                return isolation.call(convert_shard, call, self._limits)
            except isolation.ChildDiedError as death:
                record = death.taken - 1
                if death.taken == death.done or record in call.blamed or len(call.blamed) >= _MOST_BLAMED:
                    raise ResumableError(
                        f"the process that converted {call.shard.name} died ({death}); look at memory and disk, then run the same command again"
                    ) from death
                call = replace(call, blamed={**call.blamed, record: death.cause})


def _planned(source: Dataset, store: Store, spec: PrepareSpec, on_exists: str) -> Plan:
    """The plan that DEST follows, written if it is new."""
    plan = _new_plan(source, spec)
    if on_exists == "overwrite":
        remove_old(store)
        old = None
    else:
        old = plan_store.load(store)
    if old is None:
        check_empty(store)
        plan_store.save(plan, store)
        return plan
    if on_exists == "fail":
        raise UsageError(
            f"{store.root} already holds a data set; choose another DEST, or --on-exists resume or overwrite."
        )
    if old.digest != plan.digest:
        raise UsageError(
            f"{store.root} holds something else than this conversion would make (other options, another source, other versions "
            "of pyarrow); choose another DEST, or start anew with --on-exists overwrite."
        )
    return plan


def _new_plan(source: Dataset, spec: PrepareSpec) -> Plan:
    facts = [[shard.name, source.store.size(shard.name), shard.sha256, shard.samples_sha256] for shard in source.shards]
    splits = [_split(shard.split) for shard in source.shards]
    of = Counter(splits)
    placed: Counter[str] = Counter()
    tasks = []
    for number, (shard, split) in enumerate(zip(source.shards, splits, strict=True)):
        part = f"_plan/rows-{split}-00000.parquet"
        tasks.append(ShardTask(number, split, placed[split], of[split], shard.listed or 0, part, (0, 0)))
        placed[split] += 1
    return Plan(
        spec=spec.to_json(),
        source=source.root,
        source_root=source.root,
        fingerprint=COPIED + codec_versions(spec.compression, spec.shard_format),
        rows_sha256=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        classes=source.labels,
        listed={},
        ignored={},
        repeats=0,
        tasks=tuple(tasks),
    )


def _split(name: str) -> str:
    """`name`, with what cannot stand in the name of a split left out."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_]+", "_", name).strip("_")[:64] or "train"


def _calls(source: Dataset, store: Store, plan: Plan, spec: PrepareSpec) -> list[ConvertCall]:
    shard_format = make_format(spec.shard_format, spec.format_options(source.labels))
    return [
        ConvertCall(
            source=source,
            shard=replace(shard, number=task.number),
            dest=store,
            name=shard_name(PrepareSpec(), task, shard_format.suffix),
            split=task.split,
            shard_format=shard_format,
            plan=plan.digest,
        )
        for shard, task in zip(source.shards, plan.tasks, strict=True)
    ]


def _finished(store: Store, plan: Plan) -> ConvertResult | None:
    """The result of the run that completed DEST, or None where none did."""
    if store.size(SUCCESS) is None or store.size(MANIFEST) is None:
        return None
    data = json.loads(store.read(MANIFEST))["data"]
    if data["plan"] != plan.digest:
        return None
    shards = data["shards"]
    if any(store.size(shard["name"]) != shard["bytes"] for shard in shards):
        return None
    return ConvertResult(
        source="",
        dest=store.root,
        format=data["shard_format"],
        already_complete=True,
        written=data["totals"]["written"],
        failed=0,
        shards=len(shards),
        bytes=sum(shard["bytes"] for shard in shards),
        seconds=0.0,
        failures=(),
    )


def _finish(
    source: Dataset, store: Store, plan: Plan, summaries: list[ShardSummary], started: float
) -> tuple[tuple[str, str], ...]:
    """Write labels and manifest; returns the first records that failed."""
    run = {
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.perf_counter() - started, 3),
        "resumed_shards": 0,
        "source": source.root,
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "shardmill": shardmill.__version__,
        "engine": "local",
    }
    listed: Counter[str] = Counter()
    for summary in summaries:
        listed[summary.split] += summary.listed
    with scratch_folder() as scratch:
        findings = read_findings(store, (summary.number for summary in summaries), Path(scratch))
    if source.manifest is None:
        plan = replace(plan, listed=dict(listed), classes=_class_names(source, store, summaries))
        write_manifest(store, plan, build_manifest(plan, summaries, findings, store, run))
        return tuple(findings.failures)
    before = source.manifest["data"]
    written_as = {
        "shard_format": plan.spec["shard_format"],
        "feature_keys": plan.spec["feature_keys"],
        "compression": plan.spec.get("compression", "none"),
    }
    data = {
        **before,
        **written_as,
        "plan": plan.digest,
        "spec": {**before["spec"], **written_as, "tfds_name": None},
        "shards": shard_entries(summaries, store),
        "converted_from": {name: before[name] for name in ("plan", "shard_format")},
    }
    write_manifest(store, plan, {"format": source.manifest["format"], "data": data, "run": run})
    return ()


def _class_names(source: Dataset, store: Store, summaries: list[ShardSummary]) -> tuple[str, ...]:
    """Those of the source, or what its records call their labels; the number where they do not."""
    named: dict[int, str] = {}
    for summary in summaries:
        with store.open(samples_name(summary.number)) as file:
            table = pq.read_table(file, columns=["label", "class", "status"])
        rows = table.filter(pc.equal(table["status"], "written")).group_by(["label", "class"]).aggregate([])
        for label, name in zip(rows["label"].to_pylist(), rows["class"].to_pylist(), strict=True):
            named.setdefault(label, name or str(label))
    count = max([*named, len(source.labels) - 1], default=-1) + 1
    if count > _MOST_CLASSES:
        raise UsageError(f"{source.root} has a label {count - 1}; numbers beyond {_MOST_CLASSES} are no classes.")
    names = [*source.labels, *(named.get(label, str(label)) for label in range(len(source.labels), count))]
    return tuple(" ".join(name.split()) or str(label) for label, name in enumerate(names))


def _check_failures(result: ConvertResult, allowed: tuple[int | None, float | None]) -> None:
    count, share = allowed
    most = count if count is not None else int((share or 0) * (result.written + result.failed) + 1e-9)
    if result.failed > most:
        shown = "; ".join(f"{key}: {reason}" for key, reason in result.failures[:3])
        raise TooManyFailuresError(
            f"{result.failed} records failed, more than --max-errors allows, {most} ({shown}). All are listed in "
            f"{result.dest}/_samples. Accept them with a higher --max-errors."
        )
