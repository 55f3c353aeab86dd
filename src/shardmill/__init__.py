"""Turn piles of images into training-ready shards, prove them whole, and see what is in them."""

from __future__ import annotations

__version__ = "0.1.0"
