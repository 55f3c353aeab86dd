"""The one place where requests are repeated."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from shardmill.errors import ResumableError
from shardmill.storage.objects import TransientError

T = TypeVar("T")

_FIRST_DELAY_S: Final = 0.2
_MOST_DELAY_S: Final = 16.0
_MOST_ATTEMPT_S: Final = 60.0
_LEAST_ATTEMPT_S: Final = 1.0

_tally: Counter[str] = Counter()
_tally_lock = threading.Lock()


def with_retries(attempt: Callable[[float], T], what: str, timeout_s: float) -> T:
    """The result of the first attempt that does not fail in transport.

    Between attempts it waits, twice as long each time up to 16 s, less a random part of up to half, or as long as the
    store asks.

    Args:
        attempt: gets the seconds that it may take.
        what: as in "read gs://bucket/key"; for the message.
        timeout_s: after this many seconds no further attempt is begun.

    Raises:
        ResumableError: attempts failed for `timeout_s`.
    """
    began = time.monotonic()
    delay = _FIRST_DELAY_S
    attempts = 0
    while True:
        left = began + timeout_s - time.monotonic()
        try:
            attempts += 1
            return attempt(min(_MOST_ATTEMPT_S, max(left, _LEAST_ATTEMPT_S)))
        except TransientError as error:
            wait = max(random.uniform(delay / 2, delay), min(error.retry_after_s, _MOST_ATTEMPT_S))
            if time.monotonic() + wait > began + timeout_s:
                raise ResumableError(
                    f"cannot {what}: {attempts} attempts failed within {timeout_s:g} s, the last with {error.detail}. "
                    "Check the network and the store, then run the same command again: what is done stays done."
                ) from error
            _count(error.reason)
            time.sleep(wait)
            delay = min(delay * 2, _MOST_DELAY_S)


def _count(reason: str) -> None:
    note_retries({reason: 1})


def note_retries(told: Mapping[str, int]) -> None:
    """Count, as if they were of this process, those that a child of it tells of."""
    with _tally_lock:
        _tally.update(told)


def retries_so_far() -> Counter[str]:
    """Attempts of this process that were repeated, by reason. Take one from another for those between them."""
    with _tally_lock:
        return Counter(_tally)
