"""Google Compute Engine's machine types: what each has, whatever it costs.

The table is `machine_types.csv`: sizes as of August 2026, network as of March 2026, from Google's machine-type pages as the
open lists google-cloud-pricing-cost-calculator and google-cloud-compute-machine-types keep them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_CUSTOM: Final = re.compile(
    r"(?:(?P<family>[a-z]\d[a-z]?)-)?custom-(?P<vcpus>\d+)-(?P<memory_mib>\d+)(?P<extended>-ext)?"
)


@dataclass(frozen=True, slots=True)
class MachineType:
    """One machine type."""

    name: str
    vcpus: int
    memory_gib: float
    """In GiB of 2^30 bytes, which is what the provider's pages call GB and what it charges by."""
    egress_gbit_s: float | None
    """Most that one machine sends, in 10^9 bits a second; None where no source tells."""
    rate: str
    """Under which name a price table has its price per vCPU and GiB: `n1`; for custom types, which cost more, `n1-custom`."""

    @property
    def family(self) -> str:
        """`n1`, `e2`, and so on."""
        return self.rate.partition("-")[0]

    @property
    def memory_mb(self) -> int:
        """In MB of 10^6 bytes, rounded."""
        return round(self.memory_gib * 2**30 / 10**6)


@cache
def machine_types() -> Mapping[str, MachineType]:
    """All predefined types that are known here, by name."""
    table = files("shardmill.clusters").joinpath("machine_types.csv").read_text(encoding="utf-8")
    return {
        row["machine_type"]: MachineType(
            row["machine_type"],
            int(row["vcpus"]),
            float(row["memory_gib"]),
            float(row["egress_gbit_s"]),
            row["machine_type"].partition("-")[0],
        )
        for row in csv.DictReader(table.splitlines())
    }


def machine_type(name: str) -> MachineType | None:
    """The type called `name`: a predefined one of the table, or a custom one, whose name tells its size
    (`n2-custom-4-8192`: 4 vCPUs, 8,192 MiB; without a family it is `n1`). None if it is neither.
    """
    known = machine_types().get(name)
    if known is not None:
        return known
    match = _CUSTOM.fullmatch(name)
    if match is None:
        return None
    rate = f"{match['family'] or 'n1'}-custom{match['extended'] or ''}"
    return MachineType(name, int(match["vcpus"]), int(match["memory_mib"]) / 1024, None, rate)
