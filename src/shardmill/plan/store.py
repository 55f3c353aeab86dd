"""A plan on disk, below `_plan/` of DEST: taken once, then followed to the end whatever happens to the source."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shardmill.errors import DamageError, UsageError
from shardmill.plan.cut import ShardTask
from shardmill.spec import check_split_name
from shardmill.storage import Store, UnreadableError

PLAN: Final = "_plan/plan.json"
_VERSION: Final = 1
_PART: Final = re.compile(r"_plan/rows-\w+-\d+\.parquet")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first image is read."""

    spec: dict[str, Any]
    source: str
    """Where the images are read from, as asked for."""
    source_root: str
    """What relative uris in the rows are relative to."""
    fingerprint: str
    """Of the transform: versions and the pixels of a probe image."""
    rows_sha256: str
    """Of the listing with its splits, labels and order."""
    classes: tuple[str, ...]
    listed: dict[str, int]
    """Inputs of each split."""
    ignored: dict[str, int]
    """Files seen and not listed, by suffix."""
    repeats: int
    """Keys that were given a number."""
    tasks: tuple[ShardTask, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of what the bytes of the data set follow from; the place of the source is not part of it."""
        parts = [
            json.dumps(self.spec, sort_keys=True),
            self.fingerprint,
            self.rows_sha256,
            json.dumps([asdict(t) for t in self.tasks]),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def save(plan: Plan, store: Store) -> None:
    """Write `plan.json`, which makes the plan valid."""
    with store.publish(PLAN) as file:
        file.write(json.dumps({"version": _VERSION, **asdict(plan)}, indent=1).encode())


def load(store: Store) -> Plan | None:
    """The plan of a data set, or None where none was finished.

    Raises:
        DamageError: it cannot be understood.
    """
    if store.size(PLAN) is None:
        return None
    try:
        fields: Mapping[str, Any] = json.loads(store.read(PLAN))
        if fields["version"] != _VERSION:
            raise DamageError(
                f"{PLAN} has version {fields['version']}; this shardmill reads {_VERSION}. Use the version that wrote it."
            )
        tasks = tuple(ShardTask(**{**task, "groups": tuple(task["groups"])}) for task in fields["tasks"])
        for task in tasks:
            check_split_name(task.split)
            if not _PART.fullmatch(task.part):
                raise ValueError(f"{task.part!r} is no file of a plan")
        if "/" in (fields["spec"]["tfds_name"] or ""):
            raise ValueError("its tfds name is a path")
        known = {name: fields[name] for name in Plan.__dataclass_fields__ if name not in ("tasks", "classes")}
        return Plan(**known, tasks=tasks, classes=tuple(fields["classes"]))
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise DamageError(f"{PLAN} is damaged ({error}). Run again with --on-exists overwrite.") from error


def read_rows(task: ShardTask, store: Store) -> pa.Table:
    """The rows of one shard, in order.

    Raises:
        DamageError: they are not to be had.
    """
    try:
        with store.open(task.part) as file:
            return pq.ParquetFile(file).read_row_groups(list(range(*task.groups)))
    except (pa.ArrowException, OSError, UnreadableError) as error:
        raise DamageError(f"{task.part} is damaged ({error}). Run again with --on-exists overwrite.") from error


def rows_digest(tasks: list[ShardTask], store: Store) -> str:
    """SHA-256 over the plan's row files."""
    digest = hashlib.sha256()
    for part in sorted({task.part for task in tasks}):
        with store.open(part) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())  # type: ignore[arg-type]  # any binary file will do
    return digest.hexdigest()
