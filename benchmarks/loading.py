"""Epochs of decoded batches: `shardmill.open(...).batches` against `tf.data` on the same TFRecords and the same cores.

Each contender is a process of its own that stays; the rounds go A B C A B C. Every round is a whole shuffled epoch of batches of
64 images of 192x192 pixels, the page cache warm. Only ratios are meant to be quoted. What stops both is shown beside:
the decoders alone, fed from memory, and the share of an epoch that they take.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from inputs import copied, photographs, repeat
from numpy.typing import NDArray
from PIL import Image
from tables import spread, table

import shardmill
from shardmill.machine import available_cores, describe_machine

BATCH: Final = 64
SIDE: Final = 192
_COMPARED: Final = 200
"""Images whose pixels are compared with Pillow's."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to get batches, and how it decodes."""

    title: str
    dct: str
    epoch: Callable[[str, int], Callable[[], int]]
    """From the data set and the number of threads to a function that goes through one epoch and counts images."""
    pixels: Callable[[list[bytes]], Iterator[NDArray[np.uint8]]]


def native_epoch(dest: str, threads: int) -> Callable[[], int]:
    loader = shardmill.open(dest).batches(BATCH, num_threads=threads)
    return lambda: sum(len(batch) for batch in loader)


def native_decode(dest: str, threads: int) -> Callable[[], int]:
    """The decoder alone: encoded images from memory into one buffer a thread."""
    from concurrent.futures import ThreadPoolExecutor

    import simplejpeg

    images = shardmill.open(dest)
    encoded = [images.encoded(number) for number in range(len(images))]
    pool = ThreadPoolExecutor(threads)

    def every(first: int) -> int:
        buffer = np.empty((SIDE, SIDE, 3), np.uint8)
        for image in encoded[first::threads]:
            simplejpeg.decode_jpeg(image, "RGB", buffer=buffer)
        return len(encoded[first::threads])

    return lambda: sum(pool.map(every, range(threads)))


def native_pixels(images: list[bytes]) -> Iterator[NDArray[np.uint8]]:
    from shardmill.loading.decode import decode_ours

    return map(decode_ours, images)


def _tensorflow(threads: int) -> Any:  # noqa: ANN401  # the module
    from shardmill.image.quiet_tensorflow import tf

    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    return tf


def tensorflow_epoch(method: str, dest: str, threads: int) -> Callable[[], int]:
    """As the guide to performance of `tf.data` has it: parallel interleave, map and batch, prefetch, nothing kept in order."""
    tf = _tensorflow(threads)
    files = sorted(map(str, Path(dest).glob("*.tfrecord")))
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(record: Any) -> Any:  # noqa: ANN401  # tensors
        example = tf.io.parse_single_example(record, features)
        image = tf.io.decode_jpeg(example["image/encoded"], channels=3, dct_method=method)
        return tf.ensure_shape(image, (SIDE, SIDE, 3)), example["image/class/label"]

    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.deterministic = False
    dataset = (
        tf.data.Dataset.from_tensor_slices(files)
        .shuffle(len(files))
        .interleave(tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE)
        .shuffle(1024)
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(BATCH, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )
    return lambda: sum(int(labels.shape[0]) for _, labels in dataset)


def tensorflow_decode(method: str, dest: str, threads: int) -> Callable[[], int]:
    """The decoder alone: encoded images from memory, no batches."""
    tf = _tensorflow(threads)
    images = shardmill.open(dest)
    encoded = tf.constant([images.encoded(number) for number in range(len(images))])

    def last(image: Any) -> Any:  # noqa: ANN401  # tensors
        return tf.io.decode_jpeg(image, channels=3, dct_method=method)[0, 0, 0]

    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.deterministic = False
    dataset = (
        tf.data.Dataset.from_tensor_slices(encoded)
        .map(last, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(1024)
        .with_options(options)
    )
    return lambda: sum(int(batch.shape[0]) for batch in dataset)


def tensorflow_pixels(method: str, images: list[bytes]) -> Iterator[NDArray[np.uint8]]:
    tf = _tensorflow(available_cores())
    return (tf.io.decode_jpeg(image, channels=3, dct_method=method).numpy() for image in images)


def _with(method: str) -> tuple[Callable[[str, int], Callable[[], int]], Callable[[list[bytes]], Any]]:
    return (
        lambda dest, threads: tensorflow_epoch(method, dest, threads),
        lambda images: tensorflow_pixels(method, images),
    )


CONTENDERS: Final = {
    "native": Contender("shardmill", "accurate integer (JDCT_ISLOW)", native_epoch, native_pixels),
    "tf.data": Contender("tf.data", "accurate integer (INTEGER_ACCURATE)", *_with("INTEGER_ACCURATE")),
    "tf.data-fast": Contender("tf.data, fast DCT", "fast integer (INTEGER_FAST)", *_with("INTEGER_FAST")),
}
DECODERS: Final[dict[str, Callable[[str, int], Callable[[], int]]]] = {
    "native": native_decode,
    "tf.data": lambda dest, threads: tensorflow_decode("INTEGER_ACCURATE", dest, threads),
    "tf.data-fast": lambda dest, threads: tensorflow_decode("INTEGER_FAST", dest, threads),
}


class Side:
    """A process that goes through an epoch whenever it is told to."""

    def __init__(self, kind: str, name: str, dest: str, threads: int, stack: ExitStack) -> None:
        self.kind, self.name = kind, name
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, __file__, "--side", kind, name, dest, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
                text=True,
            )
        )
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def go(self, images: int) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("go", file=self._process.stdin, flush=True)
        said = json.loads(self._process.stdout.readline() or "{}")
        if said.get("images") != images:
            raise SystemExit(f"loading.py: {self.name} went through {said.get('images')} images of {images}")
        self.seconds.append(said["seconds"])
        self.cpu.append(said["cpu"])

    def microseconds(self, images: int) -> list[float]:
        """Of wall time, an image."""
        return [seconds / images * 1e6 for seconds in self.seconds]


def run_side(kind: str, name: str, dest: str, threads: int) -> None:
    """What the process of a `Side` does."""
    make = CONTENDERS[name].epoch if kind == "epoch" else DECODERS[name]
    epoch = make(dest, threads)
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        images = epoch()
        told = {"images": images, "seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        print(json.dumps(told), flush=True)


def fidelity(dest: str, name: str) -> float:
    """The worst PSNR against Pillow's pixels, in dB, over images spread over the set; infinite where all are equal."""
    images = shardmill.open(dest)
    encoded = [images.encoded(int(number)) for number in np.linspace(0, len(images) - 1, _COMPARED)]
    worst = float("inf")
    for jpeg, pixels in zip(encoded, CONTENDERS[name].pixels(encoded), strict=True):
        with Image.open(io.BytesIO(jpeg)) as opened:
            reference = np.asarray(opened.convert("RGB"), np.float64)
        error = float(np.mean((reference - pixels) ** 2))
        worst = min(worst, float("inf") if error == 0 else 10 * np.log10(255**2 / error))
    return worst


def measure(dest: str, images: int, rounds: int, threads: int) -> dict[str, dict[str, Side]]:
    """All sides, round by round; the first of each is a warm-up and left out."""
    with ExitStack() as stack:
        sides = [Side(kind, name, dest, threads, stack) for kind in ("epoch", "decode") for name in CONTENDERS]
        for number in range(rounds + 1):
            for side in sides:
                side.go(images)
                if number == 0:
                    side.seconds.clear()
                    side.cpu.clear()
    found: dict[str, dict[str, Side]] = {"epoch": {}, "decode": {}}
    for side in sides:
        found[side.kind][side.name] = side
    return found


def main() -> None:
    if "--side" in sys.argv:
        kind, name, place, cores = sys.argv[sys.argv.index("--side") + 1 :]
        run_side(kind, name, place, int(cores))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Folder of JPEG photographs.")
    parser.add_argument("--images", type=int, default=4_000, help="Images in the set. [4000]")
    parser.add_argument("--rounds", type=int, default=5, help="Epochs of each, after a warm-up. [5]")
    parser.add_argument("--work", type=Path, help="Folder for the set; by default a temporary one.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardmill-", dir=arguments.work) as scratch:
        originals = copied(photographs(arguments.photos), Path(scratch, "originals"))
        source = repeat(originals, Path(scratch, "source"), arguments.images)
        dest = str(Path(scratch, "set"))
        result = shardmill.prepare(str(source), dest, size=str(SIDE), num_shards="16", max_errors="1%")
        threads = available_cores()
        found = measure(dest, result.written, arguments.rounds, threads)
        decibels = {name: fidelity(dest, name) for name in CONTENDERS}
    report(found, decibels, result.written, threads)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures(found, decibels, result.written), indent=1))


def figures(found: dict[str, dict[str, Side]], decibels: dict[str, float], images: int) -> dict[str, Any]:
    """What was measured, for a file."""
    return {
        "machine": describe_machine(),
        "images": images,
        "worst_psnr_db": {name: str(value) for name, value in decibels.items()},
        **{
            kind: {name: {"seconds": side.seconds, "cpu_s": side.cpu} for name, side in sides.items()}
            for kind, sides in found.items()
        },
    }


def report(found: dict[str, dict[str, Side]], decibels: dict[str, float], images: int, threads: int) -> None:
    """Print the tables."""
    epochs, decoders = found["epoch"], found["decode"]
    print(
        f"{images:,} images of {SIDE}x{SIDE}, batches of {BATCH}, {threads} threads, {len(epochs['native'].seconds)} epochs each\n"
    )
    rows = []
    for name, contender in CONTENDERS.items():
        epoch, floor = epochs[name].microseconds(images), decoders[name].microseconds(images)
        share = statistics.median(floor) / statistics.median(epoch)
        processor = statistics.median(epochs[name].cpu) / images * 1e6
        quality = "equal" if decibels[name] == float("inf") else f"{decibels[name]:.1f}"
        rows.append(
            (
                contender.title,
                contender.dct,
                spread(epoch, 0),
                f"{processor:.0f}",
                spread(floor, 0),
                f"{share:.0%}",
                quality,
            )
        )
    head = ("", "DCT", "µs an image", "of processor", "decoder alone", "its share", "PSNR, dB")
    print(table(head, rows), end="\n\n")
    compared = []
    for name in list(CONTENDERS)[1:]:
        pairs = ((epochs, "seconds"), (epochs, "cpu"), (decoders, "seconds"))
        ratios = [
            [
                theirs / ours
                for theirs, ours in zip(getattr(sides[name], what), getattr(sides["native"], what), strict=True)
            ]
            for sides, what in pairs
        ]
        compared.append((f"{CONTENDERS[name].title} / shardmill", *(spread(values, 2) for values in ratios)))
    print(table(("times as much", "time of an epoch", "of processor", "time of the decoder alone"), compared))


if __name__ == "__main__":
    main()
