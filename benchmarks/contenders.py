"""Those who are timed. As a script: one of them does one job, in this process. `contenders.py NAME SOURCE DEST ...`"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, Literal

from jobs import QUALITY, SIDE, Job


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the job."""

    title: str
    target: str
    """`module:function`, imported in the contender's own process only."""
    ours: bool = False
    slow: bool = False
    """Gets `--slow-files` files."""
    environment: Mapping[str, str] = field(default_factory=dict)


_ONE_THREAD: Final = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

CONTENDERS: Final[Mapping[str, Contender]] = {
    "tf.data": Contender("tf.data, as usual", "with_tensorflow:write_as_usual"),
    "tf.data-best": Contender("tf.data, at its best", "with_tensorflow:write_at_best"),
    "spark+tf-plain": Contender("Spark + TensorFlow, image by image", "with_spark:write_plainly", slow=True),
    "spark+tf": Contender(
        "Spark + TensorFlow, image by image, at its best",
        "with_spark:write_one_by_one",
        slow=True,
        environment=_ONE_THREAD,
    ),
    "spark+tf.data": Contender("Spark + tf.data in each partition", "with_spark:write_with_pipelines"),
    "native": Contender("shardmill, native, local", "contenders:write_native", ours=True),
    "native-spark": Contender("shardmill, native, Spark", "contenders:write_native_on_spark", ours=True),
    "tensorflow": Contender("shardmill, tensorflow, local", "contenders:write_tensorflow", ours=True),
}


def write_native(job: Job) -> None:
    _prepare(job, "native", "local")


def write_native_on_spark(job: Job) -> None:
    _prepare(job, "native", "spark")


def write_tensorflow(job: Job) -> None:
    _prepare(job, "tensorflow", "local")


def _prepare(job: Job, transform: Literal["native", "tensorflow"], engine: Literal["local", "spark"]) -> None:
    from shardmill.operations.prepare.run import prepare

    prepare(
        str(job.source),
        str(job.dest),
        size=str(SIDE),
        quality=QUALITY,
        chroma="444",
        transform=transform,
        num_shards=str(job.shards),
        engine=engine,
        workers=job.cores if engine == "local" else None,
        master=f"local[{job.cores}]" if engine == "spark" else None,
        max_errors="0",
    )


if __name__ == "__main__":
    module, _, function = CONTENDERS[sys.argv[1]].target.partition(":")
    getattr(import_module(module), function)(Job.from_words(sys.argv[2:]))
