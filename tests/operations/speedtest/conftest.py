from __future__ import annotations

from tests.speedtest.conftest import photos, shards

__all__ = ["photos", "shards"]
