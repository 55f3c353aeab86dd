"""How a command of shardmill runs as a job, and how its result comes home.

The application `shardmill.submit.job` runs the command with `--json` and publishes what it printed as `result.json` in a
folder or under a URL that both sides can reach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import shardmill
from shardmill.storage.open import open_store

RESULT: Final = "result.json"
SPARK_COMMANDS: Final = ("prepare", "speedtest")
"""Those that run on Spark when they are told to."""


def command_app() -> Path:
    """The script that a cluster runs for a command; it imports nothing but shardmill."""
    return Path(shardmill.__file__).parent / "submit" / "job.py"


def on_spark(words: Sequence[str]) -> tuple[str, ...]:
    """The command line `words`, told to run on Spark if it can and nobody said where: that is what a cluster is for."""
    told = words[0] not in SPARK_COMMANDS or has_flag(words, "--engine")
    return tuple(words) if told else (*words, "--engine", "spark")


def has_flag(words: Sequence[str], flag: str) -> bool:
    """Whether `flag` stands among `words`, as `--flag value` or `--flag=value`."""
    return any(word == flag or word.startswith(f"{flag}=") for word in words)


def job_arguments(result_folder: str, words: Sequence[str]) -> list[str]:
    """The arguments of `command_app` for the command line `words`."""
    return [result_folder, "--", *words]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    exit_code: int | None = None
    """None where it left nothing: it never ran, or was killed."""
    result: dict[str, Any] | None = None
    """What it printed with `--json`."""
    error: str = ""
    """The sentence it ended with when it failed."""


def read_answer(result_folder: str) -> Answer:
    """What the command that published its result in `result_folder` left there."""
    store = open_store(result_folder)
    return Answer() if store.size(RESULT) is None else Answer(**json.loads(store.read(RESULT)))
