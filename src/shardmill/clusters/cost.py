"""What a cluster costs: its machines, disks and fee, by the second.

Two costs of a run are told apart. The *full* cost is of the cluster, from asking for it until its deletion is done: that is
what is paid when a cluster is made for one job. The *marginal* cost is of the job alone, its seconds at the cluster's rate:
what one more such job costs on a cluster that is there already.

Not in it: Cloud Storage (requests, and traffic out of its region), external IP addresses, NAT, monitoring beyond its free
share, discounts and taxes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.machine_types import MachineType, machine_type
from shardmill.clusters.prices import PriceTable
from shardmill.errors import UsageError


@dataclass(frozen=True, slots=True)
class BillLine:
    """One thing that is paid for."""

    what: str
    """`master VM`, `worker VMs`, `boot disks`, `local SSDs`, `Dataproc fee` or `declared price`."""
    quantity: str
    """How many of what: `7 x n1-standard-2`."""
    usd_per_hour: float
    """Of all of them together."""
    usd: float
    """For the seconds billed."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one cluster costs for some time."""

    lines: tuple[BillLine, ...]
    seconds: float
    """How long it was there."""
    seconds_billed: float
    """Whole seconds, and the provider's minimum at least; at a declared price of a local cluster, `seconds`."""
    prices: str
    """Which prices these are: the date of the table and its region, or that they were declared."""

    @property
    def usd_per_hour(self) -> float:
        return math.fsum(line.usd_per_hour for line in self.lines)

    @property
    def usd(self) -> float:
        return math.fsum(line.usd for line in self.lines)

    def __str__(self) -> str:
        """The bill as lines of a table, with the date of its prices below."""
        total = BillLine("total", f"{self.seconds_billed:,.0f} s billed", self.usd_per_hour, self.usd)
        rows = [*self.lines, total]
        what, quantity = max(len(row.what) for row in rows), max(len(row.quantity) for row in rows)
        table = [
            f"{row.what:<{what}}  {row.quantity:<{quantity}}  {row.usd_per_hour:>9.4f} USD/h  {row.usd:>9.4f} USD"
            for row in rows
        ]
        return "\n".join([*table, f"{self.prices[0].upper()}{self.prices[1:]}."])


def bill(spec: ClusterSpec, seconds: float, table: PriceTable) -> Bill | None:
    """What a cluster of `spec` costs that is there for `seconds`.

    Machines, disks and fee are billed by the second, rounded up, and for the table's minimum (60 s) at least; a price
    per month is spread over the table's 730 hours. A price that `spec` declares stands for all of it.

    Returns:
        None where nothing is known of the price: a provider without a price table (`local`), and none is declared or
        it is 0.

    Raises:
        UsageError: `seconds` is negative or no number, or the table lacks a price.

    Source: cloud.google.com/dataproc/pricing, and Compute Engine's pages on VM and disk pricing.
    """
    if not 0 <= seconds < math.inf:
        raise UsageError(f"seconds is {seconds}; a bill is for a number of seconds that is not negative")
    listed = spec.provider == "dataproc"
    if spec.usd_per_hour:
        rates = [("declared price", "the cluster", spec.usd_per_hour)]
    elif listed:
        rates = _rates(spec, table)
    else:
        return None
    billed = float(max(math.ceil(seconds), table.minimum_s)) if listed else seconds
    lines = tuple(BillLine(what, quantity, rate, rate * billed / 3600) for what, quantity, rate in rates)
    return Bill(
        lines, seconds, billed, "price declared with the cluster" if spec.usd_per_hour else _validity(spec, table)
    )


def usd_per_hour(spec: ClusterSpec, table: PriceTable) -> float | None:
    """Rate of the whole cluster; None where it is not priced. Raises as `bill` does."""
    priced = bill(spec, 0, table)
    return None if priced is None else priced.usd_per_hour


def full_cost(spec: ClusterSpec, asked_at: float, deleted_at: float, table: PriceTable) -> Bill | None:
    """What the cluster costs from asking for it to its deletion done; both in seconds since the epoch. As `bill`."""
    return bill(spec, deleted_at - asked_at, table)


def marginal_cost(spec: ClusterSpec, job_s: float, table: PriceTable) -> float | None:
    """USD for `job_s` seconds of a job at the cluster's rate, nothing rounded; None where it is not priced."""
    rate = usd_per_hour(spec, table)
    return None if rate is None else rate * job_s / 3600


def images_per_usd(images: int, usd: float | None) -> float | None:
    """Images for a dollar; None where the cost is not known or nothing."""
    return images / usd if usd else None


def _rates(spec: ClusterSpec, table: PriceTable) -> list[tuple[str, str, float]]:
    """What is paid for, how many of what, and USD per hour of them all."""
    groups = [(1, spec.master)] + ([(spec.workers, spec.worker)] if spec.workers else [])
    rates = []
    for (count, node), what in zip(groups, ("master VM", "worker VMs"), strict=False):
        usd = count * table.machine_usd_per_hour(_known(node))
        rates.append((what, f"{count} x {node.machine_type}", usd))
    disks = Counter[tuple[str, int]]()
    for count, node in groups:
        if node.boot_disk_type and node.boot_disk_gb:
            disks[node.boot_disk_type, node.boot_disk_gb] += count
    if disks:
        usd = math.fsum(count * table.disk_usd_per_hour(kind, size) for (kind, size), count in disks.items())
        sizes = (f"{count} x {size} GB {kind}" for (kind, size), count in disks.items())
        rates.append(("boot disks", " + ".join(sizes), usd))
    ssds = sum(count * node.local_ssds for count, node in groups)
    if ssds:
        rates.append(("local SSDs", f"{ssds} x 375 GB", ssds * table.local_ssd_usd_per_hour))
    vcpus = sum(count * _known(node).vcpus for count, node in groups)
    rates.append(("Dataproc fee", f"{vcpus} vCPUs", vcpus * table.dataproc_vcpu_hour))
    return rates


def _known(node: NodeSpec) -> MachineType:
    """The machine type of `node`; of one that no table has, with the size the spec gives."""
    known = machine_type(node.machine_type)
    if known is not None:
        return known
    family = node.machine_type.partition("-")[0]
    return MachineType(node.machine_type, node.cores, node.memory_mb * 10**6 / 2**30, None, family)


def _validity(spec: ClusterSpec, table: PriceTable) -> str:
    elsewhere = spec.region is not None and spec.region not in table.regions
    return table.title + (f"; other prices hold in {spec.region}" if elsewhere else "")
