"""What a misspelt name was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """` (did you mean 'workers'?)`, or nothing where no name is close."""
    close = difflib.get_close_matches(name.lower(), sorted(allowed), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
