"""JPEG decoding that takes the decoder's warnings seriously."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from shardmill.image.base import Refused, SourceFacts
from shardmill.image.intake import jpeg_refusal

STRAY: Final = "stray_bytes"
"""The conversion that says: the stream held bytes that belong to nothing, and they were passed over."""

_STRAY_BYTES: Final = re.compile(r"extraneous bytes before marker 0xd[0-7]\b")


def decode(jpeg: bytes, facts: SourceFacts, **options: Any) -> tuple[NDArray[np.uint8], SourceFacts] | Refused:  # noqa: ANN401  # simplejpeg's
    """The pixels and the facts, or why there are none.

    Every warning of libjpeg-turbo refuses the image, but for stray bytes before a restart marker, where the stream takes up
    again by design; that is told as a conversion. Before any other marker they are what random damage looks like.

    Args:
        options: of `simplejpeg.decode_jpeg`; `buffer` keeps a header that lies from being believed.
    """
    try:
        return simplejpeg.decode_jpeg(jpeg, **options), facts
    except ValueError as error:
        if _STRAY_BYTES.search(str(error)) is None:
            return jpeg_refusal(error, facts)
    try:
        pixels = simplejpeg.decode_jpeg(jpeg, strict=False, **options)
    except ValueError as error:
        return jpeg_refusal(error, facts)
    return pixels, replace(facts, conversions=tuple(sorted({*facts.conversions, STRAY})))
