"""A transform that kills its process, hangs or eats memory when the image says so; in all else the native one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator

from shardmill.image.base import ImageSpec, Outcome
from shardmill.image.native import NativeTransform

CRASH, HANG, EAT = b"crash here", b"hang here", b"eat memory here"


class CrashingTransform:
    def __init__(self, spec: ImageSpec) -> None:
        self._inner = NativeTransform(spec)

    def fingerprint(self) -> str:
        return self._inner.fingerprint()

    def run(self, images: Iterable[bytes]) -> Iterator[Outcome]:
        return self._inner.run(self._endanger(image) for image in images)

    def _endanger(self, image: bytes) -> bytes:
        if image.endswith(CRASH):
            os.kill(os.getpid(), signal.SIGSEGV)
        if image.endswith(HANG):
            time.sleep(600)
        if image.endswith(EAT):
            hoard = [b"x" * (32 << 20) for _ in range(40)]
            time.sleep(600)
            del hoard
        return image
