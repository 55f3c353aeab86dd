"""The path that people write with TensorFlow, at its best: shared by the baselines, and the whole of one of them.

Choices that were tried, and the faster kept: cropping within the decoder and resizing the square, instead of resizing
all and cropping then; records built in Python while the pipeline's threads work, instead of in `tf.py_function`; handing
the results over in batches, which saves most of the iterator's cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from jobs import QUALITY, SIDE, Job, publish, shard_path

from shardmill.plan.cut import shard_rows

_HANDED_OVER: Final = 32


def transformed(jpeg: tf.Tensor) -> tf.Tensor:
    """The centre square of a JPEG at the target size, uint8; bilinear without antialiasing, TensorFlow's default."""
    size = tf.io.extract_jpeg_shape(jpeg)[:2]
    side = tf.reduce_min(size)
    window = tf.concat([(size - side) // 2, [side, side]], axis=0)
    square = tf.io.decode_and_crop_jpeg(jpeg, window, channels=3)
    return tf.cast(tf.round(tf.image.resize(square, (SIDE, SIDE))), tf.uint8)


def encoded(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The path and its image as a JPEG of the target size."""
    pixels = transformed(tf.io.read_file(path))
    return path, tf.io.encode_jpeg(pixels, quality=QUALITY, chroma_downsampling=False)


def pipeline(paths: tf.data.Dataset, parallel: int = tf.data.AUTOTUNE) -> Iterator[tuple[bytes, bytes]]:
    """`(path, JPEG)` of each path, in any order."""
    dataset = paths.map(encoded, num_parallel_calls=parallel, deterministic=False)
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


def write_with_tf_data(job: Job) -> None:
    """One process, autotuned: shards are filled one after another."""
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
