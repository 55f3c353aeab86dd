"""`shardmill sweep`: one job over cluster shapes, with time, use and cost of each side by side."""
