"""What people write with Spark and TensorFlow: a list of paths, `mapPartitionsWithIndex`, a shard a partition."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pyspark
from jobs import Job, publish, shard_path
from pyspark.sql import SparkSession

from shardmill.java import find_java

Records = Callable[[list[str]], Iterator[tuple[bytes, bytes]]]
"""Paths to `(path, JPEG)`."""


def write_plainly(job: Job) -> None:
    """TensorFlow called for each image in turn, with the operations of tutorials: decoded whole, resized, then cropped."""
    _run(job, _plainly)


def write_one_by_one(job: Job) -> None:
    """TensorFlow called for each image in turn, with the operations of `tf.data` at its best."""
    _run(job, _one_by_one)


def write_with_pipelines(job: Job) -> None:
    """A `tf.data` pipeline in each partition."""
    _run(job, _pipelined)


def _plainly(paths: list[str]) -> Iterator[tuple[bytes, bytes]]:
    from with_tensorflow import encoded, usual  # in the Python worker: the driver needs no TensorFlow

    for path in paths:
        yield path.encode(), encoded(usual, path)[1].numpy()


def _one_by_one(paths: list[str]) -> Iterator[tuple[bytes, bytes]]:
    from with_tensorflow import best, encoded

    for path in paths:
        yield path.encode(), encoded(best, path)[1].numpy()


def _pipelined(paths: list[str]) -> Iterator[tuple[bytes, bytes]]:
    import tensorflow as tf
    from with_tensorflow import best_pipeline

    return best_pipeline(tf.data.Dataset.from_tensor_slices(paths))


def _run(job: Job, records: Records) -> None:
    os.environ["JAVA_HOME"] = str(find_java(pyspark.__version__).home)
    paths = [str(path) for path in job.source.glob("*/*.jpg")]
    random.Random(0).shuffle(paths)
    job.dest.mkdir(parents=True)
    builder = SparkSession.builder.master(f"local[{job.cores}]").appName("baseline")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    rdd = session.sparkContext.parallelize(paths, job.shards)
    rdd.mapPartitionsWithIndex(partial(_write_shard, job, records)).collect()
    session.stop()


def _write_shard(job: Job, records: Records, partition: int, paths: Iterable[str]) -> Iterator[int]:
    import tensorflow as tf
    from with_tensorflow import class_labels, record

    labels = class_labels(job.source)
    final = shard_path(job, partition)
    part = final.with_suffix(".part")
    count = 0
    with tf.io.TFRecordWriter(str(part)) as writer:
        for path, jpeg in records(list(paths)):
            writer.write(record(path, jpeg, labels))
            count += 1
    publish(part, final)
    yield count
