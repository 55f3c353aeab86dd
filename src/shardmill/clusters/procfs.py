"""What trees of processes have used, from Linux's own accounts: CPU, disk, memory, and bytes over TCP."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shardmill.clusters.sockets import Connection, tcp_connections

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/PID/stat behind the program's name, counted from 0 (proc(5) counts from 1 and has two before).
_PARENT, _CPU, _RESIDENT = 1, slice(11, 15), 21


@dataclass(frozen=True, slots=True)
class Used:
    """Amounts used by one tree in one stretch of time."""

    cpu_s: float = 0.0
    disk_read_bytes: int = 0
    disk_write_bytes: int = 0
    network_in_bytes: int = 0
    network_out_bytes: int = 0
    memory_bytes: int = 0
    """Resident at its end; pages that processes share count for each."""


@dataclass(frozen=True, slots=True)
class _Account:
    """One process, with the children that it has waited for."""

    parent: int
    cpu_s: float
    resident: int


@dataclass
class TreeMeter:
    """Tells what the trees below some processes have used since it was asked before.

    A process that ends hands its account to the parent that waits for it, so that nothing is counted twice or lost; what
    a process that dies together with its parent used since the last look is lost.
    """

    roots: Mapping[str, Iterable[int]]
    """Process numbers by the node that they make up."""

    _accounts: dict[int, _Account] = field(default_factory=dict, init=False)
    _io: dict[int, tuple[int, int]] = field(default_factory=dict, init=False)
    _connections: dict[int, Connection] = field(default_factory=dict, init=False)

    def look(self) -> dict[str, Used]:
        """By node, what was used since the last look; the first look counts from each process's beginning."""
        accounts = {pid: account for pid in _processes() if (account := _account(pid)) is not None}
        children: dict[int, list[int]] = {}
        for pid, account in accounts.items():
            children.setdefault(account.parent, []).append(pid)
        connections = tcp_connections()
        used: dict[str, Used] = {}
        io: dict[int, tuple[int, int]] = {}
        for node, roots in self.roots.items():
            tree = list(_tree(roots, children))
            gone = self._handed_over(set(tree), accounts)
            cpu_s = sum(accounts[pid].cpu_s - self._cpu_before(pid) for pid in tree if pid in accounts)
            cpu_s -= sum(self._cpu_before(pid) for pid in gone)
            counted = {pid: counts for pid in tree if (counts := _disk(pid)) is not None}
            read, written = (
                sum(counts[i] - self._io.get(pid, (0, 0))[i] for pid, counts in counted.items())
                - sum(self._io.get(pid, (0, 0))[i] for pid in gone)
                for i in (0, 1)
            )
            io |= counted
            received, sent = self._network(_between_nodes(tree, connections))
            resident = sum(accounts[pid].resident for pid in tree if pid in accounts)
            used[node] = Used(max(cpu_s, 0.0), max(read, 0), max(written, 0), received, sent, resident)
        mine = {pid for roots in self.roots.values() for pid in _tree(roots, children)}
        self._accounts = {pid: account for pid, account in accounts.items() if pid in mine}
        self._io, self._connections = io, connections
        return used

    def _handed_over(self, tree: set[int], accounts: Mapping[int, _Account]) -> list[int]:
        """Processes that have ended since the last look, and are in the account of a living ancestor in `tree` now."""
        gone = []
        for pid in self._accounts.keys() - accounts.keys():
            ancestor = self._accounts[pid].parent
            while ancestor in self._accounts and ancestor not in accounts:
                ancestor = self._accounts[ancestor].parent
            if ancestor in tree:
                gone.append(pid)
        return gone

    def _cpu_before(self, pid: int) -> float:
        return self._accounts[pid].cpu_s if pid in self._accounts else 0.0

    def _network(self, connections: Iterable[Connection]) -> tuple[int, int]:
        received = sent = 0
        for connection in connections:
            before = self._connections.get(connection.inode)
            same = before is not None and before.ends == connection.ends
            received += connection.received - (before.received if before is not None and same else 0)
            sent += connection.sent - (before.sent if before is not None and same else 0)
        return max(received, 0), max(sent, 0)


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208  # several times as fast


def _account(pid: int) -> _Account | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None  # it has ended
    return _Account(int(fields[_PARENT]), sum(map(int, fields[_CPU])) * _TICK_S, int(fields[_RESIDENT]) * _PAGE)


def _disk(pid: int) -> tuple[int, int] | None:
    """Bytes that the process made the disks read and write: page cache hits are none."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(": ") for line in lines)
    return int(values["read_bytes"]), int(values["write_bytes"]) - int(values["cancelled_write_bytes"])


def _tree(roots: Iterable[int], children: Mapping[int, Iterable[int]]) -> Iterator[int]:
    for root in roots:
        yield root
        yield from _tree(children.get(root, ()), children)


def _between_nodes(tree: Iterable[int], connections: Mapping[int, Connection]) -> Iterator[Connection]:
    """The TCP connections of a tree whose other end is not in the same tree."""
    mine = {inode: connections[inode] for pid in tree for inode in _sockets(pid) if inode in connections}
    inside = {connection.ends for connection in mine.values()}
    return (connection for connection in mine.values() if connection.ends[::-1] not in inside)


def _sockets(pid: int) -> Iterator[int]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            yield int(target[8:-1])
