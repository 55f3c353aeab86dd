"""The shapes that people compare, ready to use by name.

Those of Dataproc are of one family of machines and, but for the first, of 400 GB of disk in all, so that runs on them differ
by their layout alone: one large machine, some, or many small ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_FREE_TRIAL: Final = "8 vCPUs are all that a free-trial account has."
_NO_SINGLE_VCPU: Final = (
    "The smallest machines have 2 vCPUs: images from 2.0 on do not run on n1-standard-1, and Dataproc takes no machines "
    "with a shared core."
)
_SINGLE_NODE: Final = "A cluster without workers is Dataproc's single node: master, driver and tasks share the machine, and it cannot grow."
_DISK: Final = "The size of the boot disks is set, for Dataproc makes them of 500 GB otherwise."
_FREE: Final = (
    "Runs on this machine and has no price, unless `usd_per_hour` declares one to try out what a bill looks like."
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named shape."""

    summary: str
    shape: Mapping[str, Any]
    """As it would be written in a file; see `specfile`."""
    facts: tuple[str, ...]
    """What makes it legal today, and what may stand in its way."""


def _dataproc(workers: int, machine: str, disk_type: str, disk_size: str) -> dict[str, Any]:
    return {
        "provider": "dataproc",
        "image": "2.2-debian12",
        "master": machine,
        "worker": machine,
        "workers": workers,
        "disk": {"type": disk_type, "size": disk_size},
    }


def _local(workers: int, cores: int, memory: str) -> dict[str, Any]:
    return {"provider": "local", "workers": workers, "cores": cores, "memory": memory}


PRESETS: Final[Mapping[str, Preset]] = {
    "single-8-ssd": Preset(
        "one machine with 8 vCPUs and a 500 GB SSD",
        _dataproc(0, "n1-standard-8", "pd-ssd", "500GB"),
        (
            _FREE_TRIAL,
            _SINGLE_NODE,
            "500 GB of pd-ssd sustain 240 MiB/s by their size, and take the whole of an SSD quota of 500 GB.",
            (
                "A local SSD is faster and cheaper, where the project has a quota of them, and is lost with the machine: add "
                "`local_ssds: 1, local_ssd_interface: nvme, disk: {size: 100GB}`. n1, n2 and n2d take them, e2 does not."
            ),
            _DISK,
        ),
    ),
    "master-7-workers": Preset(
        "a master and 7 workers of 2 vCPUs each",
        _dataproc(7, "n1-standard-2", "pd-balanced", "50GB"),
        (
            (
                "16 vCPUs, of which 14 run tasks: twice the 8 of a free-trial account, so it needs a paid account and perhaps a "
                "raised quota. Within 8 vCPUs fits a master with 3 workers: `four-by-2`."
            ),
            _NO_SINGLE_VCPU,
            "Where machines have external IP addresses, it takes 8 of them; from image 2.2 on they have internal ones only.",
            "A disk's speed grows with its size: 50 GB of pd-balanced sustain 14 MiB/s by their size.",
            _DISK,
        ),
    ),
    "four-by-2": Preset(
        "4 machines of 2 vCPUs: a master and 3 workers",
        _dataproc(3, "n1-standard-2", "pd-balanced", "100GB"),
        (f"{_FREE_TRIAL} 6 of them run tasks.", _NO_SINGLE_VCPU, _DISK),
    ),
    "single-16": Preset(
        "one machine with 16 vCPUs",
        _dataproc(0, "n1-standard-16", "pd-balanced", "400GB"),
        (
            (
                "16 vCPUs are twice the 8 of a free-trial account, so it needs a paid account and perhaps a raised quota. "
                "Within 8 vCPUs fits one machine of 8: `single-8-ssd`."
            ),
            _SINGLE_NODE,
            _DISK,
        ),
    ),
    "local-1x2": Preset("here: one worker with 2 cores", _local(1, 2, "2GB"), (_FREE,)),
    "local-2x1": Preset("here: two workers with one core each", _local(2, 1, "1GB"), (_FREE,)),
    "local-1x1": Preset("here: one worker with one core", _local(1, 1, "1GB"), (_FREE,)),
}
