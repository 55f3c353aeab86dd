"""`shardmill report`: one page from any set of runs."""
