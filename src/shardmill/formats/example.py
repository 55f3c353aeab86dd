"""tf.train.Example on the wire, without protobuf.

    Example  = { 1: Features }             Features = { 1: repeated entry { 1: name, 2: Feature } }
    Feature  = { 1: BytesList | 2: FloatList | 3: Int64List }, each { 1: repeated value }

Numbers are packed when written; both forms are read. Names are written in sorted order, so equal features give equal
bytes (protobuf itself promises no order for maps).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import pack, unpack_from
from typing import Final

FeatureValue = bytes | int | Sequence[bytes] | Sequence[int] | Sequence[float]
"""What is written: one value alone, or a sequence of one type."""
Feature = list[bytes] | list[int] | list[float]
"""What is read: always a list; empty where the file says nothing of the type."""

_ONE_BYTE: Final = [bytes((value,)) for value in range(128)]
_SHORT: Final = 64
"""Bytes of an entry worth remembering."""


class ExampleError(ValueError):
    """Bytes that are not a tf.train.Example."""


def encode_example(features: Mapping[str, FeatureValue]) -> bytes:
    """The serialized Example with `features`, names in sorted order."""
    parts: list[bytes] = []
    append = parts.append
    for name in sorted(features):
        value = features[name]
        if isinstance(value, bytes):
            append(_bytes_head(name, len(value)))
            append(value)
        elif isinstance(value, int):
            append(_int_entry(name, value))
        else:
            append(_entry(name, _list_feature(name, value)))
    return b"".join((b"\x0a", _varint(sum(map(len, parts))), *parts))


def decode_example(data: bytes) -> dict[str, Feature]:
    """The features of a serialized Example; of a name that repeats, the last counts, as in protobuf.

    Raises:
        ExampleError: `data` is something else or cut short.
    """
    found: dict[str, Feature] = {}
    try:
        for start, stop in _submessages(data, 0, len(data)):
            for entry_start, entry_stop in _submessages(data, start, stop):
                if entry_stop - entry_start <= _SHORT:
                    name, value = _decode_short_entry(data[entry_start:entry_stop])
                    found[name] = value.copy()
                else:
                    name, value = _decode_entry(data, entry_start, entry_stop)
                    found[name] = value
    except (IndexError, UnicodeDecodeError) as error:
        raise ExampleError("the bytes are not a tf.train.Example") from error
    return found


def find_bytes(data: bytes, start: int, name: bytes) -> tuple[int, int] | None:
    """Where the one value of the bytes feature `name` lies, in an Example of our own that begins at `start`.

    None where the bytes do not say so. Entries before it are passed over by their lengths.
    """
    try:
        at = start + 1
        size, at = _read_varint(data, at)
        stop = at + size
        while at < stop:
            size, at = _read_varint(data, at + 1)
            behind = at + size
            size, at = _read_varint(data, at + 1)
            if data[at : at + size] == name:
                at += size
                for _ in range(3):  # feature, list, value
                    size, at = _read_varint(data, at + 1)
                return (at, at + size) if at + size == behind <= stop else None
            at = behind
    except (IndexError, ExampleError):
        return None
    return None


def _varint(value: int) -> bytes:
    if value < 128:
        return _ONE_BYTE[value]
    if value < 16384:
        return bytes((value & 127 | 128, value >> 7))
    if value < 2097152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(tag: int, body: bytes) -> bytes:
    return b"%c%b%b" % (tag, _varint(len(body)), body)


def _entry(name: str, feature: bytes) -> bytes:
    return _field(0x0A, _field(0x0A, name.encode()) + feature)


@lru_cache(maxsize=4096)
def _bytes_head(name: str, length: int) -> bytes:
    """All of the entry that stands before its one value of `length` bytes: five nested lengths, inner ones first."""
    head = b"\x0a" + _varint(length)
    for tag in (b"\x0a", b"\x12"):
        head = tag + _varint(len(head) + length) + head
    head = _field(0x0A, name.encode()) + head
    return b"\x0a" + _varint(len(head) + length) + head


@lru_cache(maxsize=4096)
def _int_entry(name: str, value: int) -> bytes:
    return _entry(name, _field(0x12, _field(0x1A, _field(0x0A, _varint(value & 0xFFFF_FFFF_FFFF_FFFF)))))


def _list_feature(name: str, values: Sequence[bytes] | Sequence[int] | Sequence[float]) -> bytes:
    kinds = {type(value) for value in values}
    if kinds <= {bytes}:
        return _field(0x12, _field(0x0A, b"".join(_field(0x0A, value) for value in values if isinstance(value, bytes))))
    if kinds == {int}:
        packed = b"".join(_varint(value & 0xFFFF_FFFF_FFFF_FFFF) for value in values if isinstance(value, int))
        return _field(0x12, _field(0x1A, _field(0x0A, packed)))
    if kinds == {float}:
        return _field(0x12, _field(0x12, _field(0x0A, pack(f"<{len(values)}f", *values))))
    raise TypeError(f"feature {name!r} mixes types; a feature holds bytes, ints or floats")


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    at += 1
    if value < 128:
        return value, at
    value &= 127
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ExampleError("a number runs over ten bytes, so this is not a tf.train.Example")


def _fields(data: bytes, at: int, stop: int) -> list[tuple[int, int, int, int]]:
    """`(number, wire type, start, stop)` of every field in a message; of a varint field, `start` holds its value."""
    found = []
    while at < stop:
        tag, at = _read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 2:
            size, at = _read_varint(data, at)
            end = at + size
            found.append((number, wire, at, end))
        elif wire == 0:
            value, end = _read_varint(data, at)
            found.append((number, wire, value, end))
        elif wire in (1, 5):
            end = at + (8 if wire == 1 else 4)
            found.append((number, wire, at, end))
        else:
            raise ExampleError(f"wire type {wire} does not occur in a tf.train.Example")
        if end > stop or number == 0:
            raise ExampleError("a field runs over its message's end, so this is not a whole tf.train.Example")
        at = end
    return found


def _submessages(data: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    return [(at, end) for number, wire, at, end in _fields(data, start, stop) if number == 1 and wire == 2]


@lru_cache(maxsize=4096)
def _decode_short_entry(entry: bytes) -> tuple[str, Feature]:
    """Most features of most records (sizes, labels, formats) repeat: measured, this halves the time of decoding."""
    return _decode_entry(entry, 0, len(entry))


def _decode_entry(data: bytes, start: int, stop: int) -> tuple[str, Feature]:
    name = ""
    value: Feature = []
    for number, wire, at, end in _fields(data, start, stop):
        if wire == 2 and number == 1:
            name = data[at:end].decode()
        elif wire == 2 and number == 2:
            for kind, kind_wire, kind_at, kind_end in _fields(data, at, end):
                if kind_wire == 2 and kind in (1, 2, 3):
                    value = (_decode_bytes, _decode_floats, _decode_ints)[kind - 1](data, kind_at, kind_end)
    return name, value


def _decode_bytes(data: bytes, start: int, stop: int) -> Feature:
    return [data[at:end] for at, end in _submessages(data, start, stop)]


def _decode_floats(data: bytes, start: int, stop: int) -> Feature:
    values = array("f")
    for number, wire, at, end in _fields(data, start, stop):
        if number == 1 and wire in (2, 5):
            count, rest = divmod(end - at, 4)
            if rest:
                raise ExampleError("a float list is cut short, so this is not a whole tf.train.Example")
            values.extend(unpack_from(f"<{count}f", data, at))
    return values.tolist()


def _decode_ints(data: bytes, start: int, stop: int) -> Feature:
    values: list[int] = []
    for number, wire, at, end in _fields(data, start, stop):
        if number == 1 and wire == 0:
            values.append(_signed(at))
        elif number == 1 and wire == 2:
            while at < end:
                value, at = _read_varint(data, at)
                values.append(_signed(value))
            if at > end:
                raise ExampleError("an integer list is cut short, so this is not a whole tf.train.Example")
    return values


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
