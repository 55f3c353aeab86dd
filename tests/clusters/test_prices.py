from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shardmill.clusters.machine_types import MachineType, machine_type, machine_types
from shardmill.clusters.prices import price_table
from shardmill.errors import UsageError


def written(folder: Path, values: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def known(name: str) -> MachineType:
    kind = machine_type(name)
    assert kind is not None
    return kind


@pytest.mark.parametrize(
    ("name", "usd"),
    [  # as the sources of the table have them for the machine itself
        ("e2-highmem-2", 0.09039966),
        ("e2-standard-8", 0.26804568),
        ("n1-standard-1", 0.04749975),
        ("n1-standard-16", 0.759996),
        ("n2d-standard-2", 0.0845),
        ("c3-highcpu-22", 0.935572),
    ],
)
def test_rates_make_the_prices_they_were_taken_from(name: str, usd: float) -> None:
    assert price_table().machine_usd_per_hour(known(name)) == pytest.approx(usd, abs=2e-5)


def test_every_known_type_has_a_price() -> None:
    table = price_table()
    assert all(table.machine_usd_per_hour(kind) > 0.03 for kind in machine_types().values())


def test_disks() -> None:
    table = price_table()
    assert table.disk_usd_per_hour("pd-ssd", 730) == pytest.approx(0.17)
    assert table.disk_usd_per_hour("pd-standard", 1460) == pytest.approx(0.08)
    assert table.local_ssd_usd_per_hour == pytest.approx(30 / 730)  # 375 GB x 0.08 USD = 30 USD a month
    with pytest.raises(UsageError, match="has no price for the disk type hyperdisk-balanced; declare"):
        table.disk_usd_per_hour("hyperdisk-balanced", 100)


def test_custom_types_have_no_price_until_one_is_given(tmp_path: Path) -> None:
    kind = known("n1-custom-4-8192")
    with pytest.raises(UsageError, match=r"price table of 2026-11-22 .* has no price for n1-custom-4-8192; declare"):
        price_table().machine_usd_per_hour(kind)
    rates = {"date": "2026-12-01", "vcpu_hour": {"n1-custom": 0.03}, "gib_hour": {"n1-custom": 0.005}}
    assert price_table(written(tmp_path, rates)).machine_usd_per_hour(kind) == pytest.approx(0.16)


def test_a_file_is_laid_over_the_packaged_prices(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "date": "2026-12-01",
            "regions": ["europe-west4"],
            "machine_type_hour": {"n1-standard-2": 0.5},
            "disk_gb_month": {"pd-ssd": 0.73},
        },
    )
    mine, packaged = price_table(path), price_table()
    assert mine.machine_usd_per_hour(known("n1-standard-2")) == 0.5
    assert mine.machine_usd_per_hour(known("n1-standard-4")) == packaged.machine_usd_per_hour(known("n1-standard-4"))
    assert mine.disk_usd_per_hour("pd-ssd", 1000) == 1.0
    assert mine.disk_gb_month["pd-standard"] == 0.04
    assert mine.title == ("price table of 2026-12-01 (mine.json over the packaged table of 2026-11-22), europe-west4")
    assert packaged.title.startswith("price table of 2026-11-22 (most of its prices were published in March 2025)")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([], "does not say of when it is; add"),
        ({"vcpu_hour": {}}, "does not say of when it is; add"),
        ({"date": "yesterday"}, "mine.json: date is 'yesterday'; write it like 2026-11-22"),
        ({"date": 2026}, "mine.json: date"),
        (
            {"date": "2026-12-01", "vcpu_hours": {}},
            "unknown key 'vcpu_hours' (did you mean 'vcpu_hour'?); it takes date,",
        ),
        (
            {"date": "2026-12-01", "vcpu_hour": 0.03},
            "mine.json: vcpu_hour is 0.03; it takes a mapping of names to a number",
        ),
        ({"date": "2026-12-01", "vcpu_hour": {"n1": "0.03"}}, "mine.json: vcpu_hour is {'n1': '0.03'}; it takes"),
        ({"date": "2026-12-01", "gib_hour": {"n1": -0.03}}, "gib_hour of n1 is -0.03; it takes a number of at least 0"),
        ('{"date": "2026-12-01", "gib_hour": {"n1": NaN}}', "gib_hour of n1 is nan; it takes a number of at least 0"),
        ({"date": "2026-12-01", "hours_per_month": 0}, "hours_per_month is 0; the usual number is 730"),
        ({"date": "2026-12-01", "regions": []}, "regions is empty; name where the prices hold"),
        ({"date": "2026-12-01", "regions": "us-east1"}, "mine.json: regions is 'us-east1'; it takes a list of text"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, values: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        price_table(written(tmp_path, values))
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\); check its path"):
        price_table(tmp_path / "none.json")
