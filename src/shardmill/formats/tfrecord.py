"""TFRecord shards of tf.train.Example, readable by TensorFlow, tfds, DALI, PyTorch and Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from shardmill.formats.base import Damage, Placement, Sample
from shardmill.formats.example import ExampleError, FeatureValue, decode_example, encode_example
from shardmill.formats.features import to_sample
from shardmill.formats.frames import frames
from shardmill.formats.framing import OVERHEAD, frame_footer, frame_header

FeatureKeys = Literal["imagenet", "tfds"]


@dataclass(frozen=True, slots=True)
class TFRecordFormat:
    """Shards of framed tf.train.Example; the index has one line `offset length` a record, framing included."""

    keys: FeatureKeys = "imagenet"
    """Feature names: those of the ImageNet scripts (`image/encoded` ...) or those that tfds reads (`image` ...)."""
    suffix: str = ".tfrecord"
    index_suffix: str = ".idx"

    def writer(self, file: BinaryIO) -> TFRecordWriter:
        """A writer to `file`, which must take every write whole (as buffered files do)."""
        return TFRecordWriter(file, _FEATURES[self.keys])

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every record of a file from whatever writer, compressed or not; `formats.features` finds the fields.

        Kinds of damage: `length_crc`, `data_crc`, `truncated`, `too_large`, `bad_compression` of the framing (see
        `formats.frames`), `not_an_example` and `no_image` of a payload whose checksum agrees.
        """
        for number, frame in enumerate(frames(file)):
            if isinstance(frame, Damage):
                yield frame
                continue
            placement, payload = frame
            try:
                sample = to_sample(decode_example(payload))
            except ExampleError as error:
                yield Damage(number, placement.offset, "not_an_example", str(error))
                continue
            if sample is None:
                yield Damage(number, placement.offset, "no_image", "no feature of the record holds an image")
            else:
                yield placement, sample

    def index(self, placements: list[Placement]) -> bytes:
        """One line `offset length` a record, as DALI and the `tfrecord` package read them."""
        return "".join(f"{placement.offset} {placement.length}\n" for placement in placements).encode()


class TFRecordWriter:
    """Writes one shard, front to back."""

    def __init__(self, file: BinaryIO, features: Callable[[Sample], dict[str, FeatureValue]]) -> None:
        self._file = file
        self._features = features
        self._offset = 0
        self._placements: list[Placement] = []

    def add(self, sample: Sample) -> Placement:
        payload = encode_example(self._features(sample))
        write = self._file.write
        write(frame_header(len(payload)))
        write(payload)
        write(frame_footer(payload))
        placement = Placement(self._offset, len(payload) + OVERHEAD)
        self._offset += placement.length
        self._placements.append(placement)
        return placement

    def finish(self) -> bytes:
        return TFRecordFormat().index(self._placements)


def _imagenet_features(sample: Sample) -> dict[str, FeatureValue]:
    features: dict[str, FeatureValue] = {
        "image/channels": 3,
        "image/class/label": sample.label,
        "image/class/text": sample.text.encode(),
        "image/colorspace": b"RGB",
        "image/encoded": sample.image,
        "image/filename": sample.filename.encode(),
        "image/format": sample.image_format.encode(),
        "image/height": sample.height,
        "image/key": sample.key.encode(),
        "image/width": sample.width,
    }
    if sample.exif is not None:
        features["image/exif"] = sample.exif
    return features


def _tfds_features(sample: Sample) -> dict[str, FeatureValue]:
    return {
        "file_name": sample.filename.encode(),
        "image": sample.image,
        "key": sample.key.encode(),
        "label": sample.label,
    }


_FEATURES: Final[dict[FeatureKeys, Callable[[Sample], dict[str, FeatureValue]]]] = {
    "imagenet": _imagenet_features,
    "tfds": _tfds_features,
}
