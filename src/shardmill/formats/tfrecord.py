"""TFRecord shards of tf.train.Example, readable by TensorFlow, tfds, DALI, PyTorch and Spark."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from shardmill.errors import UsageError
from shardmill.formats.base import Compression, Damage, FeatureKeys, FormatOptions, Placement, Sample
from shardmill.formats.example import ExampleError, FeatureValue, decode_example, encode_example, find_bytes
from shardmill.formats.features import to_sample
from shardmill.formats.frames import frames
from shardmill.formats.framing import FOOTER, HEADER, OVERHEAD, frame_footer, frame_header, header_length, masked_crc
from shardmill.formats.inflate import is_compressed
from shardmill.formats.stream import ByteStream


@dataclass(frozen=True, slots=True)
class TFRecordFormat:
    """Shards of framed tf.train.Example; the index has one line `offset length` a record, framing included.

    Of compressed shards there is no index, since nothing in them can be skipped.
    """

    keys: FeatureKeys = "imagenet"
    """Feature names: those of the ImageNet scripts (`image/encoded` ...) or those that tfds reads (`image` ...)."""
    compression: Compression = "none"

    @property
    def suffix(self) -> str:
        return ".tfrecord.gz" if self.compression == "gzip" else ".tfrecord"

    @property
    def index_suffix(self) -> str:
        return "" if self.compression == "gzip" else ".idx"

    @property
    def random_access(self) -> bool:
        return self.compression == "none"

    @classmethod
    def from_options(cls, options: FormatOptions) -> TFRecordFormat:
        """Raises `UsageError` for options that TFRecords do not have."""
        if options.compression not in ("none", "gzip"):
            raise UsageError(
                f"--compression {options.compression} is not for tfrecord: its readers know gzip; give that, or none."
            )
        return cls(options.feature_keys, options.compression)

    def writer(self, file: BinaryIO) -> TFRecordWriter:
        """A writer to `file`, which must take every write whole (as buffered files do)."""
        return TFRecordWriter(file, _FEATURES[self.keys], compress=self.compression == "gzip")

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

    def locate(self, file: BinaryIO) -> list[Placement] | None:
        if is_compressed(file.read(HEADER.size)):
            return None
        size = file.seek(0, 2)
        placements: list[Placement] = []
        offset = 0
        while offset < size:
            file.seek(offset)
            header = file.read(HEADER.size)
            length = header_length(header) if len(header) == HEADER.size else None
            if length is None:  # what follows cannot be found this way; reading this place will tell what is wrong
                placements.append(Placement(offset, min(HEADER.size, size - offset)))
                break
            placements.append(Placement(offset, min(length + OVERHEAD, size - offset)))
            offset += length + OVERHEAD
        return placements

    def read_at(self, file: BinaryIO, placement: Placement) -> Sample | Damage:
        file.seek(0)
        if is_compressed(file.read(HEADER.size)):
            file.seek(0)
            stream = ByteStream(file)
            stream.skip(placement.offset)
            block = stream.read(placement.length)
        else:
            file.seek(placement.offset)
            block = file.read(placement.length)
        for record in self.read(BytesIO(block)):
            return record[1] if isinstance(record, tuple) else record
        return Damage(0, placement.offset, "truncated", "the file ends before the record")

    def image_in(self, record: bytes) -> bytes | memoryview | None:
        payload = record[HEADER.size : -FOOTER.size]
        if len(record) < OVERHEAD or FOOTER.unpack(record[-FOOTER.size :])[0] != masked_crc(payload):
            return None
        place = find_bytes(record, HEADER.size, _IMAGE_KEYS[self.keys])
        return None if place is None else memoryview(record)[slice(*place)]

    def index(self, file: BinaryIO) -> bytes:
        """One line `offset length` a record, as DALI and the `tfrecord` package read them."""
        return _index(frame[0] for frame in frames(file) if not isinstance(frame, Damage))

    def parse_index(self, content: bytes) -> list[Placement] | int:
        placements = []
        for number, line in enumerate(content.removesuffix(b"\n").split(b"\n") if content else []):
            words = line.split(b" ")
            if len(words) != 2 or not all(word.isdigit() for word in words):
                return number
            placements.append(Placement(int(words[0]), int(words[1])))
        return placements

    def salvage(self, source: BinaryIO, target: BinaryIO, bad: Collection[int]) -> tuple[int, int]:
        """Frames are copied as they are, into the same kind of compression."""
        kept = lost = 0
        head = source.read(HEADER.size)
        source.seek(0)
        out = _compressor(head, target)
        for frame in frames(source):
            if isinstance(frame, Damage) or frame[0].offset in bad:
                lost += 1
                continue
            kept += 1
            for part in (frame_header(len(frame[1])), frame[1], frame_footer(frame[1])):
                out.write(part)
        if out is not target:
            out.close()
        return kept, lost


def _index(placements: Iterable[Placement]) -> bytes:
    return "".join(f"{placement.offset} {placement.length}\n" for placement in placements).encode()


class TFRecordWriter:
    """Writes one shard, front to back."""

    def __init__(
        self, file: BinaryIO, features: Callable[[Sample], dict[str, FeatureValue]], *, compress: bool = False
    ) -> None:
        self._gzip = _gzip(file) if compress else None
        self._write = file.write if self._gzip is None else self._gzip.write
        self._features = features
        self._offset = 0
        self.placements: list[Placement] = []

    def add(self, sample: Sample) -> None:
        payload = encode_example(self._features(sample))
        write = self._write
        write(frame_header(len(payload)))
        write(payload)
        write(frame_footer(payload))
        placement = Placement(self._offset, len(payload) + OVERHEAD)
        self._offset += placement.length
        self.placements.append(placement)

    def finish(self) -> bytes:
        if self._gzip is not None:
            self._gzip.close()
            return b""
        return _index(self.placements)


def _gzip(file: BinaryIO) -> gzip.GzipFile:
    """A compressor to `file` whose bytes tell neither name nor time."""
    return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)


class _ZlibWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._deflate = file, zlib.compressobj()

    def write(self, part: bytes) -> int:
        return self._file.write(self._deflate.compress(part))

    def close(self) -> None:
        self._file.write(self._deflate.flush())


def _compressor(head: bytes, file: BinaryIO) -> BinaryIO | gzip.GzipFile | _ZlibWriter:
    """What writes to `file` with the compression that a file of this `head` has."""
    if not is_compressed(head):
        return file
    return _gzip(file) if head[:1] == b"\x1f" else _ZlibWriter(file)


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


_IMAGE_KEYS: Final[dict[FeatureKeys, bytes]] = {"imagenet": b"image/encoded", "tfds": b"image"}
_FEATURES: Final[dict[FeatureKeys, Callable[[Sample], dict[str, FeatureValue]]]] = {
    "imagenet": _imagenet_features,
    "tfds": _tfds_features,
}
