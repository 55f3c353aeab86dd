"""Numbers with units, as a page shows them: three significant digits, and words for what is tiny or vast."""

from __future__ import annotations

import math
from typing import Final

_MINUS: Final = "\u2212"
_TIMES: Final = "\u00d7"


def quantity(value: float, unit: str = "", *, bare: bool = False) -> str:
    """`value` with three significant digits (whole numbers with all of theirs) and its unit: `5,430 images/s`, `6.6` with a times sign, `12 ms`, `$0.42`, `85%`.

    Args:
        value: In the unit itself; a share in `%` is given as 85, not 0.85.
        unit: `x` is a ratio, `s` becomes ms or µs where it is small, `$` stands in front.
        bare: Without the unit (for the ends of intervals); seconds keep theirs, since it changes.
    """
    if not math.isfinite(value):
        return "unbounded" if math.isinf(value) else "not known"
    sign = _MINUS if value < 0 and significant(abs(value)).strip("0.,") else ""
    size = abs(value)
    if unit == "s":
        for factor, name in ((1.0, "s"), (1e3, "ms"), (1e6, "\u00b5s")):
            if size * factor >= 0.9995 or name == "\u00b5s" or size == 0:
                return f"{sign}{significant(size * factor)} {name}"
    text = f"{size:,.0f}" if size == round(size) else significant(size)
    if unit == "$":
        return f"{sign}${text}"
    if bare or not unit:
        return sign + text
    if unit in ("x", "%"):
        return f"{sign}{text}{_TIMES if unit == 'x' else unit}"
    return f"{sign}{text} {unit}"


def between(interval: tuple[float, float], unit: str = "") -> str:
    """The ends of an interval: `6.1 to 7.2`; the unit is left to the number beside it, but for seconds."""
    low, high = interval
    return f"{quantity(low, unit, bare=True)} to {quantity(high, unit, bare=True)}"


def significant(value: float, digits: int = 3) -> str:
    """`value`, at least 0, with `digits` significant digits, thousands set apart: `12,300`, `6.58`, `0.00042`."""
    if value == 0 or value < 1e-12:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(value))
    rounded = round(value, decimals)
    if rounded and math.floor(math.log10(rounded)) > math.floor(math.log10(value)):
        decimals -= 1  # 9.996 has become 10.0
    if rounded < 1e-6:
        return f"{rounded:.{digits - 1}e}"
    return f"{rounded:,.{max(0, decimals)}f}"


def rounded(value: float, digits: int = 3) -> float:
    """`value` with `digits` significant digits, for whole numbers that are not that exact."""
    return float(f"{value:.{digits}g}")
