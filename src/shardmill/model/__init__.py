"""Models of measured throughput: regressions with honest intervals, and what limits. Pure numerics: no files, no printing."""
