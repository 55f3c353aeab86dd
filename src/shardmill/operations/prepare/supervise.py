"""Makes a shard in a child process and lets no image take more than itself down."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shardmill import isolation
from shardmill.errors import ResumableError
from shardmill.operations.prepare.job import Job, ShardCall
from shardmill.operations.prepare.shard import MadeShard, load_transform, make_shard
from shardmill.plan.cut import ShardTask
from shardmill.spec import PrepareSpec

_MOST_BLAMED: Final = 100
_OTHER_DEATHS: Final = 3


def run_shard(job: Job, task: ShardTask) -> MadeShard:
    """`make_shard` in this thread's child, again after each death of it.

    An image is blamed when the child dies with it alone in the transform: it becomes a failed row, and the shard is made
    without it.

    Raises:
        ResumableError: the child keeps dying, and not of one image.
    """
    limits = isolation.Limits(job.item_timeout_s, job.memory_bytes)
    call = ShardCall(job, task)
    other_deaths = 0
    while True:
        try:
            return isolation.call(make_shard, call, limits)
        except isolation.ChildDiedError as death:
            if death.taken == death.done:
                other_deaths += 1
            elif not call.one_by_one:
                call = replace(call, one_by_one=True)
            else:
                call = replace(call, blamed={**call.blamed, death.taken - 1: (death.reason, death.cause)})
            if other_deaths >= _OTHER_DEATHS or len(call.blamed) > _MOST_BLAMED:
                what = f"{len(call.blamed)} images" if call.blamed else f"shard {task.number}"
                raise ResumableError(
                    f"the worker process died again and again at {what} ({death}); look at memory and at the disk, then run the same command again"
                ) from death


def get_ready(spec: PrepareSpec) -> None:
    """Start this thread's child and load what it needs for shards of `spec`, so that its first is not slow.

    Raises: as `run_shard`, of which the first shard of all would tell too.
    """
    isolation.call(load_transform, spec)
