"""`python -m shardmill`."""

import sys

from shardmill.cli.main import main

sys.exit(main())
