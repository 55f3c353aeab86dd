"""What every format, engine and search strategy must do, as tests: subclass one in the tests of your own. Needs pytest.

These are the suites that shardmill's own plug-ins pass.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(  # so that a failed assert shows its values
    "shardmill.testing.engines", "shardmill.testing.formats", "shardmill.testing.search"
)

from shardmill.testing.engines import EngineConformance  # behind the line above, or it comes too late
from shardmill.testing.formats import FormatConformance, RecordWiseConformance
from shardmill.testing.search import StrategyConformance

__all__ = ["EngineConformance", "FormatConformance", "RecordWiseConformance", "StrategyConformance"]
