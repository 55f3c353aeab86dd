from shardmill.testing import StrategyConformance


class TestClimb(StrategyConformance):
    name = "climb"
