import pytest
from shardmill_futures import FuturesEngine

from shardmill.testing import EngineConformance


class TestFutures(EngineConformance):
    @pytest.fixture
    def engine(self) -> FuturesEngine:
        return FuturesEngine(workers=2)
