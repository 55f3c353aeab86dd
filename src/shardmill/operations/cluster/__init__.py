"""`shardmill cluster ...`: clusters made, listed, used, measured and deleted by hand."""
