"""What every contender is asked to do, and how what it did is checked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import simplejpeg

from shardmill.formats.base import Damage
from shardmill.formats.tfrecord import TFRecordFormat

SIDE: Final = 192
"""Width and height of the results, in pixels."""
QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Job:
    """Images in, shards out."""

    source: Path
    """A folder of class folders of JPEGs."""
    dest: Path
    """Does not exist yet."""
    shards: int
    cores: int

    def words(self) -> list[str]:
        """The command line that `from_words` reads."""
        return [str(self.source), str(self.dest), f"--shards={self.shards}", f"--cores={self.cores}"]

    @staticmethod
    def from_words(words: Sequence[str]) -> Job:
        parser = argparse.ArgumentParser()
        parser.add_argument("source", type=Path)
        parser.add_argument("dest", type=Path)
        parser.add_argument("--shards", type=int, required=True)
        parser.add_argument("--cores", type=int, required=True)
        return Job(**vars(parser.parse_args(words)))


def shard_path(job: Job, number: int) -> Path:
    """Where shard `number` ends up."""
    return job.dest / f"train-{number:05d}-of-{job.shards:05d}.tfrecord"


def publish(written: Path, final: Path) -> None:
    """A final name means a whole file, for the baselines too."""
    os.replace(written, final)  # noqa: PTH105


class WrongResultError(Exception):
    """A contender did not do the job, so its time means nothing."""


def check_shards(dest: Path, images: int, shards: int) -> None:
    """Read everything back.

    Raises:
        WrongResultError: not that many intact records of the right size, in that many shards.
    """
    paths = sorted(dest.glob("*.tfrecord"))
    if len(paths) != shards:
        raise WrongResultError(f"{len(paths)} shards in {dest} instead of {shards}")
    records = 0
    for path in paths:
        with path.open("rb") as file:
            for found in TFRecordFormat().read(file):
                if isinstance(found, Damage):
                    raise WrongResultError(f"{path}: {found.detail}")
                height, width, _, chroma = simplejpeg.decode_jpeg_header(found[1].image)
                if (height, width, chroma) != (SIDE, SIDE, "444"):
                    raise WrongResultError(f"{path} holds an image of {width}x{height}, {chroma}")
                records += 1
    if records != images:
        raise WrongResultError(f"{records} records in {dest} instead of {images}")
