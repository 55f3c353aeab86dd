"""`shardmill cluster ...`: one module a command."""
