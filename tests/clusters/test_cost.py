from __future__ import annotations

import math

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.cost import bill, full_cost, images_per_usd, marginal_cost, usd_per_hour
from shardmill.clusters.presets import PRESETS
from shardmill.clusters.prices import price_table
from shardmill.clusters.specfile import from_preset, parse_shapes
from shardmill.errors import UsageError

# Worked out by hand, for ten minutes (600 s, a sixth of an hour) at the prices of the packaged table.
#
# n1-standard-2:   2 vCPUs x 0.031611 +  7.5 GiB x 0.004237 = 0.063222 + 0.0317775 = 0.0949995 USD/h
# n1-standard-8:   8 vCPUs x 0.031611 + 30   GiB x 0.004237 = 0.252888 + 0.12711   = 0.379998  USD/h
# n1-standard-16: 16 vCPUs x 0.031611 + 60   GiB x 0.004237 = 0.505776 + 0.25422   = 0.759996  USD/h
# 500 GB pd-ssd:      500 x 0.17 = 85 USD a month; / 730 = 0.1164384 USD/h
# 400 GB pd-balanced: 400 x 0.10 = 40 USD a month; / 730 = 0.0547945 USD/h (8 x 50 GB, 4 x 100 GB or 1 x 400 GB)
# Dataproc:  8 vCPUs x 0.01 = 0.08 USD/h;  16 vCPUs x 0.01 = 0.16 USD/h
BY_HAND = {
    # 0.379998 + 0.1164384 + 0.08 = 0.5764364 USD/h; / 6 = 0.0960727
    "single-8-ssd": (
        {"master VM": 0.379998, "boot disks": 0.1164384, "Dataproc fee": 0.08},
        0.5764364,
        0.0960727,
    ),
    # 0.0949995 + 7 x 0.0949995 (0.6649965) + 0.0547945 + 0.16 = 0.9747905 USD/h; / 6 = 0.1624651
    "master-7-workers": (
        {"master VM": 0.0949995, "worker VMs": 0.6649965, "boot disks": 0.0547945, "Dataproc fee": 0.16},
        0.9747905,
        0.1624651,
    ),
    # 0.0949995 + 3 x 0.0949995 (0.2849985) + 0.0547945 + 0.08 = 0.5147925 USD/h; / 6 = 0.0857988
    "four-by-2": (
        {"master VM": 0.0949995, "worker VMs": 0.2849985, "boot disks": 0.0547945, "Dataproc fee": 0.08},
        0.5147925,
        0.0857988,
    ),
    # 0.759996 + 0.0547945 + 0.16 = 0.9747905 USD/h; / 6 = 0.1624651
    "single-16": (
        {"master VM": 0.759996, "boot disks": 0.0547945, "Dataproc fee": 0.16},
        0.9747905,
        0.1624651,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_presets_cost_what_was_worked_out_by_hand(name: str) -> None:
    lines, per_hour, ten_minutes = BY_HAND[name]
    priced = bill(from_preset(name), 600, price_table())
    assert priced is not None
    assert {line.what: line.usd_per_hour for line in priced.lines} == pytest.approx(lines, abs=1e-6)
    assert {line.what: line.usd for line in priced.lines} == pytest.approx(
        {what: usd / 6 for what, usd in lines.items()}, abs=1e-6
    )
    assert priced.usd_per_hour == pytest.approx(per_hour, abs=1e-6)
    assert priced.usd == pytest.approx(ten_minutes, abs=1e-6)
    assert priced.seconds == priced.seconds_billed == 600


def test_every_cloud_preset_was_worked_out() -> None:
    assert set(BY_HAND) == {name for name, preset in PRESETS.items() if preset.shape["provider"] == "dataproc"}


def test_local_ssds_are_a_line_of_their_own() -> None:
    (spec,) = parse_shapes(
        [{"preset": "single-8-ssd", "local_ssds": 2, "disk": {"type": "pd-balanced", "size": "100GB"}}], "shapes"
    )
    priced = bill(spec, 3600, price_table())
    assert priced is not None
    # 2 x 375 GB x 0.08 USD a month = 60 USD; / 730 = 0.0821918 USD/h. 100 GB x 0.10 / 730 = 0.0136986 USD/h.
    assert {line.what: line.usd for line in priced.lines} == pytest.approx(
        {"master VM": 0.379998, "boot disks": 0.0136986, "local SSDs": 0.0821918, "Dataproc fee": 0.08}, abs=1e-6
    )


def test_local_ssds_are_counted_on_every_machine() -> None:
    (spec,) = parse_shapes([{"preset": "four-by-2", "local_ssds": 2}], "shapes")
    priced = bill(spec, 3600, price_table())
    assert priced is not None
    assert [line.quantity for line in priced.lines if line.what == "local SSDs"] == ["8 x 375 GB"]


def test_a_master_unlike_its_workers_is_billed_as_itself() -> None:
    (spec,) = parse_shapes(
        [
            {
                "name": "mixed",
                "provider": "dataproc",
                "master": {"machine": "e2-standard-8", "disk": {"type": "pd-ssd", "size": "200GB"}},
                "worker": "n2-standard-2",
                "workers": 2,
                "disk": {"type": "pd-standard", "size": "100GB"},
            }
        ],
        "shapes",
    )
    priced = bill(spec, 3600, price_table())
    assert priced is not None
    # e2: 8 x 0.02181159 + 32 x 0.00292353 = 0.26804568. n2: 2 x (2 x 0.031611 + 8 x 0.004237) = 2 x 0.097118.
    # Disks: (200 x 0.17 + 2 x 100 x 0.04) / 730 = 42 / 730 = 0.0575342. Fee: 12 vCPUs x 0.01.
    assert [(line.what, line.quantity) for line in priced.lines] == [
        ("master VM", "1 x e2-standard-8"),
        ("worker VMs", "2 x n2-standard-2"),
        ("boot disks", "1 x 200 GB pd-ssd + 2 x 100 GB pd-standard"),
        ("Dataproc fee", "12 vCPUs"),
    ]
    assert [line.usd for line in priced.lines] == pytest.approx([0.26804568, 0.194236, 0.0575342, 0.12], abs=1e-6)


@pytest.mark.parametrize(("seconds", "billed"), [(0, 60), (59.9, 60), (60, 60), (60.1, 61), (3599.5, 3600)])
def test_seconds_are_rounded_up_and_a_minute_at_least(seconds: float, billed: float) -> None:
    priced = bill(from_preset("single-16"), seconds, price_table())
    assert priced is not None
    assert (priced.seconds, priced.seconds_billed) == (seconds, billed)
    assert priced.usd == pytest.approx(0.9747905 * billed / 3600, abs=1e-6)


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="a bill is for a number of seconds that is not negative"):
        bill(from_preset("single-16"), seconds, price_table())


def test_the_full_cost_is_of_the_cluster_and_the_marginal_one_of_the_job() -> None:
    spec, table = from_preset("four-by-2"), price_table()
    full = full_cost(spec, 1_000_000.0, 1_000_600.0, table)
    assert full is not None
    assert full.usd == pytest.approx(0.0857988, abs=1e-6)
    # 40.5 s of the job at 0.5147925 USD/h: no minimum, nothing rounded.
    assert marginal_cost(spec, 40.5, table) == pytest.approx(0.00579142, abs=1e-6)


@pytest.mark.parametrize("declared", [None, 0, 0.0])
def test_a_local_cluster_without_a_price_is_not_priced(declared: float | None) -> None:
    spec = ClusterSpec("here", "local", NodeSpec("local", 2, 1000), 1, NodeSpec("local", 0, 256), usd_per_hour=declared)
    table = price_table()
    assert bill(spec, 600, table) is None
    assert usd_per_hour(spec, table) is None
    assert full_cost(spec, 0, 600, table) is None
    assert marginal_cost(spec, 600, table) is None


def test_a_declared_price_stands_for_everything() -> None:
    (here, there) = parse_shapes(
        [{"preset": "local-2x1", "usd_per_hour": 0.36}, {"preset": "four-by-2", "usd_per_hour": 0.36}], "shapes"
    )
    local, cloud = bill(here, 10.5, price_table()), bill(there, 10.5, price_table())
    assert local is not None
    assert cloud is not None
    assert local.usd == pytest.approx(0.00105)  # 10.5 s x 0.0001 USD: by the second here, with a minimum there
    assert cloud.usd == pytest.approx(0.006)
    assert [line.what for line in local.lines] == ["declared price"]
    assert str(local).splitlines()[-1] == "Price declared with the cluster."


def test_a_bill_tells_the_date_of_its_prices() -> None:
    text = str(bill(from_preset("master-7-workers"), 600, price_table()))
    assert text.splitlines() == [
        "master VM     1 x n1-standard-2         0.0950 USD/h     0.0158 USD",
        "worker VMs    7 x n1-standard-2         0.6650 USD/h     0.1108 USD",
        "boot disks    8 x 50 GB pd-balanced     0.0548 USD/h     0.0091 USD",
        "Dataproc fee  16 vCPUs                  0.1600 USD/h     0.0267 USD",
        "total         600 s billed              0.9748 USD/h     0.1625 USD",
        "Price table of 2026-11-22 (most of its prices were published in March 2025), us-central1.",
    ]


def test_a_bill_says_that_prices_differ_in_the_region() -> None:
    (near, far) = parse_shapes(
        [
            {"preset": "single-16", "name": "near", "region": "us-west1"},
            {"preset": "single-16", "name": "far", "region": "europe-west4"},
        ],
        "shapes",
    )
    assert "other prices" not in str(bill(near, 600, price_table()))
    assert str(bill(far, 600, price_table())).endswith("us-central1; other prices hold in europe-west4.")


def test_images_for_a_dollar() -> None:
    assert images_per_usd(10_000, 0.25) == 40_000
    assert images_per_usd(10_000, None) is None
    assert images_per_usd(10_000, 0.0) is None


def test_a_machine_without_a_price_says_where_to_give_one() -> None:
    (spec,) = parse_shapes(
        [
            {
                "name": "new",
                "provider": "dataproc",
                "workers": 0,
                "master": {"machine": "z9-standard-8", "cores": 8, "memory": "32GB"},
            }
        ],
        "shapes",
    )
    with pytest.raises(UsageError, match="has no price for z9-standard-8; declare the cluster's `usd_per_hour`"):
        bill(spec, 600, price_table())
