"""The transform that people know: a `tf.data` pipeline of decode, resize, crop and recompress.

What TensorFlow does not read right (CMYK, profiles, deep, palette, alpha and whatever is no JPEG) reaches it as pixels
from `normalise`. What it reads in silence though damaged is refused before it gets there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shardmill.errors import UsageError
from shardmill.image.base import Encoded, ImageSpec, Outcome, Refused, SourceFacts
from shardmill.image.fingerprint import transform_fingerprint
from shardmill.image.intake import Intake, may_pass_through, take_in
from shardmill.image.libjpeg import decode
from shardmill.image.native import NativeTransform
from shardmill.image.normalise import normalise
from shardmill.image.orientation import stored_box, swaps_sides
from shardmill.image.profile import changes
from shardmill.image.quiet_tensorflow import tf
from shardmill.image.sums import sums_of


@dataclass(frozen=True, slots=True)
class _Entry:
    """One image on its way into the pipeline: a JPEG for TensorFlow to decode, or pixels."""

    intake: Intake
    facts: SourceFacts
    jpeg: bytes = b""
    pixels: NDArray[np.uint8] | None = None

    @property
    def weight(self) -> int:
        """Bytes of its decoded pixels."""
        return self.intake.stored_width * self.intake.stored_height * 3

    def tensors(self) -> tuple[Any, ...]:
        """As `_SIGNATURE` says."""
        geometry, orientation = self.intake.geometry, self.intake.orientation
        size = (geometry.content_height, geometry.content_width)
        return (
            self.jpeg,
            np.empty((0, 0, 3), np.uint8) if self.pixels is None else self.pixels,
            stored_box(geometry.crop, orientation, *self.intake.upright_size),
            geometry.resized,
            size[::-1] if swaps_sides(orientation) else size,
            orientation,
            (
                (geometry.top, geometry.height - geometry.top - geometry.content_height),
                (geometry.left, geometry.width - geometry.left - geometry.content_width),
                (0, 0),
            ),
        )


_SIGNATURE: Final = (
    tf.TensorSpec((), tf.string),  # JPEG, empty where there are pixels
    tf.TensorSpec((None, None, 3), tf.uint8),
    tf.TensorSpec((4,), tf.float64),  # left, top, right, bottom of the crop in stored pixels
    tf.TensorSpec((), tf.bool),  # resized
    tf.TensorSpec((2,), tf.int32),  # height and width of the content as stored
    tf.TensorSpec((), tf.int32),  # orientation to apply
    tf.TensorSpec((3, 2), tf.int32),  # border before and behind, per axis
)


class TensorFlowTransform:
    """Decodes, resizes (Lanczos, antialiased) and encodes in TensorFlow, several images at once.

    Reads ahead up to `window` images or, if that comes first, `window_bytes` of decoded pixels.

    Args:
        spec: What becomes of each image; TensorFlow cannot write chroma 422.
        threads: Images decoded at the same time.
        window: Images read ahead, at least 1.
        window_bytes: Bytes of decoded pixels read ahead; one image is taken whatever its size.

    Raises:
        UsageError: `spec` asks for chroma 422.
    """

    def __init__(self, spec: ImageSpec, threads: int = 2, window: int = 32, window_bytes: int = 128 * 2**20) -> None:
        if spec.chroma == "422":
            raise UsageError("TensorFlow cannot write chroma 422; choose 444 or 420, or the native transform")
        self._spec = spec
        self._threads = threads
        self._window = window
        self._window_bytes = window_bytes
        self._native = NativeTransform(spec)

    def fingerprint(self) -> str:
        """See `Transform`."""
        return transform_fingerprint("tensorflow", TensorFlowTransform, {"tensorflow": tf.__version__})

    def run(self, images: Iterable[bytes]) -> Iterator[Outcome]:
        """See `Transform`. `images` is pulled from in the caller's own thread."""
        feed: SimpleQueue[_Entry | None] = SimpleQueue()
        ahead: deque[_Entry | Refused | Encoded] = deque()  # in order; only entries are also in the pipeline
        weight = 0
        source = iter(images)
        exhausted = False
        results = iter(self._pipeline(feed))
        try:
            while True:
                while not exhausted and len(ahead) < self._window and weight < self._window_bytes:
                    image = next(source, None)
                    if image is None:
                        exhausted = True
                        break
                    prepared = self._prepared(image)
                    ahead.append(prepared)
                    if isinstance(prepared, _Entry):
                        weight += prepared.weight
                        feed.put(prepared)
                if not ahead:
                    return
                first = ahead.popleft()
                if isinstance(first, _Entry):
                    weight -= first.weight
                    yield self._collected(first, results)
                else:
                    yield first
        finally:
            feed.put(None)  # lets the pipeline's thread end, also when the caller stops early

    def _prepared(self, image: bytes) -> _Entry | Refused | Encoded:
        intake = take_in(image, self._spec)
        if isinstance(intake, Refused):
            return intake
        jpeg = intake.jpeg
        if may_pass_through(intake, self._spec):
            (kept,) = self._native.run([image])
            assert not isinstance(kept, Refused) or kept.status == "failed"
            return kept
        if jpeg is not None and jpeg.plain and not (intake.icc and changes(intake.icc, gray=jpeg.components == 1)):
            clean = intake.clean(image)
            checked = _strictly_checked(clean, intake)
            return checked if isinstance(checked, Refused) else _Entry(intake, checked, jpeg=clean)
        normalised = normalise(image, intake, self._spec)
        if isinstance(normalised, Refused):
            return normalised
        return _Entry(intake, normalised.facts, pixels=normalised.pixels)

    def _collected(self, entry: _Entry, results: Iterator[tuple[tf.Tensor, tf.Tensor]]) -> Outcome:
        try:
            jpeg, sampled = next(results)
        except tf.errors.InvalidArgumentError:
            return Refused("failed", "corrupt", "TensorFlow cannot decode it", entry.facts)
        geometry = entry.intake.geometry
        return Encoded(
            jpeg=jpeg.numpy(),
            width=geometry.width,
            height=geometry.height,
            source=entry.facts,
            crop=geometry.crop,
            sums=sums_of(sampled.numpy()),
            exif=entry.intake.exif if self._spec.keep_exif else None,
        )

    def _pipeline(self, feed: SimpleQueue[_Entry | None]) -> tf.data.Dataset:
        def entries() -> Iterator[tuple[Any, ...]]:
            while (entry := feed.get()) is not None:
                yield entry.tensors()

        with tf.device("/CPU:0"):
            dataset = tf.data.Dataset.from_generator(entries, output_signature=_SIGNATURE)
            dataset = dataset.map(self._transformed, num_parallel_calls=self._threads, deterministic=True).prefetch(2)
        options = tf.data.Options()
        options.autotune.enabled = False
        options.threading.private_threadpool_size = self._threads + 2  # one waits for the feed
        options.threading.max_intra_op_parallelism = 1
        return dataset.with_options(options)

    def _transformed(
        self,
        jpeg: tf.Tensor,
        pixels: tf.Tensor,
        box: tf.Tensor,
        resized: tf.Tensor,
        size: tf.Tensor,
        orientation: tf.Tensor,
        border: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The graph for one image: the JPEG, and every fourth row and column of what went into it."""
        stored = tf.cond(
            tf.strings.length(jpeg) > 0,
            lambda: tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: pixels,
        )
        content = tf.cond(resized, lambda: _resized(stored, box, size), lambda: _cropped(stored, box))
        content = tf.cond(orientation >= 5, lambda: tf.transpose(content, (1, 0, 2)), lambda: content)
        content = _reversed_if(content, orientation, (2, 3, 6, 7), axis=1)
        content = _reversed_if(content, orientation, (3, 4, 7, 8), axis=0)
        background = tf.constant(self._spec.background, tf.int32)
        result = tf.cast(tf.pad(tf.cast(content, tf.int32) - background, border) + background, tf.uint8)
        encoded = tf.io.encode_jpeg(
            result, format="rgb", quality=self._spec.quality, chroma_downsampling=self._spec.chroma == "420"
        )
        return encoded, result[::4, ::4]


def _strictly_checked(jpeg: bytes, intake: Intake) -> SourceFacts | Refused:
    """TensorFlow decodes streams that are damaged midway; the entropy decoding of an eighth-size decode finds those."""
    height, width = -(-intake.stored_height // 8), -(-intake.stored_width // 8)
    decoded = decode(jpeg, intake.facts, min_height=1, min_width=1, buffer=bytearray(height * width * 3))
    return decoded if isinstance(decoded, Refused) else decoded[1]


def _resized(stored: tf.Tensor, box: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The op behind `tf.image.resize(..., "lanczos3", antialias=True)`, which itself takes no fractional crop box."""
    scale = tf.cast(size, tf.float64) / tf.stack((box[3] - box[1], box[2] - box[0]))
    shifted = -scale * tf.stack((box[1], box[0]))
    values = tf.raw_ops.ScaleAndTranslate(
        images=stored[None],
        size=size,
        scale=tf.cast(scale, tf.float32),
        translation=tf.cast(shifted, tf.float32),
        kernel_type="lanczos3",
        antialias=True,
    )[0]
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


def _cropped(stored: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    left, top, right, bottom = tf.unstack(tf.cast(box, tf.int32))
    return stored[top:bottom, left:right]


def _reversed_if(content: tf.Tensor, orientation: tf.Tensor, orientations: tuple[int, ...], axis: int) -> tf.Tensor:
    chosen = tf.reduce_any(tf.equal(orientation, orientations))
    return tf.cond(chosen, lambda: tf.reverse(content, (axis,)), lambda: content)
