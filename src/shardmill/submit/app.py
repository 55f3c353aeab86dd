"""The command line of shardmill as a Spark application."""

from __future__ import annotations

import sys

from shardmill.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
