"""How a command of shardmill runs as a job, and how its result comes home.

The application `shardmill.submit.job` runs the command with `--json` and publishes what it printed as `result.json` in a
folder or under a URL that both sides can reach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import shardmill
from shardmill.storage.open import open_store

RESULT: Final = "result.json"


def command_app() -> Path:
    """The script that a cluster runs for a command; it imports nothing but shardmill."""
    return Path(shardmill.__file__).parent / "submit" / "job.py"


def job_arguments(result_folder: str, words: Sequence[str]) -> list[str]:
    """The arguments of `command_app` for the command line `words`."""
    return [result_folder, "--", *words]


def read_result(result_folder: str) -> tuple[dict[str, Any] | None, str]:
    """What the command printed with `--json`, and the sentence it ended with when it failed."""
    store = open_store(result_folder)
    if store.size(RESULT) is None:
        return None, ""
    answer = json.loads(store.read(RESULT))
    return answer["result"], str(answer["error"])
