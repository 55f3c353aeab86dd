"""JPEG streams made and altered by hand, where no encoder writes what a test needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

SOF0, DHT, DNL, SOS, DQT, DRI, EOI = 0xC0, 0xC4, 0xDC, 0xDA, 0xDB, 0xDD, b"\xff\xd9"
Lengths = Sequence[int]
"""How many codes there are of 1 to 16 bits."""
ALL_LENGTHS: Final[Lengths] = (0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 4, 8, 16, 32, 90)
DC_LENGTHS: Final[Lengths] = (0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
DC_SYMBOLS: Final = bytes(range(12))
AC_SYMBOLS: Final = bytes((0x01, 0x00, 0x02, 0x11, 0xF0)) + bytes(
    run << 4 | size for size in range(1, 11) for run in range(16) if run << 4 | size not in (0x01, 0x02, 0x11)
)


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def segments(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment, up to the first scan's."""
    at, marker = 2, 0
    while marker != SOS:
        marker, end = stream[at + 1], at + 2 + struct.unpack_from(">H", stream, at + 2)[0]
        yield marker, at, end
        at = end


def place(stream: bytes, marker: int) -> tuple[int, int]:
    """Start and end of the first segment of that marker."""
    return next((start, end) for found, start, end in segments(stream) if found == marker)


def changed(stream: bytes, at: int, value: bytes) -> bytes:
    return stream[:at] + value + stream[at + len(value) :]


def inserted(stream: bytes, at: int, value: bytes) -> bytes:
    return stream[:at] + value + stream[at:]


def before(stream: bytes, marker: int, value: bytes) -> bytes:
    """`stream` with `value` before the first segment of that marker."""
    return inserted(stream, place(stream, marker)[0], value)


def codes(lengths: Lengths, symbols: bytes) -> Mapping[int, tuple[int, int]]:
    """Code and its length by symbol (T.81, annex C)."""
    found, code, index = {}, 0, 0
    for length, count in enumerate(lengths, 1):
        for symbol in symbols[index : index + count]:
            found[symbol] = code, length
            code += 1
        index += count
        code <<= 1
    return found


@dataclass
class Component:
    factors: tuple[int, int] = (1, 1)
    quantizer: int = 0
    tables: tuple[int, int] = (0, 0)
    """Slots of the Huffman tables for DC and AC."""


@dataclass
class Hand:
    """A sequential stream of random coefficients, as odd as asked for."""

    width: int
    height: int
    components: Sequence[Component]
    seed: int = 0
    restart: int = 0
    process: int = SOF0
    wide: bool = False
    """Quantisation tables of 16 bits."""
    steps: Sequence[int] = (3, 5, 2, 9)
    """Of each quantisation table, for the first coefficient; the others grow from it."""
    density: float = 0.15
    """Of coefficients that are not 0."""
    _bits: list[str] = field(default_factory=list)

    def stream(self) -> bytes:
        rng = np.random.default_rng(self.seed)
        parts = [b"\xff\xd8", *(self._quantizer(slot) for slot in range(4))]
        header = struct.pack(">BHHB", 8, self.height, self.width, len(self.components))
        for number, component in enumerate(self.components, 1):
            h, v = component.factors
            header += bytes((number, h << 4 | v, component.quantizer))
        parts.append(segment(self.process, header))
        orders = {slot: rng.permutation(list(AC_SYMBOLS)).astype(np.uint8).tobytes() for slot in range(4)}
        orders[0] = AC_SYMBOLS
        dc, ac = {}, {}
        for slot, order in orders.items():
            dc_order = DC_SYMBOLS[slot:] + DC_SYMBOLS[:slot]
            dc[slot], ac[slot] = codes(DC_LENGTHS, dc_order), codes(ALL_LENGTHS, order)
            parts.append(segment(DHT, _table(slot, DC_LENGTHS, dc_order) + _table(16 + slot, ALL_LENGTHS, order)))
        if self.restart:
            parts.append(segment(DRI, struct.pack(">H", self.restart)))
        scan = bytes((len(self.components),))
        for number, component in enumerate(self.components, 1):
            scan += bytes((number, component.tables[0] << 4 | component.tables[1]))
        parts.append(segment(SOS, scan + b"\x00\x3f\x00"))
        alone = len(self.components) == 1
        across = 8 * (1 if alone else max(component.factors[0] for component in self.components))
        down = 8 * (1 if alone else max(component.factors[1] for component in self.components))
        mcus = -(-self.width // across) * -(-self.height // down)
        predictions = [0] * len(self.components)
        for mcu in range(mcus):
            if self.restart and mcu and mcu % self.restart == 0:
                parts += [self._flushed(), bytes((0xFF, 0xD0 + (mcu // self.restart - 1) % 8))]
                predictions = [0] * len(self.components)
            for index, component in enumerate(self.components):
                for _ in range(1 if alone else component.factors[0] * component.factors[1]):
                    level = int(rng.integers(-300, 300)) // self.steps[component.quantizer]
                    self._block(level - predictions[index], rng, dc[component.tables[0]], ac[component.tables[1]])
                    predictions[index] = level
        return b"".join((*parts, self._flushed(), EOI))

    def _quantizer(self, slot: int) -> bytes:
        values = [self.steps[slot] + index // 4 for index in range(64)]
        return segment(DQT, bytes((16 * self.wide + slot,)) + struct.pack(f">64{'H' if self.wide else 'B'}", *values))

    def _block(
        self,
        difference: int,
        rng: np.random.Generator,
        dc: Mapping[int, tuple[int, int]],
        ac: Mapping[int, tuple[int, int]],
    ) -> None:
        self._code(dc, 0, difference)
        run = 0
        for index in range(1, 64):
            if rng.random() > self.density:
                run += 1
                continue
            while run > 15:
                self._write(*ac[0xF0])
                run -= 16
            value = int(rng.normal() * 24 / index) or (1 if rng.random() < 0.5 else -1)
            self._code(ac, run, value)
            run = 0
        if run:
            self._write(*ac[0])

    def _code(self, table: Mapping[int, tuple[int, int]], run: int, value: int) -> None:
        size = abs(value).bit_length()
        self._write(*table[run << 4 | size])
        self._write(value if value > 0 else value + (1 << size) - 1, size)

    def _write(self, value: int, length: int) -> None:
        if length:
            self._bits.append(f"{value:0{length}b}")

    def _flushed(self) -> bytes:
        bits = "".join(self._bits)
        self._bits.clear()
        bits += "1" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _table(slot: int, lengths: Lengths, symbols: bytes) -> bytes:
    return bytes((slot, *lengths, *(0,) * (16 - len(lengths)))) + symbols
