"""What money is reckoned by: the table of prices that a sweep was made with lies in its run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.cost import bill
from shardmill.clusters.prices import PriceTable, price_table
from shardmill.errors import UsageError
from shardmill.sweep.row import Price

PRICES: Final = "prices.json"


def pricing(table: PriceTable) -> Price:
    """Prices of clusters by `table`."""

    def price(spec: ClusterSpec, seconds: float) -> float | None:
        billed = bill(spec, seconds, table)
        return None if billed is None else billed.usd

    return price


def saved_prices(folder: Path) -> PriceTable:
    """The table in the run folder; the one that comes with shardmill where the sweep was broken off before it was written.

    Raises:
        UsageError: it cannot be read.
    """
    path = folder / PRICES
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        return PriceTable(**values | {key: tuple(values[key]) for key in ("regions", "sources")})
    except FileNotFoundError:
        return price_table()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}); repeat the command of the sweep, which writes it."
        ) from error
