import pytest
from shardmill_lines import LinesFormat

from shardmill.testing import FormatConformance


class TestLines(FormatConformance):
    @pytest.fixture
    def shard_format(self) -> LinesFormat:
        return LinesFormat()
