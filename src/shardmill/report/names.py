"""Ids of sections from the names of run folders."""

from __future__ import annotations

import re


def section_id(kind: str, name: str) -> str:
    """Letters, digits and dashes: `speedtest-monday-2`."""
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'run'}"
