"""What travels to a worker with each shard that it is to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shardmill.plan.cut import ShardTask
from shardmill.spec import PrepareSpec
from shardmill.storage import StorageSettings


@dataclass(frozen=True, slots=True)
class Job:
    """What all shards of a run have in common."""

    spec: PrepareSpec
    source_root: str
    dest: str
    plan: str
    """Digest of the plan."""
    fingerprint: str
    """Of the transform that the plan was made with."""
    classes: tuple[str, ...] = ()
    """Class names in label order, where the format puts them into shards."""
    staged: bool = False
    """The source's images were copied to DEST while they were listed."""
    retry: bool = False
    """Make shards that are committed once more, and take inputs that had failed as they are now."""
    fail_fast: bool = False
    item_timeout_s: float = 60.0
    memory_bytes: int = 4 << 30
    storage: StorageSettings = field(default_factory=StorageSettings)


@dataclass(frozen=True, slots=True)
class ShardCall:
    """A shard to make, and what earlier attempts have learnt."""

    job: Job
    task: ShardTask
    one_by_one: bool = False
    """Let no two images be in the transform at once, so that a crash can be blamed."""
    blamed: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Rows that must not be decoded, with the reason's code and sentence."""
