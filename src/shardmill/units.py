"""Sizes, times, shares, counts and names as people write and read them."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from shardmill.errors import UsageError

N = TypeVar("N", int, float)

_FACTORS: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
_DURATION: Final = re.compile(
    r"(?:(\d+(?:\.\d+)?)\s*d)?\s*(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s)?"
)
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", re.IGNORECASE)


def parse_bytes(text: str | int) -> int:
    """Bytes in `text`: `"128MB"`, `"1.5 GiB"`, `"64k"` or a plain number.

    Raises:
        UsageError: `text` is not a size.
    """
    if isinstance(text, int):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a size; write it like 128MB, 1.5GiB or 4096")
    return int(float(match[1]) * _FACTORS[(match[2] or "").lower()])


def parse_duration(text: str) -> float:
    """Seconds in `text`: `"90s"`, `"30m"`, `"1h30m"`, `"2d"`.

    Raises:
        UsageError: `text` is not a duration.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise UsageError(f"{text!r} is not a duration; write it like 90s, 30m, 4h or 1h30m")
    return sum(float(count or 0) * seconds for count, seconds in zip(match.groups(), (86400, 3600, 60, 1), strict=True))


def parse_limit(text: str | int) -> tuple[int | None, float | None]:
    """A limit as `(count, None)` for `"10"` or `(None, share)` for `"1%"`, the share in [0, 1].

    Raises:
        UsageError: `text` is neither.
    """
    cleaned = str(text).strip()
    try:
        if cleaned.endswith("%"):
            share = float(cleaned[:-1]) / 100
            if 0 <= share <= 1:
                return None, share
        elif int(cleaned) >= 0:
            return int(cleaned), None
    except ValueError:
        pass  # falls through to the one message below
    raise UsageError(f"{text!r} is not a limit; write a count like 10 or a percentage like 1%")


def in_range(flag: str, value: N, low: int, high: int | None = None) -> N:
    """`value` of the flag `flag`, if it lies between `low` and `high`.

    Raises:
        UsageError: it does not, or is not a number.
    """
    if not value >= low:  # nan is not
        raise UsageError(f"{flag} is {value}; it takes a number of at least {low}")
    if high is not None and value > high:
        raise UsageError(f"{flag} is {value}; it takes a number of at most {high}")
    return value


def format_bytes(count: float) -> str:
    """`count` bytes with two or three significant digits and a decimal unit."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def format_count(count: int, noun: str) -> str:
    """`1 image`, `12,000 images`."""
    plural = (
        noun
        if count == 1
        else f"{noun[:-1]}ies"
        if noun.endswith("y") and noun[-2] not in "aeiou"
        else f"{noun}es"
        if noun.endswith("s")
        else f"{noun}s"
    )
    return f"{count:,} {plural}"


def format_seconds(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def printable(text: str) -> str:
    """`text` with control characters escaped, so that a name that came with data cannot steer a terminal."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
