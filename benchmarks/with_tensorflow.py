"""The path that people write with TensorFlow: shared by the baselines, and the whole of two of them.

`usual` is what tutorials show. `best` crops within the decoder, resizes the square only, and hands its results over in
batches, which saves most of the iterator's cost: nothing faster was found that uses TensorFlow alone. Both build their
records in Python while the pipeline's threads work, which beats `tf.py_function`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from jobs import QUALITY, SIDE, Job, publish, shard_path

from shardmill.plan.cut import shard_rows

Transform = Callable[[tf.Tensor], tf.Tensor]
"""A JPEG to the pixels of the result, uint8; resized bilinearly without antialiasing, TensorFlow's default."""

_HANDED_OVER: Final = 8


def usual(jpeg: tf.Tensor) -> tf.Tensor:
    """The shorter side to the target, then the middle of it."""
    image = tf.io.decode_jpeg(jpeg, channels=3)
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    scaled = tf.cast(tf.round(size * SIDE / tf.reduce_min(size)), tf.int32)
    resized = tf.image.resize(image, scaled)
    return tf.cast(tf.round(tf.image.resize_with_crop_or_pad(resized, SIDE, SIDE)), tf.uint8)


def best(jpeg: tf.Tensor) -> tf.Tensor:
    """The middle square, then to the target; what lies outside it is not decoded to pixels."""
    size = tf.io.extract_jpeg_shape(jpeg)[:2]
    side = tf.reduce_min(size)
    window = tf.concat([(size - side) // 2, [side, side]], axis=0)
    square = tf.io.decode_and_crop_jpeg(jpeg, window, channels=3)
    return tf.cast(tf.round(tf.image.resize(square, (SIDE, SIDE))), tf.uint8)


def encoded(transform: Transform, path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The path and its image as a JPEG of the target size."""
    pixels = transform(tf.io.read_file(path))
    return path, tf.io.encode_jpeg(pixels, quality=QUALITY, chroma_downsampling=False)


def usual_pipeline(paths: tf.data.Dataset) -> Iterator[tuple[bytes, bytes]]:
    """`(path, JPEG)` of each path, in any order."""
    dataset = paths.map(partial(encoded, usual), num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    yield from dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def best_pipeline(paths: tf.data.Dataset) -> Iterator[tuple[bytes, bytes]]:
    """`(path, JPEG)` of each path, in any order."""
    dataset = paths.map(partial(encoded, best), num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    dataset = dataset.batch(_HANDED_OVER).prefetch(tf.data.AUTOTUNE)
    for batch_of_paths, batch_of_jpegs in dataset.as_numpy_iterator():
        yield from zip(batch_of_paths, batch_of_jpegs, strict=True)


def record(path: bytes, jpeg: bytes, labels: dict[bytes, int]) -> bytes:
    """A serialized Example of the features that shardmill writes."""
    folder, name = path.rsplit(b"/", 2)[1:]
    features = {
        "image/channels": _ints(3),
        "image/class/label": _ints(labels[folder]),
        "image/class/text": _bytes(folder),
        "image/colorspace": _bytes(b"RGB"),
        "image/encoded": _bytes(jpeg),
        "image/filename": _bytes(name),
        "image/format": _bytes(b"JPEG"),
        "image/height": _ints(SIDE),
        "image/key": _bytes(folder + b"/" + name),
        "image/width": _ints(SIDE),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    serialized: bytes = example.SerializeToString()
    return serialized


def _bytes(value: bytes) -> Any:  # noqa: ANN401  # a protobuf message
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(value: int) -> Any:  # noqa: ANN401  # a protobuf message
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def class_labels(source: Path) -> dict[bytes, int]:
    """Class folders in order, numbered from 0."""
    return {name.encode(): label for label, name in enumerate(sorted(folder.name for folder in source.iterdir()))}


def write_as_usual(job: Job) -> None:
    _write(job, usual_pipeline)


def write_at_best(job: Job) -> None:
    _write(job, best_pipeline)


def _write(job: Job, pipeline: Callable[[tf.data.Dataset], Iterator[tuple[bytes, bytes]]]) -> None:
    """One process, autotuned; shards are filled one after another."""
    labels = class_labels(job.source)
    paths = tf.data.Dataset.list_files(f"{job.source}/*/*.jpg", shuffle=True, seed=0)
    results = pipeline(paths)
    job.dest.mkdir(parents=True)
    for shard, images in enumerate(shard_rows(int(paths.cardinality()), job.shards)):
        final = shard_path(job, shard)
        part = final.with_suffix(".part")
        with tf.io.TFRecordWriter(str(part)) as writer:
            for path, jpeg in islice(results, images):
                writer.write(record(path, jpeg, labels))
        publish(part, final)
