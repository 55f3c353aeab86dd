"""`shardmill model`: regressions of measured throughput, and what limits."""
