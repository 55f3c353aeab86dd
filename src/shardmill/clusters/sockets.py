"""Bytes over each TCP connection of this machine, as the Linux kernel counts them (netlink, `sock_diag(7)`)."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_INFO: Final = 2  # INET_DIAG_INFO
_ALL_STATES: Final = 0xFFF
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBBBI48x")
_MESSAGE_BYTES: Final = 72
_INODE_AT: Final = 68
_COUNTERS_AT: Final = 120  # tcpi_bytes_acked, tcpi_bytes_received in struct tcp_info
_BUFFER: Final = 1 << 18

End = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Connection:
    """One end of a TCP connection."""

    inode: int
    ends: tuple[End, End]
    """Own address and port, the peer's."""
    sent: int
    """Payload bytes that the peer has acknowledged."""
    received: int


def tcp_connections() -> dict[int, Connection]:
    """Every TCP socket of this network namespace, by the inode that `/proc/PID/fd` names."""
    connections: dict[int, Connection] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            request = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _ALL_STATES)
            netlink.send(_HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _DUMP, 1, 0) + request)
            while _take(netlink.recv(_BUFFER), connections):
                pass
    return connections


def _take(reply: bytes, connections: dict[int, Connection]) -> bool:
    """Add what one reply tells; whether more follow."""
    offset = 0
    while offset < len(reply):
        length, kind, *_ = _HEADER.unpack_from(reply, offset)
        if kind in (_DONE, _ERROR):
            return False
        message = reply[offset + _HEADER.size : offset + length]
        connection = _parse(message)
        if connection is not None:
            connections[connection.inode] = connection
        offset += (length + 3) & ~3
    return True


def _parse(message: bytes) -> Connection | None:
    (own_port, peer_port) = struct.unpack_from("!HH", message, 4)
    own, peer = _address(message[0], message[8:24]), _address(message[0], message[24:40])
    (inode,) = struct.unpack_from("=I", message, _INODE_AT)
    offset = _MESSAGE_BYTES
    while offset < len(message):
        length, kind = struct.unpack_from("=HH", message, offset)
        if kind == _INFO and length >= 4 + _COUNTERS_AT + 16:
            sent, received = struct.unpack_from("=QQ", message, offset + 4 + _COUNTERS_AT)
            return Connection(inode, ((own, own_port), (peer, peer_port)), sent, received)
        offset += (length + 3) & ~3
    return None  # a listening socket


def _address(family: int, field: bytes) -> bytes:
    if family == socket.AF_INET:
        return field[:4]
    return field[12:] if field.startswith(bytes(10) + b"\xff\xff") else field  # IPv4 through an IPv6 socket
