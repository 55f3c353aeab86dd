"""What all workers of a run must have in common."""

from __future__ import annotations

import zlib
from functools import lru_cache
from importlib.metadata import version

from shardmill import registry
from shardmill.image.base import ImageSpec, Transform


@lru_cache(maxsize=2)
def transform_and_fingerprint(
    name: str, spec: ImageSpec, compression: str = "none", shard_format: str = "tfrecord"
) -> tuple[Transform, str]:
    """The transform called `name`, and what decides bytes here: its own fingerprint, and `codec_versions`.

    Raises:
        UsageError: the transform is not installed, or cannot do what `spec` asks.
    """
    transform: Transform = registry.load(registry.TRANSFORMS, "transform", name)(spec)
    return transform, transform.fingerprint() + codec_versions(compression, shard_format)


def codec_versions(compression: str, shard_format: str) -> str:
    """Versions of who writes tables, who compresses, and whose the format is, since bytes may change with them."""
    zipped = f" zlib {zlib.ZLIB_RUNTIME_VERSION}" if compression == "gzip" else ""
    package = registry.maker(registry.FORMATS, "format", shard_format)
    return f" pyarrow {version('pyarrow')}{zipped}" + (f" {package}" if package else "")
