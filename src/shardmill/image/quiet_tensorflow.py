"""TensorFlow, imported on the CPU and without what it prints at its start. Use `tf` from here.

Where the process has imported TensorFlow before, it is someone else's: nothing about it is changed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDERR: Final = 2
_NOISE: Final = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} .* cud\w+\.cc:\d+\] |\s*$"
)


@contextmanager
def _stderr_without(noise: re.Pattern[bytes]) -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and at the end write the lines that are no `noise` after all.

    TensorFlow's libraries print before their own log level applies (seen with 2.21), so that nothing less will do.
    """
    sys.stderr.flush()
    original = os.dup(_STDERR)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, _STDERR)
            held.seek(0)
            for line in held:
                if not noise.match(line):
                    os.write(original, line)
            os.close(original)


if "tensorflow" in sys.modules:
    import tensorflow as tf
else:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, during the import
    # Its other kernels depend on the kind of processor, to the last digit of a sum, and say so on stderr with AVX-512.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with _stderr_without(_NOISE):
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # one process a core: none may take the whole device

__all__ = ["tf"]
