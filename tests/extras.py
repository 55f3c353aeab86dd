"""Packages that some tests need and a bare installation lacks."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import pytest


def needed(name: str) -> Any:
    """The module `name`. Its absence fails the test, so that a suite without an extra cannot pass for a whole one.

    Skipped instead where `SHARDMILL_TESTS_WITHOUT`, a list with commas, names its package: the way to test the core
    without the extras, or with versions that some packages do not support.
    """
    package = name.partition(".")[0]
    if package in os.environ.get("SHARDMILL_TESTS_WITHOUT", "").split(","):
        pytest.skip(f"SHARDMILL_TESTS_WITHOUT names {package}", allow_module_level=True)
    return import_module(name)
