"""What Spark forks its Python workers from on this machine: pyspark's own daemon, with less to do for each task.

Before a task, a worker lets Python forget what it knows of the places it imports from, and reads the directories of the
archives among them anew: 0.1 s for those that Spark brings along. After it, all objects are looked at for garbage.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Serve as `python -m pyspark.daemon` does."""
    _leave_out_archives()
    from pyspark.daemon import manager  # only now: in an archive it is not compiled

    from shardmill import isolation
    from shardmill.engines.spark_session import PRELOAD_VARIABLE

    if name := os.environ.get(PRELOAD_VARIABLE):
        with suppress(ImportError):  # the task that needs it tells
            import_module(name)
        isolation.fork_children()
    gc.collect()
    gc.freeze()
    manager()


def _leave_out_archives() -> None:
    """Import from folders only, if pyspark is in one of them."""
    before = list(sys.path)
    sys.path[:] = [path for path in before if Path(path).suffix not in (".jar", ".zip")]
    sys.path_importer_cache.clear()
    if find_spec("pyspark") is None:
        sys.path[:] = before


if __name__ == "__main__":
    main()
