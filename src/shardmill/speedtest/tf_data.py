"""Reads with a `tf.data` pipeline, put together as its own guides advise: parallel where asked for, one batch ahead."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Final

from shardmill.errors import DamageError, ShardmillError, UsageError
from shardmill.formats.base import Damage
from shardmill.formats.example import decode_example
from shardmill.formats.features import find_image
from shardmill.formats.frames import frames
from shardmill.image.quiet_tensorflow import tf
from shardmill.machine import available_cores
from shardmill.speedtest.material import FileSet, Material, ShardSet, local_path, spread
from shardmill.speedtest.reader import Batch, Begin, ReaderOptions

_TRIED: Final = 64  # files of which one must decode before a pipeline without end is begun
_SIGNATURES: Final = {b"\x1f\x8b": "GZIP", b"\x78": "ZLIB"}


class TfDataReader:
    """See `Reader`.

    Decoding is `tf.io.decode_jpeg` for shards that `prepare` made, else `tf.io.decode_image`; resizing, where needed,
    a central crop and `tf.image.resize`, bilinear: what most training scripts do, and cheaper than what `prepare` does.
    """

    def __init__(self, material: Material, options: ReaderOptions) -> None:
        self._material, self._options = material, options
        self._start = tf.Variable(0, dtype=tf.int64)  # of the next window, so that one pipeline serves all of them

    def windows(self, batch_size: int, num_batches: int) -> Begin:
        """See `Reader`."""
        if self._options.decode and isinstance(self._material, FileSet):
            self._check_some_decode(self._material)
        try:
            with tf.device("/CPU:0"):
                images = self._encoded().map(
                    self._outcome, num_parallel_calls=self._options.parallel_reads, deterministic=True
                )
                if isinstance(self._material, FileSet):
                    images = images.ignore_errors()
                batches = images.batch(batch_size, drop_remainder=True).take(num_batches).prefetch(1)
        except tf.errors.OpError as error:
            raise self._explained(error) from error
        settings = tf.data.Options()
        settings.autotune.enabled = False  # it would change the pipeline while it is being timed
        # Reading blocks its thread: with one a core, more parallel reads than cores would not be parallel.
        settings.threading.private_threadpool_size = max(available_cores(), self._options.parallel_reads + 1)
        settings.deterministic = True
        return partial(self._window, batches.with_options(settings), batch_size * num_batches)

    def close(self) -> None:
        """See `Reader`."""

    def _window(self, batches: tf.data.Dataset, images: int, number: int) -> Generator[Batch, None, None]:
        material = self._material
        first = material.first_shard(number) if isinstance(material, ShardSet) else material.first_file(number, images)
        self._start.assign(first)
        try:
            for content, sizes in batches:
                yield Batch(int(sizes.shape[0]), int(sizes.numpy().sum()), content)
        except tf.errors.OpError as error:
            raise self._explained(error) from error

    def _encoded(self) -> tf.data.Dataset:
        """Encoded images without end, from the place that `self._start` names."""
        material, lanes = self._material, self._options.parallel_reads
        names = tf.constant([local_path(material.store, name) or _url(material, name) for name in material.all_files()])
        start = self._start

        def rolled(_: tf.Tensor) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(tf.roll(names, -start, 0)).repeat()

        files = tf.data.Dataset.from_tensors(0).flat_map(rolled)
        if isinstance(material, FileSet):
            return files.map(tf.io.read_file, num_parallel_calls=lanes, deterministic=True)
        compression, image_name = _looked_into(material)
        records = files.interleave(
            partial(tf.data.TFRecordDataset, compression_type=compression),
            cycle_length=lanes,
            block_length=1,
            **({"num_parallel_calls": lanes, "deterministic": True} if lanes > 1 else {}),
        )
        features = {image_name: tf.io.FixedLenFeature((), tf.string)}
        return records.map(
            lambda record: tf.io.parse_single_example(record, features)[image_name],
            num_parallel_calls=lanes,
            deterministic=True,
        )

    def _outcome(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.strings.length(encoded)
        if not self._options.decode:
            return encoded, size
        if isinstance(self._material, ShardSet) and self._material.dataset.manifest is not None:
            pixels = tf.io.decode_jpeg(encoded, channels=3)
        else:
            pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        target = self._material.size
        return (pixels if target is None else _resized(pixels, *target)), size

    def _check_some_decode(self, files: FileSet) -> None:
        """Files that do not decode are left out, and a pipeline that goes round for ever would do so for ever."""
        tried = spread(files.all_files(), _TRIED)
        for name in tried:
            try:
                self._outcome(tf.constant(files.store.read(name)))
            except tf.errors.OpError:
                continue
            return
        raise UsageError(f"tf.data decodes none of {len(tried)} files of {files.name}; leave the reader tf.data out.")

    def _explained(self, error: Exception) -> ShardmillError:
        name = self._material.name
        if isinstance(error, tf.errors.DataLossError | tf.errors.InvalidArgumentError):
            return DamageError(f"tf.data cannot read {name} ({_first_line(error)}); run shardmill verify on it.")
        return UsageError(f"tf.data cannot read {name}: {_first_line(error)}. Leave the reader tf.data out.")


def _resized(pixels: tf.Tensor, width: int, height: int) -> tf.Tensor:
    """The middle of the image in the target's proportions, brought to size."""
    shape = tf.shape(pixels)
    rows, columns = shape[0], shape[1]
    kept_rows = tf.minimum(rows, tf.maximum(columns * height // width, 1))
    kept_columns = tf.minimum(columns, tf.maximum(rows * width // height, 1))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    cropped = pixels[top : top + kept_rows, left : left + kept_columns]
    resized = tf.image.resize(cropped, (height, width))
    return tf.cast(tf.round(resized), tf.uint8)


def _looked_into(shards: ShardSet) -> tuple[str, str]:
    """Compression and name of the image's feature, by the first record."""
    first = shards.shards[0]
    with shards.store.open(first.name) as file:
        head = file.read(2)
    compression = next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), "")
    with shards.store.open(first.name) as file:
        record = next(frames(file), None)
    if record is None or isinstance(record, Damage):
        raise UsageError(f"{shards.name}: {first.name} begins with no good record; run shardmill verify on it.")
    name = find_image(decode_example(record[1]))
    if name is None:
        raise UsageError(f"{shards.name}: the records of {first.name} hold no image.")
    return compression, name


def _url(material: Material, name: str) -> str:
    return f"{material.store.root.rstrip('/')}/{name}"


def _first_line(error: Exception) -> str:
    text: Any = getattr(error, "message", None) or str(error)
    return (str(text).splitlines() or [type(error).__name__])[0].rstrip(".")
