"""The folder in which a local cluster's supervisor and its users meet; only its owner may look inside."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from shardmill.errors import UsageError

STATE_VARIABLE: Final = "SHARDMILL_STATE"
"""Environment variable: where the folders lie, instead of `$XDG_STATE_HOME/shardmill`."""

_KEPT_S: Final = 7 * 86400
_ENDED: Final = "ended"
_START_S: Final = 10.0
"""A supervisor has written its mark by then."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process that cannot be mistaken for a later one of the same number."""

    pid: int
    created: float

    @staticmethod
    def of(pid: int) -> ProcessMark:
        return ProcessMark(pid, psutil.Process(pid).create_time())

    @staticmethod
    def mine() -> ProcessMark:
        return ProcessMark.of(os.getpid())

    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            alive = abs(process.create_time() - self.created) < 0.02 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if alive else None


@dataclass(frozen=True, slots=True)
class ClusterFolder:
    """Paths and small JSON files of one cluster."""

    path: Path

    @property
    def order(self) -> Path:
        """What was asked: spec, name, who asked. Written before the supervisor starts."""
        return self.path / "order.json"

    @property
    def state(self) -> Path:
        """How far it is, and the marks of its processes. Written by the supervisor."""
        return self.path / "state.json"

    @property
    def usage(self) -> Path:
        """A JSON line a node and second."""
        return self.path / "usage.jsonl"

    @property
    def settings(self) -> Path:
        """What an application must be set to, secret included, in Spark's notation."""
        return self.path / "application.conf"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def log(self) -> Path:
        return self.path / "supervisor.log"

    def read_state(self) -> dict[str, Any]:
        return read_json(self.state)

    def supervisor(self) -> psutil.Process | None:
        """The supervisor, if it runs."""
        mark = self.read_state().get("supervisor")
        return None if mark is None else ProcessMark(**mark).process()

    def is_orphaned(self) -> bool:
        """Whether no supervisor runs, nor is just starting."""
        order = read_json(self.order)
        young = not self.read_state() and order and time.time() - order["created_at"] < _START_S
        return not young and self.supervisor() is None

    def left_over(self) -> list[psutil.Process]:
        """Processes of the cluster that run, whether or not their supervisor does."""
        marks = (ProcessMark(**mark) for mark in self.read_state().get("daemons", {}).values())
        return [process for mark in marks if (process := mark.process()) is not None]


def home() -> Path:
    """Where the clusters' folders lie."""
    if given := os.environ.get(STATE_VARIABLE):
        return Path(given).expanduser() / "clusters"
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "shardmill" / "clusters"


def make_folder(name: str) -> ClusterFolder:
    """The folder of a new cluster.

    Raises:
        UsageError: one of that name exists.
    """
    path = home() / name
    try:
        home().mkdir(parents=True, exist_ok=True, mode=0o700)
        _prune()
        path.mkdir(mode=0o700)
    except FileExistsError as error:
        raise UsageError(f"a cluster {name} is there already; see `shardmill cluster list`.") from error
    except OSError as error:
        raise UsageError(
            f"cannot write to {home()}: {error.strerror}. Set {STATE_VARIABLE} to a folder that can be written."
        ) from error
    folder = ClusterFolder(path)
    folder.jobs.mkdir()
    return folder


def find_folders() -> list[ClusterFolder]:
    """Of all clusters not deleted yet."""
    if not home().is_dir():
        return []
    return [ClusterFolder(path) for path in sorted(home().iterdir()) if path.name != _ENDED and path.is_dir()]


def find_ended(name: str) -> ClusterFolder | None:
    """What was kept of the last deleted cluster called `name`."""
    kept = sorted((home() / _ENDED).glob(f"*@{name}"))
    return ClusterFolder(kept[-1]) if kept else None


def retire(folder: ClusterFolder) -> None:
    """Keep what the cluster measured and logged, throw away the secret and the workers' scratch."""
    for scratch in (folder.settings, folder.path / "daemon.conf", *folder.jobs.glob("*/application.conf")):
        scratch.unlink(missing_ok=True)
    for work in folder.path.glob("work-*"):
        shutil.rmtree(work, ignore_errors=True)
    (home() / _ENDED).mkdir(exist_ok=True, mode=0o700)
    folder.path.rename(home() / _ENDED / f"{time.time():.6f}@{folder.path.name}")


def _prune() -> None:
    for path in (home() / _ENDED).glob("*@*"):
        if time.time() - float(path.name.partition("@")[0]) > _KEPT_S:
            shutil.rmtree(path, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty where there is none."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace `path` in one step."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(value))
    scratch.replace(path)


def write_properties(path: Path, settings: Mapping[str, str]) -> None:
    """A Java properties file that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    with path.open("w", encoding="ascii") as file:
        for key, value in settings.items():
            file.write(f"{_escaped(key, ' :=')} {_escaped(value)}\n")


def read_properties(path: Path) -> dict[str, str]:
    """What `write_properties` wrote."""
    pairs = (_at_first_space(line) for line in path.read_text(encoding="ascii").splitlines())
    return {_unescaped(key): _unescaped(value) for key, value in pairs}


def _at_first_space(line: str) -> tuple[str, str]:
    """Key and value: the first space that no backslash stands before parts them."""
    position = 0
    while line[position] != " ":
        position += 2 if line[position] == "\\" else 1
    return line[:position], line[position + 1 :]


def _escaped(text: str, also: str = "") -> str:
    def pieces() -> Iterator[str]:
        for position, character in enumerate(text):
            if character == "\\" or character in also or (position == 0 and character in " #!"):
                yield "\\" + character
            elif character.isprintable() and character.isascii():
                yield character
            else:
                units = character.encode("utf-16-be")
                yield from (f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))

    return "".join(pieces())


def _unescaped(text: str) -> str:
    units = []
    position = 0
    while position < len(text):
        if text.startswith("\\u", position):
            units.append(bytes.fromhex(text[position + 2 : position + 6]))
            position += 6
            continue
        if text[position] == "\\":
            position += 1
        units.append(text[position].encode("utf-16-be"))
        position += 1
    return b"".join(units).decode("utf-16-be")
