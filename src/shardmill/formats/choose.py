"""From a format's name and options to the format."""

from __future__ import annotations

from typing import cast

from shardmill.formats.base import Format, FormatFactory, FormatOptions
from shardmill.registry import FORMATS, load


def make_format(name: str, options: FormatOptions | None = None) -> Format:
    """The format called `name`, set up.

    Raises:
        UsageError: there is none, it cannot be loaded, or it has no such option.
    """
    factory = cast("FormatFactory", load(FORMATS, "format", name))
    return factory.from_options(options or FormatOptions())
