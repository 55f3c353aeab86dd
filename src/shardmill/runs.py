"""Run folders: what a measuring command leaves behind, and how a later command finds it again.

A run folder holds `run.json`, which says what kind of run it is, what was asked and on which machine, and the result
files of that kind beside it. A folder that `prepare` wrote is known by its manifest instead.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from shardmill.errors import UsageError
from shardmill.machine import describe_machine

RunKind = Literal["speedtest", "model", "sweep", "pick"]

RUN_FILE: Final = "run.json"
_FORMAT: Final = "shardmill-run/1"


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder, as its `run.json` tells it."""

    path: Path
    kind: RunKind
    request: dict[str, Any]
    """What was asked, in plain values; the same request continues the run."""
    started_at: str
    """UTC, ISO 8601."""
    machine: dict[str, Any]
    """Of the process that began the run; see `machine.describe_machine`."""


def begin_run(folder: str | Path, kind: RunKind, request: Mapping[str, Any]) -> Run:
    """Make the run folder, or take up the one that is there if it is of the same kind and request.

    Raises:
        UsageError: the folder holds another run, or something that is no run.
    """
    path = Path(folder).expanduser()
    asked = json.loads(json.dumps(request))
    if (path / RUN_FILE).exists():
        run = open_run(path)
        if run.kind != kind or run.request != asked:
            changed = sorted(key for key in {*run.request, *asked} if run.request.get(key) != asked.get(key))
            what = f"asked with other {', '.join(changed)}" if run.kind == kind else f"of kind {run.kind}"
            raise UsageError(f"{path} holds a run {what}; name another folder, or repeat the request that made it.")
        return run
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there and is no run of shardmill; name a new or an empty folder.")
    run = Run(path, kind, asked, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), describe_machine())
    try:
        path.mkdir(parents=True, exist_ok=True)
        scratch = path / (RUN_FILE + ".tmp")
        scratch.write_text(json.dumps({"format": _FORMAT, **asdict(run), "path": None}, indent=1))
        os.replace(scratch, path / RUN_FILE)  # noqa: PTH105
    except OSError as error:
        raise UsageError(f"cannot write to {path}: {error.strerror}. Name a folder that can be written.") from error
    return run


def open_run(folder: str | Path) -> Run:
    """The run in `folder`.

    Raises:
        UsageError: there is none, or its `run.json` cannot be read.
    """
    path = Path(folder).expanduser()
    try:
        values = json.loads((path / RUN_FILE).read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{path} holds no {RUN_FILE}; name a folder that speedtest, sweep or pick wrote.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path / RUN_FILE} cannot be read ({error}); name another run.") from error
    if not isinstance(values, dict) or values.get("format") != _FORMAT or values.get("kind") not in get_args(RunKind):
        raise UsageError(f"{path / RUN_FILE} is not of format {_FORMAT}; open it with the shardmill that wrote it.")
    return Run(path, values["kind"], dict(values["request"]), str(values["started_at"]), dict(values["machine"]))
