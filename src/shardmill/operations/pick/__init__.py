"""`shardmill pick` and `shardmill bench-pick`: the right cluster shape in few trial runs."""
