"""The process that keeps a local cluster: starts it, measures it, and ends it when nobody wants it any longer.

Run as `python -m shardmill.clusters.local.supervisor FOLDER [detached]`. It ends, and the cluster with it, when it is told to
(SIGTERM), when the process that made a cluster for itself dies (its pipe closes, and its number is watched), when the
cluster is too old or idle for too long, and when the master dies. Its children die with it by order of the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import psutil

from shardmill.clusters.base import Role, UsageSample
from shardmill.clusters.local.daemons import Daemons, Master, application_settings
from shardmill.clusters.local.folder import ClusterFolder, ProcessMark, read_json, write_json, write_properties
from shardmill.clusters.local.leash import adopt_orphans, closed, end_tree, reap
from shardmill.clusters.procfs import TreeMeter
from shardmill.errors import ShardmillError

_BEAT_S: Final = 1.0


class _ToldToEndError(Exception):
    pass


def main(path: str) -> None:
    folder = ClusterFolder(Path(path))
    order = read_json(folder.order)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked, and reaches us as its end
    signal.signal(signal.SIGTERM, _end)
    adopt_orphans()
    state: dict[str, Any] = {"supervisor": asdict(ProcessMark.mine()), "daemons": {}, "phase": "starting"}
    write_json(folder.state, state)
    try:
        _keep(folder, order, state)
    except _ToldToEndError:
        pass
    except ShardmillError as error:
        write_json(folder.state, state | {"phase": "broken", "reason": str(error)})
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_tree(psutil.Process().children())
        end_tree(psutil.Process().children(recursive=True))  # those adopted meanwhile


def _end(*_: object) -> None:
    raise _ToldToEndError


def _keep(folder: ClusterFolder, order: Mapping[str, Any], state: dict[str, Any]) -> None:
    spec, secret = order["spec"], secrets.token_hex(32)
    cores, memory_mb, workers = spec["worker"]["cores"], spec["worker"]["memory_mb"], spec["workers"]
    write_properties(folder.settings, application_settings(folder.path, secret, cores, workers, memory_mb))
    watch = _Watch(folder, order)
    daemons = Daemons(folder.path, order["spark_home"], order["java_home"], secret, watch.pause)
    master = daemons.start_master()
    nodes = {f"{order['name']}-m": master.process.pid}
    _note(folder, state, nodes)
    started = []
    for number, pinned in enumerate(order["pinned"] or [None] * workers):
        worker = daemons.start_worker(number, master, cores, memory_mb, pinned)
        started.append(worker)
        nodes[f"{order['name']}-w-{number}"] = worker.pid
        _note(folder, state, nodes)
    daemons.wait_for_workers(master, started)
    state |= {"phase": "ready", "ready_at": time.time(), "master": master.url, "web_url": master.web_url}
    write_json(folder.state, state)
    with folder.usage.open("a") as usage:
        meter = _Meter(order["name"], nodes, cores, usage)
        while (reason := _reason_to_end(master, watch)) is None:
            watch.pause(_BEAT_S)
            reap()
            _end_adopted(set(nodes.values()))
            meter.write(watch.drivers())
    write_json(folder.state, state | {"phase": "ended", "reason": reason})


def _end_adopted(daemons: set[int]) -> None:
    """What lost its executor works for nobody, and one that is stopped would never notice."""
    adopted = [child for child in psutil.Process().children() if child.pid not in daemons]
    for process in adopted:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _reason_to_end(master: Master, watch: _Watch) -> str | None:
    return "the Spark master ended" if master.process.poll() is not None else watch.over()


def _note(folder: ClusterFolder, state: dict[str, Any], nodes: Mapping[str, int]) -> None:
    state["daemons"] = {node: asdict(ProcessMark.of(pid)) for node, pid in nodes.items()}
    write_json(folder.state, state)


class _Watch:
    """Knows when it is time to end."""

    def __init__(self, folder: ClusterFolder, order: Mapping[str, Any]) -> None:
        self._folder, self._limits = folder, order["spec"]
        self._created, self._busy_at = order["created_at"], time.time()
        self._parent = None if order["parent"] is None else ProcessMark(**order["parent"])
        self._pipes = [] if self._parent is None else [sys.stdin.fileno()]

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            _ToldToEndError: the process that made the cluster for itself is gone.
        """
        if select.select(self._pipes, [], [], seconds)[0] and closed(self._pipes[0]):
            raise _ToldToEndError
        if self._parent is not None and self._parent.process() is None:
            raise _ToldToEndError

    def over(self) -> str | None:
        """Why to end, or None."""
        now = time.time()
        if self.drivers():
            self._busy_at = now
        if now - self._created > self._limits["max_age_s"]:
            return f"it was {self._limits['max_age_s']} s old"
        if now - self._busy_at > self._limits["idle_delete_s"]:
            return f"it had no job for {self._limits['idle_delete_s']} s"
        return None

    def drivers(self) -> list[int]:
        """Numbers of the processes that hold drivers."""
        marks = (read_json(path) for path in self._folder.jobs.glob("*/leash.json"))
        processes = (ProcessMark(**mark).process() for mark in marks if mark)
        return [process.pid for process in processes if process is not None]


class _Meter:
    """Writes what each node has used, a line a node and beat."""

    def __init__(self, name: str, nodes: Mapping[str, int], cores: int, file: IO[str]) -> None:
        self._master, self._cores, self._file = f"{name}-m", cores, file
        self._meter = TreeMeter({node: [pid] for node, pid in nodes.items()})
        self._nodes = nodes
        self._meter.look()
        self._looked_at = time.time()

    def write(self, drivers: list[int]) -> None:
        """The driver counts for the master's node, as it does in a cloud."""
        self._meter.roots = {
            node: [pid, *drivers] if node == self._master else [pid] for node, pid in self._nodes.items()
        }
        used, now = self._meter.look(), time.time()
        for node, amounts in used.items():
            role: Role = "master" if node == self._master else "worker"
            sample = UsageSample(
                node=node,
                role=role,
                start=self._looked_at,
                seconds=now - self._looked_at,
                cores=0 if role == "master" else self._cores,
                cpu_s=amounts.cpu_s,
                network_in_bytes=amounts.network_in_bytes,
                network_out_bytes=amounts.network_out_bytes,
                disk_read_bytes=amounts.disk_read_bytes,
                disk_write_bytes=amounts.disk_write_bytes,
                memory_bytes=amounts.memory_bytes,
                source="process",
            )
            self._file.write(json.dumps(asdict(sample)) + "\n")
        self._file.flush()
        self._looked_at = now


if __name__ == "__main__":
    if sys.argv[2:] == ["detached"] and os.fork():
        os._exit(0)  # nobody waits for a cluster that outlives its maker
    main(sys.argv[1])
