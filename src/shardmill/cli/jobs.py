"""Commands that run as jobs elsewhere: looked at here before a machine is paid for."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from shardmill.errors import UsageError

JOB_COMMANDS: Final = ("prepare", "verify", "convert", "speedtest", "show", "doctor")
"""What can run on a cluster."""


def check_words(words: Sequence[str]) -> None:
    """See that `words` are a command line of shardmill that a cluster can run.

    Raises:
        UsageError: they are not.
    """
    if not words or words[0] not in JOB_COMMANDS:
        raise UsageError(
            f"{' '.join(words[:1]) or 'nothing'} is no command for a cluster; choose one of: {', '.join(JOB_COMMANDS)}"
        )
    module = import_module(f"shardmill.cli.{words[0]}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            module.COMMAND.parse([word for word in words[1:] if word != "--json"])
    except SystemExit as error:
        reason = said.getvalue().strip().partition(": ")[2] or "it asks for help"
        raise UsageError(f"the job `{' '.join(words)}` cannot be read: {reason}") from error


def tell(line: str) -> None:
    """A line about a step, on stderr."""
    print(line, file=sys.stderr, flush=True)
