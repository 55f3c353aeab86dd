"""What machines and disks cost: a dated table in the package, over which a user's file can be laid.

All prices are USD, list prices, by the hour of one vCPU or GiB or the month of one GB. A disk's GB is the provider's, by
which it is sized and billed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_type_hints

from shardmill.arguments import fit
from shardmill.clusters.machine_types import MachineType
from shardmill.clusters.nearest import did_you_mean
from shardmill.errors import UsageError

_PACKAGED: Final = "prices-2026-11-22.json"
_LOCAL_SSD_GB: Final = 375


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices, when they were gathered, and where. The fields are the keys of its JSON file."""

    date: str
    """ISO date of the table."""
    regions: tuple[str, ...]
    """Where its prices hold."""
    vcpu_hour: Mapping[str, float]
    """USD per vCPU and hour by family (`n1`); `n1-custom` is what custom types of it cost."""
    gib_hour: Mapping[str, float]
    """USD per GiB of memory and hour by family."""
    machine_type_hour: Mapping[str, float]
    """USD per machine and hour by machine type, where it is not what the family's rates make it."""
    disk_gb_month: Mapping[str, float]
    """USD per GB and month by type of boot disk."""
    local_ssd_gb_month: float
    dataproc_vcpu_hour: float
    """Dataproc's fee, on top of the machines."""
    minimum_s: float
    """Seconds that are billed at least."""
    hours_per_month: float
    """By which a price per month is divided."""
    sources: tuple[str, ...] = ()
    note: str = ""
    """What a reader of a bill should know of the prices' age."""

    @property
    def title(self) -> str:
        """`price table of 2026-11-22 (…), us-central1`."""
        return f"price table of {self.date}{f' ({self.note})' if self.note else ''}, {self.regions[0]}"

    def machine_usd_per_hour(self, kind: MachineType) -> float:
        """Of one machine, without disks and fees.

        Raises:
            UsageError: the table has no price for it.
        """
        if kind.name in self.machine_type_hour:
            return self.machine_type_hour[kind.name]
        if kind.rate not in self.vcpu_hour or kind.rate not in self.gib_hour:
            raise UsageError(
                f"the {self.title} has no price for {kind.name}; declare the cluster's `usd_per_hour`, or give "
                f'{{"machine_type_hour": {{"{kind.name}": …}}}} in a price file'
            )
        return kind.vcpus * self.vcpu_hour[kind.rate] + kind.memory_gib * self.gib_hour[kind.rate]

    def disk_usd_per_hour(self, disk_type: str, size_gb: int) -> float:
        """Of one boot disk of `size_gb`.

        Raises:
            UsageError: the table has no price for it.
        """
        if disk_type not in self.disk_gb_month:
            raise UsageError(
                f"the {self.title} has no price for the disk type {disk_type}; declare the cluster's `usd_per_hour`, "
                f'or give {{"disk_gb_month": {{"{disk_type}": …}}}} in a price file'
            )
        return size_gb * self.disk_gb_month[disk_type] / self.hours_per_month

    @property
    def local_ssd_usd_per_hour(self) -> float:
        """Of one local SSD of 375 GB."""
        return _LOCAL_SSD_GB * self.local_ssd_gb_month / self.hours_per_month


def price_table(path: str | Path | None = None) -> PriceTable:
    """The package's table, with what the JSON file at `path` says laid over it.

    The file has a `date` and whichever of the keys of `PriceTable` it changes; the keys of the tables inside it
    (`vcpu_hour`, `disk_gb_month`, …) are added to the package's.

    Raises:
        UsageError: the file cannot be read, or something in it is no price; the message names the key.
    """
    packaged = _packaged()
    if path is None:
        return packaged
    try:
        given = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the price file {path} cannot be read ({error.strerror}); check its path") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the price file {path} is not JSON ({error}); mend it") from error
    if not isinstance(given, dict) or "date" not in given:
        raise UsageError(f'the price file {path} does not say of when it is; add "date": "2026-11-22" or the like')
    changes = _checked(given, f"the price file {path}")
    for key, value in changes.items():
        if isinstance(value, dict):
            changes[key] = {**getattr(packaged, key), **value}
    changes.setdefault("note", f"{Path(path).name} over the packaged table of {packaged.date}")
    return replace(packaged, **changes)


@cache
def _packaged() -> PriceTable:
    text = files("shardmill.clusters").joinpath(_PACKAGED).read_text(encoding="utf-8")
    return PriceTable(**_checked(json.loads(text), _PACKAGED))


def _checked(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    hints = get_type_hints(PriceTable)
    values = {}
    for key, value in given.items():
        if key not in hints:
            raise UsageError(f"{where}: unknown key {key!r}{did_you_mean(key, hints)}; it takes {', '.join(hints)}")
        one = tuple(value) if isinstance(value, list) else value
        values[key] = fitted = fit(f"{where}: {key}", one, hints[key])
        for name, price in fitted.items() if isinstance(fitted, dict) else ((key, fitted),):
            if isinstance(price, int | float) and not 0 <= price < math.inf:
                raise UsageError(f"{where}: {key} of {name} is {price}; it takes a number of at least 0")
    if not values.get("hours_per_month", 1):
        raise UsageError(f"{where}: hours_per_month is 0; the usual number is 730")
    try:
        date.fromisoformat(values["date"])
    except ValueError as error:
        raise UsageError(f"{where}: date is {values['date']!r}; write it like 2026-11-22") from error
    if "regions" in values and not values["regions"]:
        raise UsageError(f"{where}: regions is empty; name where the prices hold")
    return values
