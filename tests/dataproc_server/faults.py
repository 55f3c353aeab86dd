"""What a test can make go wrong."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from tests.dataproc_server.wire import ApiError

STOCK_OUT = (
    "Error Code: UNAVAILABLE, errorSource: COMPUTE_ENGINE, Error Message: The zone 'projects/{project}/zones/{zone}' does "
    "not have enough resources available to fulfill the request. Try a different zone, or try again later."
)
"""As seen in a report of a user: github.com/kestra-io/plugin-gcp/issues/698."""


@dataclass
class Faults:
    """Planted faults; `clear` takes them all back."""

    answers: dict[str, list[ApiError]] = field(default_factory=lambda: defaultdict(list))
    """By method (`CreateCluster`): what its next calls are answered."""
    lost_answers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By method: how many of its next calls are carried out and never answered."""
    creation: str | None = None
    """Why every cluster created from now on ends in ERROR; `{project}` and `{zone}` are filled in."""
    offline_until: float = 0.0
    """Until this time of `time.monotonic` connections are closed without an answer."""

    def clear(self) -> None:
        self.answers.clear()
        self.lost_answers.clear()
        self.creation = None
        self.offline_until = 0.0

    def go_offline(self, seconds: float) -> None:
        self.offline_until = time.monotonic() + seconds

    @property
    def offline(self) -> bool:
        return time.monotonic() < self.offline_until
