"""`shardmill convert`."""
