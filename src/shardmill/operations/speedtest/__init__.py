"""`shardmill speedtest`: how fast a data set is read."""
