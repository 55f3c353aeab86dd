"""Proves a data set whole, or says which record of which file is not."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from shardmill import isolation
from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.engines.local import LocalEngine
from shardmill.errors import DamageError, ResumableError, UsageError
from shardmill.layout import MANIFEST
from shardmill.operations.verify.repair import repair_foreign, repair_prepared
from shardmill.operations.verify.result import Finding, VerifyResult
from shardmill.operations.verify.shard import ShardCheck, ShardReport, check_shard
from shardmill.operations.verify.unique import SeenKeys
from shardmill.operations.verify.whole import check_strangers, check_totals, check_whole
from shardmill.storage import parse_settings
from shardmill.storage.settings import DEFAULT_TIMEOUT_S

_MOST_BLAMED: Final = 20


@checked
def verify(
    dest: str,
    *,
    quick: bool = False,
    repair: bool = False,
    workers: int | None = None,
    no_decode: bool = False,
    image_timeout: float = 60.0,
    worker_memory: str = "4GiB",
    storage_options: str | Mapping[str, Any] | None = None,
    store_timeout: float = DEFAULT_TIMEOUT_S,
    no_lock: bool = False,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> VerifyResult:
    """Prove a data set whole, or say which record of which file is not.

    Args:
        dest: A data set made by prepare, or shards that others wrote (TFRecord, WebDataset tar, Parquet): a folder, a file or a
            pattern like 'train-*'.
        quick: Compare names, sizes, indexes and counts with the manifest, and open no record.
        repair: Keep the good records of damaged shards and write indexes, samples tables and manifest anew to fit them;
            of files without a manifest, put the good records in a copy beside them, called <file>.repaired.
        workers: Shards checked at once; by default one a core.
        no_decode: Check every record's checksum and features, and leave the images undecoded.
        image_timeout: Seconds after which decoding an image is given up.
        worker_memory: Memory beyond which decoding an image is given up.
        storage_options: What fsspec's file system takes for gs:// or s3://: endpoint_url=http://host:9000,anon=true, or JSON,
            or @file.json.
        store_timeout: Seconds for which a request to an object store is retried.
        no_lock: Repair without a lock on DEST, for object stores that have no conditional writes.
        on_progress: Called with the shards done, the shards in all and the records read, from one thread.

    Returns:
        What was found. With `repair`, what was done and what is still wrong.

    Raises:
        UsageError: there is no data set at `dest`, or `quick` is asked for with `repair`.
        ResumableError: a file could not be read for reasons that may pass.
    """
    if repair and quick:
        raise UsageError("--repair has to read every record; leave --quick away")
    started = time.perf_counter()
    limits = isolation.parse_limits(image_timeout, worker_memory)
    storage = parse_settings(storage_options, store_timeout, conditional=not no_lock)
    check = _Check(limits, workers, deep=not quick, decode=not (quick or no_decode), on_progress=on_progress)
    try:
        dataset = Dataset.open(dest, allow_incomplete=True, storage=storage)
    except DamageError as error:
        finding = Finding(MANIFEST, "manifest", str(error))
        return VerifyResult(dest, not quick, True, 0, 0, 0, time.perf_counter() - started, (finding,), 1)
    result = check(dest, dataset, keep_all=repair)
    if not repair or result.ok:
        return replace(result, seconds=time.perf_counter() - started)
    if dataset.manifest is None:
        repairs = repair_foreign(dataset, result.findings)
        after = result  # the originals are as they were
    else:
        repairs = repair_prepared(dataset, result.findings)
        after = check(dest, Dataset.open(dest, allow_incomplete=True, storage=storage))
    return replace(after, repairs=repairs, seconds=time.perf_counter() - started)


class _Check:
    """How to check; called with what to check."""

    def __init__(
        self,
        limits: isolation.Limits,
        workers: int | None,
        *,
        deep: bool,
        decode: bool,
        on_progress: Callable[[int, int, int], None] | None,
    ) -> None:
        self._limits, self._workers, self._deep, self._decode = limits, workers, deep, decode
        self._on_progress = on_progress or (lambda done, of, records: None)

    def __call__(self, dest: str, dataset: Dataset, *, keep_all: bool = False) -> VerifyResult:
        findings = list(check_whole(dataset))
        checks = [
            ShardCheck(
                store=dataset.store,
                shard=shard,
                shard_format=dataset.shard_format,
                prepared=dataset.manifest is not None,
                num_classes=len(dataset.labels),
                deep=self._deep,
                decode=self._decode,
                keep_all=keep_all,
            )
            for shard in dataset.shards
        ]
        reports: dict[int, ShardReport] = {}
        records = 0
        with tempfile.TemporaryDirectory(prefix="shardmill-") as scratch:
            seen = SeenKeys(Path(scratch))
            self._on_progress(0, len(checks), 0)
            for report in LocalEngine(self._workers).run(self._check_one, checks):
                if len(report.key_records):
                    seen.add(report.number, report.key_digests, report.key_records)
                records += report.good
                reports[report.number] = replace(report, key_digests=b"")
                self._on_progress(len(reports), len(checks), records)
            repeats = [_repeat(dataset, *repeat) for repeat in seen.repeats()]
        ordered = [reports[number] for number in sorted(reports)]
        for report in ordered:
            findings += report.findings
        findings += repeats
        findings += check_totals(dataset, ordered, deep=self._deep)
        findings += check_strangers(dataset)
        hidden = sum(report.findings_total - len(report.findings) for report in ordered)
        return VerifyResult(
            dest=dest,
            deep=self._deep,
            prepared=dataset.manifest is not None,
            shards=sum(report.present for report in ordered),
            records=records,
            bytes=sum(report.bytes for report in ordered),
            seconds=0.0,
            findings=tuple(findings),
            findings_total=len(findings) + hidden,
            lost=_lost(dataset),
        )

    def _check_one(self, check: ShardCheck) -> ShardReport:
        """`check_shard` in this thread's child; an image that ends the child is found `undecodable`."""
        if not check.deep:
            return check_shard(check)  # nothing in it can take the process down
        while True:
            try:
                return isolation.call(check_shard, check, self._limits)
            except isolation.ChildDiedError as death:
                record = death.taken - 1
                if death.taken == death.done or record in check.blamed or len(check.blamed) >= _MOST_BLAMED:
                    message = f"the process that checked {check.shard.name} died ({death}); look at memory and disk, then run the same command again"
                    raise ResumableError(message) from death
                check = replace(check, blamed={**check.blamed, record: death.cause})


def _lost(dataset: Dataset) -> int:
    """What the manifest says was lost in repairs; 0 where it says nothing sensible, which is a finding of its own."""
    totals = {} if dataset.manifest is None else dataset.manifest["data"].get("totals")
    lost = totals.get("lost", 0) if isinstance(totals, dict) else 0
    return lost if isinstance(lost, int) else 0


def _repeat(dataset: Dataset, shard: int, record: int, first_shard: int, first_record: int) -> Finding:
    detail = f"it has the key of record {first_record} of {dataset.shards[first_shard].name}"
    return Finding(dataset.shards[shard].name, "duplicate_key", detail, record)
